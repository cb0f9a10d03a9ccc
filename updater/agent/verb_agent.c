// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent.h"
#include "updater/agent/verbs.h"

#include "updater/lock.h"

// What is configured now; what ran before goes on if that cannot be used.
static enum err open_again(struct app *a, const struct parsed *args, struct device **device,
                           struct error *e)
{
    struct device *next = NULL;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &next, e);
    if (err == OK) {
        err = agent_check_config(next->config, e);
    }
    if (err != OK) {
        device_close(next);
        return err;
    }
    device_close(*device);
    *device = next;
    return OK;
}

// Until it is told to end, or to read its configuration again: then `*ret_reload` is true.
static enum err run_once(struct app *a, const struct parsed *args, struct device *d,
                         bool *ret_reload, struct error *e)
{
    const struct agent_options options = {
        .program = "/proc/self/exe",
        .config = parsed_option(args, "config"),
    };
    struct agent *agent = calloc(1, sizeof *agent);
    if (agent == NULL) {
        return fail_memory(e);
    }
    enum err err = agent_open(agent, d, &a->log, &options, e);
    if (err == OK) {
        err = agent_run(agent, e);
        *ret_reload = agent->reload;
        agent_close(agent);
    }
    free(agent);
    return err;
}

enum err verb_agent(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_close) int lock = -1;
    bool again = true;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        err = agent_lock_take(d->config->state_dir, &lock, e);
    }
    while (err == OK && again) {
        again = false;
        err = run_once(a, args, d, &again, e);
        if (err == OK && again && open_again(a, args, &d, e) != OK) {
            log_error(&a->log, "%s; the configuration stays as it was", e->msg);
        }
    }
    return err;
}
