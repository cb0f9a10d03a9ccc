// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_step.h"

#include <stdio.h>
#include <string.h>

static const char reason_by_hand[] = "replaced by hand: another release was installed or activated";
static const char reason_unknown[] = "it was rejected, and the reason was not kept";

const char *offer_step_name(enum offer_step step)
{
    static const char *const names[] = {
        [OFFER_STEP_NOTHING] = "nothing",
        [OFFER_STEP_INSTALL] = "install",
        [OFFER_STEP_ACTIVATE] = "activate",
        [OFFER_STEP_REBOOT] = "reboot",
        [OFFER_STEP_WAIT_VERDICT] = "wait_verdict",
        [OFFER_STEP_DECIDE] = "decide",
        [OFFER_STEP_REPORT] = "report",
        [OFFER_STEP_FORGET] = "forget",
    };
    return names[step];
}

// --- what is true --------------------------------------------------------------------------------

static bool is_same(const struct release_id *a, const struct release_id *b)
{
    return memcmp(a->manifest_sha256, b->manifest_sha256, SHA256_SIZE) == 0;
}

static bool is_whole(enum slot_content content)
{
    return content != CONTENT_UNKNOWN && content != CONTENT_PARTIAL;
}

// The journal says nothing of a slot that nobody has named: all else is asked behind this.
static enum slot_content content_of(const struct offer_facts *f, int slot)
{
    return slot == SLOT_NONE ? CONTENT_UNKNOWN : f->journal->slots[slot].content;
}

static bool has_it(const struct offer_record *r, const struct offer_facts *f, int slot)
{
    return r->release_known && is_whole(content_of(f, slot)) &&
           is_same(&f->journal->slots[slot].release, &r->release);
}

// A whole release, or one that is being written, that is none of ours.
static bool has_another(const struct offer_record *r, const struct offer_facts *f, int slot)
{
    return content_of(f, slot) != CONTENT_UNKNOWN &&
           f->journal->slots[slot].release.version[0] != '\0' &&
           !is_same(&f->journal->slots[slot].release, &r->release);
}

// By the journal the slot is about to be tried, or being tried.
static bool is_unrecorded(const struct offer_facts *f, int slot)
{
    const struct journal *j = f->journal;
    return (j->step == STEP_ACTIVATING || j->step == STEP_TRIAL) && j->slot == slot;
}

static bool is_on_trial(const struct offer_facts *f, int slot)
{
    return f->boot_known && f->boot.trial == slot;
}

// What ended the trial of the release is the last thing that is on record.
static bool is_last(const struct offer_record *r, const struct offer_facts *f)
{
    const struct journal *j = f->journal;
    return (j->last.outcome == OUTCOME_ROLLED_BACK || j->last.outcome == OUTCOME_FAILED) &&
           j->last.reason[0] != '\0' && is_same(&j->last.release, &r->release);
}

bool offer_is_flipped(const struct offer_record *r, const struct offer_facts *f)
{
    bool boots_next = f->boot_known && r->target != SLOT_NONE && f->boot.next == r->target;
    return boots_next && (f->boot.trial == r->target ||
                          (r->target != f->running && boot_given_up(&f->boot, f->running)));
}

bool offer_is_settled(const struct offer_facts *f)
{
    return f->boot_known && f->boot.trial != f->running && !is_unrecorded(f, f->running);
}

bool offer_runs_confirmed(const struct offer_record *r, const struct offer_facts *f)
{
    return has_it(r, f, f->running) && offer_is_settled(f) &&
           content_of(f, f->running) == CONTENT_CONFIRMED;
}

// --- what can be cancelled -----------------------------------------------------------------------

// It was never tried: the environment was lost.
static bool is_untried(const struct offer_facts *f)
{
    return offer_is_settled(f) && content_of(f, f->running) == CONTENT_INSTALLED;
}

// The other slot has the release, by the journal or by the record.
static const char *why_it_boots(const struct offer_facts *f)
{
    const struct journal *j = f->journal;
    int other = other_slot(f->running);
    if (!f->boot_known) {
        return "the boot environment cannot be read, and may start it";
    }
    if (f->boot.next == other) {
        return "it boots next already";
    }
    bool tried = f->boot.trial == other || (j->step == STEP_TRIAL && j->slot == other);
    return tried ? "how its trial ended is not on record yet" : NULL;
}

