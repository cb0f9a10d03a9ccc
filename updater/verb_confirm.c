// SPDX-License-Identifier: Apache-2.0
#include "updater/answer.h"
#include "updater/confirm.h"
#include "updater/verbs.h"

#include <stdio.h>

static void describe(struct device *d, enum confirm_outcome outcome, struct answer *a)
{
    int other = other_slot(d->running);
    char text[TRIAL_TEXT_SIZE];
    a->slot = d->running;
    switch (outcome) {
    case CONFIRM_CONFIRMED:
        a->result = "confirmed";
        snprintf(a->sentence, sizeof a->sentence, "Confirmed: %s is kept.",
                 trial_text(d, d->running, text));
        return;
    case CONFIRM_FELL_BACK:
        a->result = "fell-back";
        a->slot = other;
        snprintf(a->reason, sizeof a->reason, "%s", d->journal.last.reason);
        snprintf(a->sentence, sizeof a->sentence, "Rolled back from %s: %s.",
                 trial_text(d, other, text), a->reason);
        return;
    case CONFIRM_NOT_ON_TRIAL:
        a->result = "not-on-trial";
        snprintf(a->sentence, sizeof a->sentence, "Nothing to confirm: %s is not on trial.",
                 trial_text(d, d->running, text));
        return;
    case CONFIRM_TRIAL_PENDING:
        a->result = "trial-pending";
        a->slot = other;
        snprintf(a->sentence, sizeof a->sentence,
                 "Nothing to confirm yet: %s is on trial and boots next.",
                 trial_text(d, other, text));
        return;
    case CONFIRM_REJECTED:
        a->result = "rejected";
        break;
    case CONFIRM_LAST_SLOT:
        a->result = "kept-unhealthy";
        break;
    }
    snprintf(a->reason, sizeof a->reason, "%s", d->journal.last.reason);
}

static void feed(void *context)
{
    watchdog_feed(context);
}

// Unless that is known, it is.
static bool is_on_trial(struct device *d)
{
    struct boot_state boot;
    struct error ignored;
    return boot_state_read(&d->config->boot, d->env, &boot, &ignored) != OK ||
           boot.trial == d->running;
}

// Fed also while a slot is read, which can take longer than a watchdog waits. A trial that did not
// get to its end, and a system that is to be left, stay armed: a reboot that hangs is a reset then.
static enum err run_watched(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    struct watchdog watchdog = watchdog_on(d->config->watchdog, d->clock, d->log);
    notify_send(&watchdog.manager, "READY=1");
    d->watchdog = &watchdog;
    d->progress.beat = feed;
    d->progress.beat_context = &watchdog;
    enum err err = confirm_run(d, ret_outcome, e);
    bool leaves = *ret_outcome == CONFIRM_REJECTED && d->config->reboot_command[0] != '\0';
    bool failed = err != OK && err != ERR_HEALTH;
    watchdog_close(&watchdog, !leaves && !(failed && is_on_trial(d)));
    d->progress.beat = NULL;
    d->watchdog = NULL;
    return err;
}

enum err verb_confirm(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    struct answer answer = {.slot = 0};
    enum confirm_outcome outcome = CONFIRM_NOT_ON_TRIAL;
    enum err err = app_open_device_for_trial(a, args, &d, e);
    if (err == OK) {
        err = run_watched(d, &outcome, e);
    }
    if (err != OK && err != ERR_HEALTH) {
        return err;
    }
    describe(d, outcome, &answer);
    if (err == OK) {
        return answer_print(&answer, d, a->out, app_json(args), e);
    }
    // For people the error is the sentence; a program gets what it gets for other outcomes.
    struct error ignored;
    a->error_told = app_json(args) && answer_print(&answer, d, a->out, true, &ignored) == OK;
    return err;
}
