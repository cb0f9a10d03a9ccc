// SPDX-License-Identifier: Apache-2.0
#include "updater/confirm.h"

#include "updater/baseline.h"
#include "updater/health_record.h"
#include "updater/trial.h"

#include <stdio.h>

static const char reason_lost[] = "it was given up, and the reason was not kept";
static const char reason_forgotten[] =
    "its trial is gone from the boot environment, and why was not recorded";

enum { TURN_MS = 1000 };
enum { REASON_SIZE = sizeof(((struct journal *)0)->last.reason) };

static const char *slot_name(const struct device *d, int slot)
{
    return d->config->slots[slot].name;
}

// --- the running slot is not healthy -------------------------------------------------------------

// The running slot is given up in the environment; what is left is to leave it.
static enum err leave(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    struct error reboot = {0};
    char text[TRIAL_TEXT_SIZE];
    *ret_outcome = CONFIRM_REJECTED;
    enum err err = d->reboot(d, &reboot);
    return fail(e, err != OK ? ERR_IO : ERR_HEALTH, 0,
                "%s is not healthy: %s; rolled back to slot %s%s%s",
                trial_text(d, d->running, text), d->journal.last.reason,
                slot_name(d, other_slot(d->running)), err != OK ? ", but the reboot failed: " : "",
                err != OK ? reboot.msg : "");
}

// Rejecting would leave a device that does not boot.
static enum err stay(struct device *d, const char *reason, enum confirm_outcome *ret_outcome,
                     struct error *e)
{
    char text[TRIAL_TEXT_SIZE];
    char kept[REASON_SIZE]; // `reason` may be the one in the journal, which is written
    snprintf(kept, sizeof kept, "%s", reason);
    enum err err = trial_go_on_alone(d, kept, e);
    if (err != OK) {
        return err;
    }
    *ret_outcome = CONFIRM_LAST_SLOT;
    return fail(e, ERR_HEALTH, 0,
                "%s is not healthy: %s; it goes on, because it is the last bootable slot: install "
                "a release into slot %s",
                trial_text(d, d->running, text), kept, slot_name(d, other_slot(d->running)));
}

static enum err reject_running(struct device *d, const char *reason,
                               enum confirm_outcome *ret_outcome, struct error *e)
{
    enum err err = trial_check_other(d, d->running, e);
    if (err == ERR_NOT_NOW) {
        return stay(d, reason, ret_outcome, e);
    }
    if (err == OK) {
        err = trial_reject(d, d->running, reason, e);
    }
    return err == OK ? leave(d, ret_outcome, e) : err;
}

// --- what the environment says -------------------------------------------------------------------

static enum err keep_running(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    enum err err = trial_keep(d, e);
    if (err == OK) {
        *ret_outcome = CONFIRM_CONFIRMED;
    }
    return err;
}

// Who is told while the checks are asked.
struct listener {
    struct device *device;
    bool warned; // that the record could not be kept
};

static void feed(void *context)
{
    const struct listener *l = context;
    watchdog_feed(l->device->watchdog);
}

// For whoever asks, in the state directory and by systemctl(1).
static void tell_changed(void *context, const struct health_report *r, uint64_t until_ms)
{
    struct listener *l = context;
    struct device *d = l->device;
    struct error e;
    char sentence[512];
    char lines[sizeof sentence + 16];
    CLEANUP(cleanup_json) json_t *record = health_record_make(d, r, until_ms);
    if (health_record_save(d, record, &e) != OK && !l->warned) {
        l->warned = true;
        log_warn(d->log, "what the health checks say could not be kept: %s", e.msg);
    }
    if (d->watchdog != NULL) {
        health_record_sentence(d, record, sentence, sizeof sentence);
        snprintf(lines, sizeof lines, "STATUS=%s", sentence);
        notify_send(&d->watchdog->manager, lines);
    }
}

static enum err ask_health(struct device *d, const struct baseline *before,
                           struct health_report *ret, struct error *e)
{
    struct listener listener = {.device = d};
    const struct health_ask ask = {
        .config = d->config,
        .before = before,
        .clock = d->clock,
        .log = d->log,
        .changed = tell_changed,
        .turned = d->watchdog != NULL ? feed : NULL,
        .turn_ms = TURN_MS,
        .context = &listener,
    };
    return health_decide(&ask, ret, e);
}