// The journal was lost, so that a slot that is being tried, or boots next, may have it by hand.
static const char *why_it_may_start(const struct offer_facts *f)
{
    int other = other_slot(f->running);
    if (f->boot_known && content_of(f, f->running) == CONTENT_UNKNOWN && !offer_is_settled(f)) {
        return "what is on trial is not known, and may be it";
    }
    bool starts = f->boot_known && (f->boot.next == other || f->boot.trial == other);
    return starts && content_of(f, other) == CONTENT_UNKNOWN
               ? "what boots next is not known, and may be it"
               : NULL;
}

const char *offer_step_keeps(const struct offer_record *r, const struct offer_facts *f)
{
    int other = other_slot(f->running);
    bool runs =
        has_it(r, f, f->running) ? !is_untried(f) : r->target == f->running && !offer_is_settled(f);
    if (r->phase >= OFFER_ACTIVATED) {
        return "the boot environment was told to start it";
    }
    if (runs) {
        return "it runs already";
    }
    if (r->target == SLOT_NONE && why_it_may_start(f) != NULL) {
        return why_it_may_start(f);
    }
    bool is_there = has_it(r, f, other) || (r->target == other && !has_another(r, f, other));
    return is_there ? why_it_boots(f) : NULL;
}

// --- what to do ----------------------------------------------------------------------------------

static void decide(struct offer_todo *todo, enum offer_outcome outcome, const char *reason)
{
    todo->step = OFFER_STEP_DECIDE;
    todo->outcome = outcome;
    snprintf(todo->reason, sizeof todo->reason, "%s", reason);
}

static void decide_rejected(const struct offer_record *r, const struct offer_facts *f,
                            struct offer_todo *todo)
{
    const char *last = f->journal->last.reason;
    decide(todo, OFFER_FAILURE, is_last(r, f) ? last : reason_unknown);
    if (is_last(r, f) && strcmp(f->checked_reason, last) == 0) {
        memcpy(todo->failed_checks, f->failed_checks, sizeof todo->failed_checks);
    }
}

// It was not healthy and goes on, for there is nothing else that would boot.
static bool is_alone(const struct offer_facts *f)
{
    return f->boot.next == f->running && !f->boot.slots[other_slot(f->running)].bootable;
}

// The running slot has the release of the offer.
static void next_while_it_runs(const struct offer_record *r, const struct offer_facts *f,
                               struct offer_todo *todo)
{
    todo->step = OFFER_STEP_WAIT_VERDICT;
    if (!offer_is_settled(f)) {
        return;
    }
    if (offer_runs_confirmed(r, f)) {
        decide(todo, OFFER_SUCCESS, r->phase < OFFER_ACTIVATING ? "already installed" : "");
    } else if (content_of(f, f->running) == CONTENT_INSTALLED) {
        todo->step = OFFER_STEP_INSTALL;
    } else if (is_alone(f)) {
        decide_rejected(r, f, todo);
    }
}

// Nothing was installed for the offer yet: trials are those of others, and come to their end first.
static void next_when_accepted(const struct offer_record *r, const struct offer_facts *f,
                               struct offer_todo *todo)
{
    int other = other_slot(f->running);
    todo->step = OFFER_STEP_INSTALL;
    if (!f->boot_known) {
        return; // it says what is wrong, in its own words
    }
    if (f->pending && has_it(r, f, other)) {
        todo->step = OFFER_STEP_REBOOT;
        todo->target = other; // the record has none: somebody else has installed it
        return;
    }
    bool forgotten = f->journal->step == STEP_TRIAL && f->journal->slot == other;
    bool undecided = f->boot.trial != SLOT_NONE || boot_given_up(&f->boot, f->running) ||
                     boot_worn_out(&f->boot, f->running) || forgotten ||
                     is_unrecorded(f, f->running);
    todo->step = undecided ? OFFER_STEP_WAIT_VERDICT : OFFER_STEP_INSTALL;
}

