// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_run.h"

#include "base/json.h"
#include "updater/health_record.h"
#include "updater/trial.h"

#include <stdio.h>
#include <string.h>

enum err offer_open(struct offer_run *o, struct state_store *state, const struct clock *clock,
                    const char *boot_id, struct error *e)
{
    *o = (struct offer_run){.state = state, .clock = clock, .record = offer_record_none()};
    snprintf(o->boot_id, sizeof o->boot_id, "%s", boot_id);
    return offer_record_load(state, &o->record, e);
}

static uint64_t now_s(const struct offer_run *o)
{
    bool synchronised;
    return o->clock->ops->wall_s(o->clock, &synchronised);
}

static enum err save(struct offer_run *o, const struct offer_record *next, struct error *e)
{
    enum err err = offer_record_save(o->state, next, e);
    if (err == OK) {
        o->record = *next;
    }
    return err;
}

// --- what is true --------------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

// Whole ones only: a name without its end would be another check.
static void add_check(char *buf, size_t size, const json_t *check)
{
    char one[OFFER_CHECKS_SIZE];
    const char *output = text_of(check, "output");
    int len = snprintf(one, sizeof one, "%s%s%s%s", buf[0] != '\0' ? ", " : "",
                       text_of(check, "name"), output[0] != '\0' ? ": " : "", output);
    size_t used = strlen(buf);
    if (len > 0 && (size_t)len < sizeof one && (size_t)len < size - used) {
        memcpy(buf + used, one, (size_t)len + 1);
    }
}

static void read_checks(const struct device *d, struct offer_facts *f)
{
    CLEANUP(cleanup_json) json_t *record = health_record_load(d);
    size_t index;
    const json_t *check;
    if (strcmp(text_of(record, "result"), "bad") != 0) {
        return;
    }
    snprintf(f->checked_reason, sizeof f->checked_reason, "%s", text_of(record, "reason"));
    json_array_foreach(json_object_get(record, "checks"), index, check)
    {
        if (strcmp(text_of(check, "severity"), "required") == 0 &&
            strcmp(text_of(check, "state"), "healthy") != 0) {
            add_check(f->failed_checks, sizeof f->failed_checks, check);
        }
    }
}

void offer_look(const struct offer_run *o, struct device *d, struct offer_facts *ret)
{
    *ret = (struct offer_facts){.journal = &d->journal,
                                .running = d->running,
                                .boot = {.next = SLOT_NONE, .trial = SLOT_NONE}};
    memcpy(ret->boot_id, o->boot_id, sizeof ret->boot_id);
    ret->boot_known = boot_state_read(&d->config->boot, d->env, &ret->boot, &ret->boot_error) == OK;
    ret->pending = ret->boot_known && ret->boot.trial == other_slot(d->running) &&
                   trial_is_pending(d, &ret->boot);
    read_checks(d, ret);
}

// --- accepted, cancelled -------------------------------------------------------------------------

static bool is_same_offer(const struct offer *a, const struct offer *b)
{
    return strcmp(a->source, b->source) == 0 && strcmp(a->id, b->id) == 0;
}

// What the record gives back is what was put there.
static bool is_text(const char *text, size_t size)
{
    CLEANUP(cleanup_json)
    json_t *json = memchr(text, '\0', size) == NULL ? NULL : json_string(text);
    return json != NULL && text[0] != '\0';
}

