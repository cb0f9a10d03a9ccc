// SPDX-License-Identifier: Apache-2.0
#include "updater/activate.h"
#include "updater/json_text.h"
#include "updater/verbs.h"

#include <inttypes.h>

static enum err print_json(const char *slot, const struct release_id *r, FILE *out, struct error *e)
{
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:s, s:s, s:o, s:I, s:b}", "result", "activated", "slot", slot,
                             "version", json_text(r->version), "release_index",
                             (json_int_t)r->release_index, "activated", 1);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

enum err verb_activate(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    enum err err = app_open_device(a, args, DEVICE_CHANGE, &d, e);
    if (err != OK) {
        return err;
    }
    int slot = other_slot(d->running);
    err = activate_slot(d, slot, ACTIVATE_VERIFY, e);
    if (err != OK) {
        return err;
    }
    const char *name = d->config->slots[slot].name;
    const struct release_id *release = &d->journal.release;
    if (app_json(args)) {
        err = print_json(name, release, a->out, e);
    } else {
        fprintf(a->out, "Slot %s with %s (release %" PRIu64 ") boots next, on trial.\n", name,
                release->version, release->release_index);
    }
    return err == OK && parsed_option(args, "reboot") != NULL ? d->reboot(d, e) : err;
}
