// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "updater/agent/denylist.h"
#include "updater/agent/history.h"
#include "updater/lock.h"

#include <string.h>

enum {
    STEPS_A_TURN = 8,               // each changes the record; there are not so many in a row
    RETRY_FIRST_MS = 60 * 1000,     // after a step that failed
    RETRY_DOUBLINGS = 6,            // 64 min
    REBOOT_WAIT_MS = 5 * 60 * 1000, // until the reboot that was ordered is ordered again
    VERDICT_WAIT_MS = 30 * 1000,    // between two looks at what `confirm` has decided
    RECORD_WAIT_MS = 60 * 1000,     // after a record that could not be written
};

// Half to the whole of it: devices that failed together do not try again together.
static uint64_t retry_ms(unsigned failures)
{
    unsigned doublings = failures < RETRY_DOUBLINGS ? failures : RETRY_DOUBLINGS;
    uint64_t most = (uint64_t)RETRY_FIRST_MS << doublings;
    return most / 2 + (most / 2) * agent_random() / UINT32_MAX;
}

// How a record was written. False: it was not, and there is a wait before the next try.
static bool is_on_record(struct agent *a, enum err err, const struct error *e)
{
    if (agent_tell_trouble(a, TASK_OFFER, err, e) == OK) {
        return true;
    }
    agent_wait(a, RECORD_WAIT_MS, a->troubles[TASK_OFFER].text);
    return false;
}

// --- starting a step ----------------------------------------------------------------------------

static enum gate_phase phase_of(enum offer_step step)
{
    return step == OFFER_STEP_INSTALL    ? GATE_DOWNLOAD
           : step == OFFER_STEP_ACTIVATE ? GATE_INSTALL
                                         : GATE_REBOOT;
}

static enum agent_state state_of(enum offer_step step)
{
    return step == OFFER_STEP_INSTALL    ? AGENT_DOWNLOADING
           : step == OFFER_STEP_ACTIVATE ? AGENT_INSTALLING
                                         : AGENT_REBOOTING;
}

static enum err start_verb(struct agent *a, enum offer_step step, struct error *e)
{
    char manifest[SHA256_HEX_SIZE];
    const struct offer_record *r = &a->offer.record;
    hex_encode(r->release.manifest_sha256, SHA256_SIZE, manifest);
    // "-": the URL may have a password, which is not for the process list.
    const char *const blind[] = {"install", "--no-activate", "-", NULL};
    // No other release than the one that was offered, compared with what failed here, agreed to.
    const char *const known[] = {"install", "--no-activate", "--manifest", manifest, "-", NULL};
    const char *const *install = r->release_known ? known : blind;
    const char *const activate[] = {"activate", NULL};
    // It stores nothing when the slot boots next already.
    const char *const reboot[] = {"activate", "--reboot", NULL};
    const char *const *words = step == OFFER_STEP_INSTALL    ? install
                               : step == OFFER_STEP_ACTIVATE ? activate
                                                             : reboot;
    const char *input = step == OFFER_STEP_INSTALL ? r->offer.url : NULL;
    return verb_child_start(&a->child, &a->program, words, input, e);
}

// Ends the step as if the child had, so that there is one way on from a failure.
static void end_unstarted(struct agent *a, const struct error *e)
{
    const struct verb_end end = {.error = *e};
    agent_step_ended(a, &end);
}

// What becomes of a step has to be kept: without room for that it is not begun.
static enum err begin_step(struct agent *a, const struct offer_todo *todo, struct error *e)
{
    enum err err = state_check_writable(a->device->state, e);
    return err == OK ? offer_begin(&a->offer, todo, e) : err;
}

