// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"
#include "updater/agent/denylist.h"
#include "updater/agent/verbs.h"

static enum err print_list(struct app *a, const struct parsed *args, struct device *d,
                           struct error *e)
{
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    enum err err = denylist_load(d->state, &a->log, &list, e);
    if (err != OK) {
        return err;
    }
    if (!app_json(args)) {
        denylist_print(list, a->out);
        return OK;
    }
    CLEANUP(cleanup_json) json_t *root = denylist_json(list);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(a->out, "%s\n", text);
    return OK;
}

static enum err allow_here(struct app *a, const struct parsed *args, struct device *d,
                           struct error *e)
{
    size_t count = 0;
    enum err err = denylist_lift(d->state, &a->log, args->args[0], &count, e);
    if (err == OK && app_json(args)) {
        fprintf(a->out, "{\"ok\":true,\"allowed\":%zu}\n", count);
    } else if (err == OK) {
        fprintf(a->out, "%zu %s may be installed again.\n", count,
                count == 1 ? "release" : "releases");
    }
    return err;
}

// An agent that runs is the one who writes the list.
enum err verb_allow(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_close) int lock = -1;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err != OK) {
        return err;
    }
    if (args->arg_count == 0) {
        return print_list(a, args, d, e);
    }
    err = agent_lock_take(d->config->state_dir, &lock, e);
    if (err == OK) {
        return allow_here(a, args, d, e);
    }
    if (err != ERR_AGAIN) {
        return err;
    }
    CLEANUP(cleanup_json)
    json_t *request = json_pack("{s:s, s:s}", "do", "allow", "which", args->args[0]);
    return agent_ask(a, args, request, "What failed here may be installed again.", e);
}
