// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent.h"
#include "updater/agent/verbs.h"

#include "updater/lock.h"

#include <signal.h>

// A hang-up is told by the loop, and waits for it: before there is one it would end the process,
// and an agent that was ended so is started again by nobody. For good: it may come at the end, too.
static void hold_hangups_back(void)
{
    sigset_t hangup;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    sigprocmask(SIG_BLOCK, &hangup, NULL);
}

// What is configured now takes the place of `*device`; if that cannot be used, nothing changes.
static enum err read_again(struct app *a, const struct parsed *args, struct agent *agent,
                           struct device **device, struct error *e)
{
    struct device *next = NULL;
    enum err err = app_open_device(a, args, DEVICE_LOOK, &next, e);
    if (err == OK) {
        err = agent_reload(agent, next, e);
    }
    if (err != OK) {
        device_close(next);
        return err;
    }
    device_close(*device);
    *device = next;
    return OK;
}

static enum err run(struct app *a, const struct parsed *args, struct agent *agent,
                    struct device **device, struct error *e)
{
    bool reload = false;
    enum err err = agent_run(agent, &reload, e);
    while (err == OK && reload) {
        if (read_again(a, args, agent, device, e) == OK) {
            log_info(&a->log, "the configuration was read again");
        } else {
            log_error(&a->log, "%s; the configuration stays as it was", e->msg);
        }
        err = agent_run(agent, &reload, e);
    }
    return err;
}

enum err verb_agent(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_close) int lock = -1;
    CLEANUP(cleanup_free) struct agent *agent = calloc(1, sizeof *agent);
    const struct agent_options options = {
        .program = "/proc/self/exe",
        .config = parsed_option(args, "config"),
    };
    if (agent == NULL) {
        return fail_memory(e);
    }
    hold_hangups_back();
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        err = agent_lock_take(d->config->state_dir, &lock, e);
    }
    if (err == OK) {
        err = agent_open(agent, d, &a->log, &options, e);
    }
    if (err == OK) {
        err = run(a, args, agent, &d, e);
        agent_close(agent);
    }
    return err;
}