static void start_step(struct agent *a, const struct offer_todo *todo)
{
    struct error e;
    bool was_full = a->troubles[TASK_OFFER].code != OK;
    if (was_full && !is_on_record(a, state_check_writable(a->device->state, &e), &e)) {
        return; // no gate is asked for a place that could not be used
    }
    enum gate_verdict verdict = agent_ask_gate(a, phase_of(todo->step));
    a->gate_closed = verdict == GATE_CLOSED;
    if (verdict != GATE_OPEN) {
        return;
    }
    if (!is_on_record(a, begin_step(a, todo, &e), &e)) {
        return;
    }
    a->step = *todo;
    a->job = JOB_STEP;
    a->fetched_before = journal_fetched(&a->device->journal, &a->offer.record.release);
    a->done_bytes = a->total_bytes = 0;
    agent_set_state(a, state_of(todo->step), "");
    if (start_verb(a, todo->step, &e) != OK) {
        end_unstarted(a, &e);
    }
}

// --- how a step ended ---------------------------------------------------------------------------

// What `install --json` answers.
static enum err read_installed(const struct agent *a, const json_t *answer, struct offer_end *end,
                               struct error *e)
{
    const char *slot;
    const char *version;
    enum err err = json_get_string(answer, "slot", &slot, e);
    if (err == OK) {
        err = json_get_string(answer, "version", &version, e);
    }
    if (err == OK) {
        err = json_get_u64(answer, "release_index", &end->release.release_index, e);
    }
    if (err == OK) {
        err = json_get_sha256(answer, "manifest_sha256", end->release.manifest_sha256, e);
    }
    if (err != OK) {
        return error_context(e, "the answer of 'install'");
    }
    snprintf(end->release.version, sizeof end->release.version, "%s", version);
    end->target = SLOT_NONE;
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (strcmp(a->device->config->slots[i].name, slot) == 0) {
            end->target = i;
        }
    }
    return end->target != SLOT_NONE ? OK : fail(e, ERR_INTERNAL, 0, "there is no slot %s", slot);
}

static void look(struct agent *a)
{
    struct error e;
    struct device *d = a->device;
    struct offer_facts *f = &a->facts;
    (void)agent_tell_trouble(a, TASK_JOURNAL, journal_load(d->state, &d->journal, &e), &e);
    offer_look(&a->offer, d, f);
    (void)agent_tell_trouble(a, TASK_BOOT, f->boot_known ? OK : f->boot_error.code, &f->boot_error);
}

void agent_look(struct agent *a)
{
    look(a);
    agent_count_traffic(a);
}

// What the install that ended has fetched. One that failed has told the journal only, which counts
// for as long as the release is not whole; what one fetched that was cut off with an agent before
// this one is known by the journal, too.
static uint64_t count_fetched(struct agent *a, const json_t *answer)
{
    struct error ignored;
    const struct offer_record *r = &a->offer.record;
    uint64_t now = journal_fetched(&a->device->journal, &r->release);
    uint64_t bytes = now > a->fetched_before ? now - a->fetched_before : 0;
    if (json_object_get(answer, "fetched_bytes") != NULL) {
        bytes = json_get_u64(answer, "fetched_bytes", &bytes, &ignored) == OK ? bytes : 0;
        agent_add_traffic(a, bytes); // the journal has forgotten it
    }
    uint64_t before = a->fetched_before > r->fetched_bytes ? a->fetched_before : r->fetched_bytes;
    a->download_bytes += bytes;
    return bytes < INT64_MAX - before ? before + bytes : INT64_MAX;
}

void agent_step_ended(struct agent *a, const struct verb_end *verb)
{
    struct error e = verb->error;
    struct offer_end end = {.err = e.code, .reason = e.msg};
    enum offer_step step = a->step.step;
    if (end.err == OK && step == OFFER_STEP_INSTALL) {
        end.err = read_installed(a, verb->answer, &end, &e);
    }
    bool cancelled = a->offer.record.phase == OFFER_DONE; // while it ran
    if (end.err != OK && (a->paused || cancelled)) {
        a->again_ms = 0; // its gate says why, or there is nothing to be waited for
    } else if (end.err != OK) {
        log_warn(a->log, "%s: %s", offer_step_name(step), e.msg);
        a->failures++;
        agent_wait(a, retry_ms(a->failures), e.msg);
    } else {
        a->failures = 0;
        if (step == OFFER_STEP_REBOOT) {
            a->reboots = true;
            agent_wait(a, REBOOT_WAIT_MS, "the reboot is under way");
        }
    }
    a->paused = false;
    agent_look(a);
    if (step == OFFER_STEP_INSTALL) {
        end.fetched_bytes = count_fetched(a, verb->answer);
    }
    struct error unsaved;
    (void)is_on_record(a, offer_ended(&a->offer, step, &end, &a->facts, &unsaved), &unsaved);
    if (a->offer.record.phase == OFFER_DONE) {
        a->again_ms = 0;
    }
    agent_turn_soon(a);
}