enum err offer_accept(struct offer_run *o, const struct offer *offer,
                      const struct release_id *release, struct error *e)
{
    const struct offer_record *r = &o->record;
    if (!is_text(offer->source, sizeof offer->source) || !is_text(offer->id, sizeof offer->id) ||
        !is_text(offer->url, sizeof offer->url)) {
        return fail(e, ERR_FORMAT, 0,
                    "an offer whose source, id or URL is empty, too long or not UTF-8 is not "
                    "accepted: no report could name it");
    }
    if (r->phase != OFFER_NONE && is_same_offer(&r->offer, offer)) {
        return OK;
    }
    if (r->phase != OFFER_NONE) {
        return fail(e, ERR_AGAIN, 0, "offer '%s' of %s is not accepted: '%s' of %s is %s",
                    offer->id, offer->source, r->offer.id, r->offer.source,
                    r->phase == OFFER_DONE ? "not reported yet" : "under way");
    }
    struct offer_record next = offer_record_none();
    next.offer = *offer;
    next.phase = OFFER_ACCEPTED;
    next.accepted_s = now_s(o);
    if (release != NULL) {
        next.release = *release;
        next.release_known = true;
    }
    return save(o, &next, e);
}

// The content of the final report; from here on it stays as it is.
static enum err decide(struct offer_run *o, const struct offer_record *r,
                       enum offer_outcome outcome, const char *reason, const char *failed_checks,
                       struct error *e)
{
    struct offer_record next = *r;
    next.phase = OFFER_DONE;
    next.outcome = outcome;
    snprintf(next.reason, sizeof next.reason, "%s", reason);
    snprintf(next.failed_checks, sizeof next.failed_checks, "%s", failed_checks);
    next.decided_s = now_s(o);
    return save(o, &next, e);
}

enum err offer_cancel(struct offer_run *o, const struct offer_facts *f, const char *reason,
                      struct error *e)
{
    const struct offer_record *r = &o->record;
    if (r->phase == OFFER_NONE || r->phase == OFFER_DONE) {
        return fail(e, ERR_NOT_NOW, 0, "there is no update to be cancelled");
    }
    const char *why = offer_step_keeps(r, f);
    if (why != NULL) {
        return fail(e, ERR_NOT_NOW, 0, "release %s cannot be cancelled: %s", r->release.version,
                    why);
    }
    return decide(o, r, OFFER_CANCELLED, reason, "", e);
}

enum err offer_consent(struct offer_run *o, struct error *e)
{
    struct offer_record next = o->record;
    if (next.phase == OFFER_NONE || next.phase == OFFER_DONE) {
        return fail(e, ERR_NOT_NOW, 0, "there is no update that waits for consent");
    }
    next.consented = true;
    return o->record.consented ? OK : save(o, &next, e);
}

// --- a step --------------------------------------------------------------------------------------

void offer_next(const struct offer_run *o, const struct offer_facts *f, struct offer_todo *ret)
{
    offer_step_next(&o->record, f, ret);
}

// `target`: the slot that has the release, where the record does not say yet. Without one the
// record would be as good as damaged: nothing of the kind is done.
static enum err enter(struct offer_run *o, enum offer_phase phase, int target, struct error *e)
{
    struct offer_record next = o->record;
    next.phase = phase;
    next.target = next.target != SLOT_NONE ? next.target : target;
    if (next.target == SLOT_NONE) {
        return fail(e, ERR_INTERNAL, 0, "offer: '%s' without a slot", offer_phase_name(phase));
    }
    memcpy(next.boot_id, o->boot_id, sizeof next.boot_id);
    bool same = o->record.phase == phase && strcmp(o->record.boot_id, next.boot_id) == 0;
    return same ? OK : save(o, &next, e);
}

// What was installed is not there any more, or nothing was yet.
static enum err begin_install(struct offer_run *o, struct error *e)
{
    struct offer_record next = o->record;
    if (next.phase == OFFER_ACCEPTED) {
        return OK;
    }
    next.phase = OFFER_ACCEPTED;
    next.target = SLOT_NONE;
    return save(o, &next, e);
}

