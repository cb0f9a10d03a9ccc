// SPDX-License-Identifier: Apache-2.0
#include "updater/answer.h"
#include "updater/rollback.h"
#include "updater/verbs.h"

#include <stdio.h>

static void describe(struct device *d, enum rollback_outcome outcome, bool reboot, struct answer *a)
{
    char text[TRIAL_TEXT_SIZE];
    int other = other_slot(d->running);
    const char *next = d->config->slots[other].name;
    const char *then = reboot ? "" : " Reboot to run it.";
    switch (outcome) {
    case ROLLBACK_REJECTED:
        a->result = "rejected";
        a->slot = d->running;
        snprintf(a->sentence, sizeof a->sentence, "Rolled back from %s: slot %s boots next.%s",
                 trial_text(d, d->running, text), next, then);
        break;
    case ROLLBACK_TAKEN_BACK:
        a->result = "taken-back";
        a->slot = other;
        snprintf(a->sentence, sizeof a->sentence,
                 "Taken back: %s is not on trial any more, the running slot %s boots next.",
                 trial_text(d, other, text), d->config->slots[d->running].name);
        break;
    case ROLLBACK_ACTIVATED:
        a->result = "activated";
        a->slot = other;
        snprintf(a->sentence, sizeof a->sentence, "Rolling back: %s boots next, on trial.%s",
                 trial_text(d, other, text), then);
        break;
    case ROLLBACK_ALREADY:
        a->result = "already-rejected";
        a->slot = d->running;
        snprintf(a->sentence, sizeof a->sentence,
                 "Nothing to do: %s was given up before, slot %s boots next.%s",
                 trial_text(d, d->running, text), next, then);
        break;
    }
}

enum err verb_rollback(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    struct answer answer = {.slot = 0};
    enum rollback_outcome outcome = ROLLBACK_TAKEN_BACK;
    bool reboot = parsed_option(args, "reboot") != NULL;
    enum err err = app_open_device_for_trial(a, args, &d, e);
    if (err == OK) {
        err = rollback_run(d, &outcome, e);
    }
    if (err == OK) {
        describe(d, outcome, reboot, &answer);
        err = answer_print(&answer, d, a->out, app_json(args), e);
    }
    // After a trial was taken back, the system that is wanted is the one that runs.
    if (err == OK && reboot && outcome != ROLLBACK_TAKEN_BACK) {
        err = d->reboot(d, e);
    }
    return err;
}
