// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"
#include "updater/agent/verbs.h"

static enum err print_json(const json_t *root, FILE *out, struct error *e)
{
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

enum err verb_history(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_free) struct history *history = NULL;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        err = history_load(d->state, &a->log, &history, e);
    }
    if (err != OK) {
        return err;
    }
    if (app_json(args)) {
        CLEANUP(cleanup_json) json_t *root = history_json(history);
        return print_json(root, a->out, e);
    }
    history_print(history, a->out);
    return OK;
}
