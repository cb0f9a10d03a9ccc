// SPDX-License-Identifier: Apache-2.0
#include "updater/activate.h"
#include "updater/json_text.h"
#include "updater/trial.h"
#include "updater/verbs.h"

#include <inttypes.h>

struct activated {
    const char *slot;
    bool on_trial; // else it boots next because the running slot was given up
    struct release_id release;
};

static enum err print_json(const struct activated *a, FILE *out, struct error *e)
{
    bool known = a->release.version[0] != '\0';
    CLEANUP(cleanup_json)
    json_t *root = json_pack(
        "{s:s, s:s, s:o, s:o, s:b}", "result", a->on_trial ? "activated" : "nothing_to_do", "slot",
        a->slot, "version", json_text_or_null(known ? a->release.version : NULL), "release_index",
        known ? json_integer((json_int_t)a->release.release_index) : json_null(), "activated",
        a->on_trial);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

static void print_text(const struct device *d, const struct activated *a, FILE *out)
{
    if (a->on_trial) {
        fprintf(out, "Slot %s with %s (release %" PRIu64 ") boots next, on trial.\n", a->slot,
                a->release.version, a->release.release_index);
    } else {
        fprintf(out,
                "Nothing to do: slot %s boots next already, the running slot %s was given up.\n",
                a->slot, d->config->slots[d->running].name);
    }
}

enum err verb_activate(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    struct boot_state boot;
    enum err err = app_open_device(a, args, DEVICE_CHANGE, &d, e);
    if (err != OK) {
        return err;
    }
    int slot = other_slot(d->running);
    err = activate_slot(d, slot, ACTIVATE_VERIFY, e);
    if (err == OK) {
        err = boot_state_read(&d->config->boot, d->env, &boot, e);
    }
    if (err != OK) {
        return err;
    }
    struct activated done = {.slot = d->config->slots[slot].name, .on_trial = boot.trial == slot};
    done.release = done.on_trial ? d->journal.release : trial_release(d, slot);
    if (app_json(args)) {
        err = print_json(&done, a->out, e);
    } else {
        print_text(d, &done, a->out);
    }
    return err == OK && parsed_option(args, "reboot") != NULL ? d->reboot(d, e) : err;
}