static enum err running_on_trial(struct device *d, enum confirm_outcome *ret_outcome,
                                 struct error *e)
{
    CLEANUP(health_report_clear) struct health_report report = {.count = 0};
    if (trial_is_rejected(d, d->running)) {
        // Decided before a restart. Checks that pass now say nothing about why they did not.
        return reject_running(d, d->journal.last.reason, ret_outcome, e);
    }
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = trial_release(d, d->running);
    enum err err = baseline_load(d, &release, &before, e);
    if (err == OK && d->watchdog != NULL) {
        watchdog_arm(d->watchdog);
    }
    if (err == OK) {
        err = ask_health(d, &before, &report, e);
    }
    if (err != OK) {
        return err;
    }
    err = report.verdict == HEALTH_GOOD ? keep_running(d, ret_outcome, e)
                                        : reject_running(d, report.reason, ret_outcome, e);
    if (err == OK || err == ERR_HEALTH) {
        baseline_end(d);
    }
    return err;
}

static enum err other_on_trial(struct device *d, const struct boot_state *boot,
                               enum confirm_outcome *ret_outcome, struct error *e)
{
    char reason[REASON_SIZE];
    if (trial_is_pending(d, boot)) {
        *ret_outcome = CONFIRM_TRIAL_PENDING;
        return OK;
    }
    const char *name = slot_name(d, boot->trial);
    if (boot->next == boot->trial) {
        snprintf(reason, sizeof reason, "slot %s did not start: the boot loader fell back", name);
    } else {
        unsigned attempts = trial_attempts(d, boot);
        snprintf(reason, sizeof reason,
                 "slot %s did not confirm within %u boot%s: the boot loader fell back", name,
                 attempts, attempts == 1 ? "" : "s");
    }
    enum err err = trial_reject(d, boot->trial, reason, e);
    if (err == OK) {
        *ret_outcome = CONFIRM_FELL_BACK;
    }
    return err;
}

static enum err settle(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    enum err err = trial_settle(d, e);
    if (err == OK) {
        *ret_outcome = CONFIRM_NOT_ON_TRIAL;
    }
    return err;
}

// It went on as the last bootable slot, not healthy then. It may be by now.
static enum err decide_again(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    CLEANUP(health_report_clear) struct health_report report = {.count = 0};
    enum err err = ask_health(d, NULL, &report, e);
    if (err != OK) {
        return err;
    }
    return report.verdict == HEALTH_GOOD ? keep_running(d, ret_outcome, e)
                                         : stay(d, report.reason, ret_outcome, e);
}

static bool is_alone_and_rejected(const struct device *d, const struct boot_state *boot)
{
    return boot->next == d->running && !boot->slots[other_slot(d->running)].bootable &&
           d->journal.step == STEP_IDLE && d->journal.slots[d->running].content == CONTENT_REJECTED;
}

static enum err no_trial(struct device *d, const struct boot_state *boot,
                         enum confirm_outcome *ret_outcome, struct error *e)
{
    const struct journal *j = &d->journal;
    int other = other_slot(d->running);
    bool unrecorded = trial_end_is_unrecorded(d);
    bool rejected = trial_is_rejected(d, d->running);
    bool left = boot->next == other && !boot_worn_out(boot, d->running);
    bool forgotten = trial_was_forgotten(d, boot);
    if ((left && (unrecorded || rejected)) || (rejected && forgotten)) {
        return reject_running(d, reason_lost, ret_outcome, e);
    }
    if (unrecorded) {
        return forgotten ? running_on_trial(d, ret_outcome, e) : keep_running(d, ret_outcome, e);
    }
    if (j->step == STEP_TRIAL && j->slot == other) {
        enum err err = trial_reject(d, other, reason_forgotten, e);
        if (err == OK) {
            *ret_outcome = CONFIRM_FELL_BACK;
        }
        return err;
    }
    return is_alone_and_rejected(d, boot) ? decide_again(d, ret_outcome, e)
                                          : settle(d, ret_outcome, e);
}

enum err confirm_run(struct device *d, enum confirm_outcome *ret_outcome, struct error *e)
{
    struct boot_state boot;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err != OK) {
        return err;
    }
    trial_correct_running(d);
    if (boot.trial == d->running) {
        return running_on_trial(d, ret_outcome, e);
    }
    return boot.trial != SLOT_NONE ? other_on_trial(d, &boot, ret_outcome, e)
                                   : no_trial(d, &boot, ret_outcome, e);
}