// --- the end of an offer ------------------------------------------------------------------------

// By the journal the slot has the release of the offer, and it was no good.
static bool was_rejected(const struct agent *a)
{
    const struct offer_record *r = &a->offer.record;
    const struct journal *j = &a->device->journal;
    return r->target != SLOT_NONE && j->slots[r->target].content == CONTENT_REJECTED &&
           memcmp(j->slots[r->target].release.manifest_sha256, r->release.manifest_sha256,
                  SHA256_SIZE) == 0;
}

static enum err deny(struct agent *a, struct error *e)
{
    const struct offer_record *r = &a->offer.record;
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    enum failure_cause cause = r->failed_by != OK ? FAILURE_OF_INSTALL
                               : was_rejected(a)  ? FAILURE_OF_TRIAL
                                                  : FAILURE_BY_HAND;
    if (!r->release_known || !denylist_blames_release(r->outcome, cause, r->failed_by)) {
        return OK;
    }
    enum err err = denylist_load(a->device->state, a->log, &list, e);
    if (err == OK) {
        denylist_add(list, &r->release, r->reason, r->decided_s);
        err = denylist_save(a->device->state, list, e);
    }
    return err;
}

// Once that is done it is not done again with each report that did not arrive: what was lifted
// meanwhile stays lifted. An error has been told.
static enum err remember(struct agent *a, struct error *e)
{
    struct history_entry entry;
    if (a->remembered) {
        return OK;
    }
    history_entry_of(&a->offer.record, &entry);
    enum err err = history_add(a->device->state, &entry, a->log, e);
    if (agent_tell_trouble(a, TASK_HISTORY, err, e) == OK) {
        a->decided_ms = loop_now_ms();
        err = agent_tell_trouble(a, TASK_DENYLIST, deny(a, e), e);
    }
    a->remembered = err == OK;
    return err;
}

// False: it did not arrive, and there is a wait before the next try.
static bool tell_source(struct agent *a)
{
    struct error e;
    agent_set_state(a, AGENT_REPORTING, "");
    agent_tell_report(a, false);
    if (a->source->report(a->device->config, &a->offer.record, &e) != OK) {
        log_warn(a->log, "the report on offer %.16s is not delivered yet: %s",
                 a->offer.record.offer.id, e.msg);
        a->failures++;
        agent_wait(a, retry_ms(a->failures), e.msg);
        return false;
    }
    a->failures = 0;
    agent_tell_report(a, true);
    return true;
}

// The report comes last: what it says is kept before anybody was told, if there is room for it.
static void report(struct agent *a)
{
    struct error e;
    const struct offer_end end = {.err = OK};
    (void)remember(a, &e);
    a->told = a->told || tell_source(a);
    if (a->told) {
        (void)is_on_record(a, offer_ended(&a->offer, OFFER_STEP_REPORT, &end, &a->facts, &e), &e);
    }
}

// Nothing of it is forgotten before history and denylist have it.
static bool forget(struct agent *a, const struct offer_todo *todo)
{
    struct error e;
    if (remember(a, &e) != OK) {
        agent_wait(a, RECORD_WAIT_MS, e.msg);
        return false;
    }
    if (!is_on_record(a, offer_begin(&a->offer, todo, &e), &e)) {
        return false;
    }
    a->failures = 0;
    a->remembered = a->told = a->counted = false;
    a->told_gate.name = NULL;
    agent_look_anew(a); // the same answer means something else now
    return true;
}

// --- going on -----------------------------------------------------------------------------------

