// SPDX-License-Identifier: Apache-2.0
#include "updater/rollback.h"

#include "updater/activate.h"
#include "updater/trial.h"

static const char reason_rejected[] = "rolled back by the operator";

static enum err by_state(struct device *d, const struct boot_state *boot,
                         enum rollback_outcome *ret_outcome, struct error *e)
{
    int other = other_slot(d->running);
    if (boot->trial == d->running || trial_was_forgotten(d, boot)) {
        *ret_outcome = ROLLBACK_REJECTED;
        return trial_reject(d, d->running, reason_rejected, e);
    }
    if (boot->trial == other) {
        *ret_outcome = ROLLBACK_TAKEN_BACK;
        return trial_take_back(d, boot, e);
    }
    if (boot_given_up(boot, d->running) ||
        (boot->next == other && trial_is_rejected(d, d->running))) {
        *ret_outcome = ROLLBACK_ALREADY;
        return OK;
    }
    *ret_outcome = ROLLBACK_ACTIVATED;
    return activate_slot(d, other, ACTIVATE_FACTORY_ALLOWED, e);
}

enum err rollback_run(struct device *d, enum rollback_outcome *ret_outcome, struct error *e)
{
    struct boot_state boot;
    enum rollback_outcome outcome;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err == OK) {
        trial_correct_running(d);
        err = by_state(d, &boot, &outcome, e);
    }
    if (err == OK) {
        *ret_outcome = outcome;
    }
    return err;
}