enum err offer_begin(struct offer_run *o, const struct offer_todo *todo, struct error *e)
{
    struct offer_record none = offer_record_none();
    switch (todo->step) {
    case OFFER_STEP_INSTALL:
        return begin_install(o, e);
    case OFFER_STEP_ACTIVATE:
        return enter(o, OFFER_ACTIVATING, todo->target, e);
    case OFFER_STEP_REBOOT:
        return enter(o, OFFER_REBOOTING, todo->target, e);
    case OFFER_STEP_DECIDE:
        return decide(o, &o->record, todo->outcome, todo->reason, todo->failed_checks, e);
    case OFFER_STEP_FORGET:
        return save(o, &none, e);
    case OFFER_STEP_REPORT:
        return OK; // decided, and on record
    case OFFER_STEP_NOTHING:
    case OFFER_STEP_WAIT_VERDICT:
        break;
    }
    return fail(e, ERR_INTERNAL, 0, "offer: '%s' is no step that begins",
                offer_step_name(todo->step));
}

static unsigned tries_max(const struct offer_record *r, enum err err)
{
    bool passes = err == ERR_NETWORK || err == ERR_USAGE || err == ERR_CONFIG ||
                  err == ERR_INTERNAL; // it was killed, or could not be started
    return passes ? OFFER_TRIES_MAX : err == ERR_IO || !r->release_known ? OFFER_BLIND_MAX : 0;
}

static bool is_tried_again(const struct offer_record *r, enum err err)
{
    return r->tries + 1 < tries_max(r, err);
}

static enum err install_failed(struct offer_run *o, struct offer_record *next,
                               const struct offer_end *end, const struct offer_facts *f,
                               struct error *e)
{
    if (offer_runs_confirmed(next, f)) {
        return save(o, next, e); // success, whatever went wrong
    }
    if (is_tried_again(next, end->err)) {
        next->tries++;
        return save(o, next, e);
    }
    next->failed_by = end->err;
    return decide(o, next, OFFER_FAILURE, end->reason, "", e);
}

static enum err install_ended(struct offer_run *o, const struct offer_end *end,
                              const struct offer_facts *f, struct error *e)
{
    struct offer_record next = o->record;
    next.fetched_bytes = end->fetched_bytes;
    // It was stopped, or somebody else holds the lock: no try of ours. Or it was cancelled
    // meanwhile, and however it ended, that stands.
    if (end->err == ERR_AGAIN || next.phase == OFFER_DONE) {
        return next.fetched_bytes != o->record.fetched_bytes ? save(o, &next, e) : OK;
    }
    if (end->release.version[0] != '\0') {
        next.release = end->release;
        next.release_known = true;
    }
    if (end->err != OK) {
        return install_failed(o, &next, end, f, e);
    }
    next.phase = OFFER_INSTALLED;
    next.target = end->target;
    next.tries = 0;
    return save(o, &next, e);
}

static enum err activate_ended(struct offer_run *o, const struct offer_end *end,
                               const struct offer_facts *f, struct error *e)
{
    if (end->err == OK || offer_is_flipped(&o->record, f)) {
        return enter(o, OFFER_ACTIVATED, SLOT_NONE, e);
    }
    if (end->err == ERR_AGAIN || !f->boot_known) {
        return OK;
    }
    struct offer_record next = o->record;
    if (is_tried_again(&next, end->err)) {
        next.tries++;
        return save(o, &next, e);
    }
    next.failed_by = end->err;
    return decide(o, &next, OFFER_FAILURE, end->reason, "", e);
}

enum err offer_ended(struct offer_run *o, enum offer_step step, const struct offer_end *end,
                     const struct offer_facts *f, struct error *e)
{
    struct offer_record next = o->record;
    switch (step) {
    case OFFER_STEP_INSTALL:
        return install_ended(o, end, f, e);
    case OFFER_STEP_ACTIVATE:
        return activate_ended(o, end, f, e);
    case OFFER_STEP_REPORT:
        next.reported = true;
        return end->err == OK ? save(o, &next, e) : OK;
    case OFFER_STEP_NOTHING:
    case OFFER_STEP_REBOOT:
    case OFFER_STEP_WAIT_VERDICT:
    case OFFER_STEP_DECIDE:
    case OFFER_STEP_FORGET:
        break;
    }
    return OK;
}