// A trial is what it is called only in the slot that is on trial.
static void await_others(struct agent *a, const char *why)
{
    const struct offer_facts *f = &a->facts;
    bool on_trial = f->boot_known && f->boot.trial == f->running;
    agent_set_state(a, on_trial ? AGENT_TRIAL : AGENT_WAITING, why);
    agent_wait(a, VERDICT_WAIT_MS, "");
}

static bool is_waiting(const struct agent *a)
{
    return a->again_ms > loop_now_ms();
}

// No gate is asked and no place taken for a reboot that is not ordered here: it comes when it does.
static void wait_for_others(struct agent *a)
{
    agent_wait(a, REBOOT_WAIT_MS,
               "waiting for a reboot by others: [device] reboot_command is empty");
}

// True: there may be more to do at once.
static bool take_step(struct agent *a, const struct offer_todo *todo)
{
    struct error e;
    switch (todo->step) {
    case OFFER_STEP_NOTHING:
        agent_set_state(a, AGENT_IDLE, "");
        return false;
    case OFFER_STEP_WAIT_VERDICT:
        await_others(a, todo->reason);
        return false;
    case OFFER_STEP_DECIDE:
        a->failures = 0;
        a->told_gate.name = NULL;
        return is_on_record(a, offer_begin(&a->offer, todo, &e), &e);
    case OFFER_STEP_FORGET:
        return forget(a, todo);
    case OFFER_STEP_REPORT:
        report(a);
        return a->again_ms == 0;
    case OFFER_STEP_REBOOT:
        if (a->device->config->reboot_command[0] == '\0') {
            wait_for_others(a);
            return false;
        }
        start_step(a, todo);
        return false;
    case OFFER_STEP_INSTALL:
    case OFFER_STEP_ACTIVATE:
        start_step(a, todo);
        return false;
    }
    return false;
}

void agent_go_on(struct agent *a)
{
    struct offer_todo todo;
    if (is_waiting(a)) {
        return;
    }
    a->again_ms = 0;
    a->reboots = false;
    for (unsigned i = 0; i < STEPS_A_TURN; i++) {
        agent_look(a);
        offer_next(&a->offer, &a->facts, &todo);
        if (!take_step(a, &todo)) {
            return;
        }
    }
}

void agent_pause(struct agent *a)
{
    const struct hold_now now = agent_hold_now(a);
    bool installs =
        verb_child_runs(&a->child) && a->job == JOB_STEP && a->step.step == OFFER_STEP_INSTALL;
    if (installs && holds_find(&a->holds, GATE_DOWNLOAD, &now) != NULL) {
        a->paused = true;
        verb_child_stop(&a->child);
    }
}

// A flip that was begun and has not come to be may still be under way, in a process that an agent
// before this one left behind. That one holds the lock: while it is free no such flip can follow
// the facts that are read then.
static enum err check_no_flip(const struct agent *a, struct error *e)
{
    const struct offer_record *r = &a->offer.record;
    bool runs = verb_child_runs(&a->child) && a->job == JOB_STEP;
    if (runs && a->step.step == OFFER_STEP_ACTIVATE) {
        return fail(e, ERR_NOT_NOW, 0, "release %s cannot be cancelled: the flip is under way",
                    r->release.version);
    }
    if (r->phase == OFFER_ACTIVATING && update_lock_held(a->device->config->state_dir)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "release %s cannot be cancelled now: its flip has begun, and another process "
                    "is at work on the device",
                    r->release.version);
    }
    return OK;
}

// On record first: from then on no cut brings the update back. An install that is under way flips
// nothing, and its end is waited for before the report.
enum err agent_cancel(struct agent *a, const char *reason, struct error *e)
{
    enum err err = check_no_flip(a, e);
    if (err == OK) {
        look(a); // an install that is under way has not said yet what it fetched
        err = offer_cancel(&a->offer, &a->facts, reason, e);
    }
    if (err != OK) {
        return err;
    }
    if (verb_child_runs(&a->child) && a->job == JOB_STEP) {
        verb_child_stop(&a->child);
    }
    agent_drop_gate(a);
    a->again_ms = 0;
    a->failures = 0;
    agent_turn_soon(a);
    return OK;
}