// The other slot has the release, it is not on trial and the running one boots next.
static void next_without_a_flip(const struct offer_record *r, const struct offer_facts *f,
                                struct offer_todo *todo)
{
    const struct journal *j = f->journal;
    if (content_of(f, r->target) == CONTENT_REJECTED) {
        decide_rejected(r, f, todo);
        return;
    }
    todo->step = OFFER_STEP_ACTIVATE;
    if (r->phase <= OFFER_ACTIVATING) {
        return;
    }
    if (j->step == STEP_TRIAL && j->slot == r->target) {
        bool same_boot = strcmp(r->boot_id, f->boot_id) == 0;
        todo->step = same_boot ? OFFER_STEP_ACTIVATE : OFFER_STEP_WAIT_VERDICT;
        return;
    }
    if (j->step == STEP_IDLE) {
        bool taken_back = is_last(r, f) && j->last.outcome == OUTCOME_ROLLED_BACK;
        decide(todo, OFFER_FAILURE, taken_back ? j->last.reason : reason_by_hand);
    }
}

// The release was installed, and something else runs.
static void next_when_installed(const struct offer_record *r, const struct offer_facts *f,
                                struct offer_todo *todo)
{
    int running = f->running;
    int other = other_slot(running);
    todo->step = OFFER_STEP_WAIT_VERDICT;
    if (!f->boot_known || is_on_trial(f, running) || is_unrecorded(f, running)) {
        return;
    }
    if (r->target == running) {
        // The journal was lost, or takes it for partly written, which `confirm` puts right.
        if (has_another(r, f, running) && is_whole(content_of(f, running))) {
            decide(todo, OFFER_FAILURE, reason_by_hand);
        } else if (content_of(f, running) != CONTENT_PARTIAL) {
            todo->step = OFFER_STEP_INSTALL;
        }
        return;
    }
    if (has_another(r, f, other)) {
        decide(todo, OFFER_FAILURE, reason_by_hand);
        return;
    }
    if (f->pending || boot_given_up(&f->boot, running)) {
        // An activation that was cut off, or was never begun, is told to the journal first.
        todo->step = r->phase <= OFFER_ACTIVATING ? OFFER_STEP_ACTIVATE : OFFER_STEP_REBOOT;
        return;
    }
    if (is_on_trial(f, other)) {
        return; // tried, and the boot loader came back
    }
    if (!has_it(r, f, other)) {
        todo->step = OFFER_STEP_INSTALL;
        return;
    }
    next_without_a_flip(r, f, todo);
}

// What WAIT_VERDICT waits for.
static const char *why_it_waits(const struct offer_facts *f)
{
    if (!f->boot_known) {
        return "waiting for the boot environment, which cannot be read";
    }
    if (is_on_trial(f, f->running)) {
        return "waiting for what 'confirm' decides about the system on trial";
    }
    if (f->pending) {
        return "waiting for a reboot: the other slot was activated by hand and boots next";
    }
    if (boot_given_up(&f->boot, f->running)) {
        return "waiting for a reboot: the running slot was given up, and the other one boots next";
    }
    if (boot_worn_out(&f->boot, f->running)) {
        return "waiting for 'confirm': the running slot has no attempts to boot left";
    }
    return "waiting for 'confirm': how the last trial ended is not on record yet";
}

// The release runs without ever having been tried, and was installed once more beside it.
static bool is_second_copy(const struct offer_record *r, const struct offer_facts *f)
{
    return offer_is_settled(f) && content_of(f, f->running) == CONTENT_INSTALLED &&
           r->phase > OFFER_ACCEPTED && r->target == other_slot(f->running);
}

void offer_step_next(const struct offer_record *r, const struct offer_facts *f,
                     struct offer_todo *ret)
{
    *ret = (struct offer_todo){.step = OFFER_STEP_NOTHING, .target = r->target};
    if (r->phase == OFFER_NONE) {
        return;
    }
    if (r->phase == OFFER_DONE) {
        ret->step = r->reported ? OFFER_STEP_FORGET : OFFER_STEP_REPORT;
    } else if (has_it(r, f, f->running) && !is_second_copy(r, f)) {
        next_while_it_runs(r, f, ret);
    } else if (r->phase == OFFER_ACCEPTED) {
        next_when_accepted(r, f, ret);
    } else {
        next_when_installed(r, f, ret);
    }
    if (ret->step == OFFER_STEP_WAIT_VERDICT) {
        snprintf(ret->reason, sizeof ret->reason, "%s", why_it_waits(f));
    }
}
