// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "base/version.h"
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"
#include "updater/json_text.h"

#include <string.h>

enum { SENTENCE_SIZE = 1024, MS_PER_S = 1000 };

// --- events -------------------------------------------------------------------------------------

static struct agent_event event_of(const struct agent *a, enum event_kind kind)
{
    const struct offer_record *r = &a->offer.record;
    bool synchronised;
    return (struct agent_event){
        .kind = kind,
        .time_s = a->device->clock->ops->wall_s(a->device->clock, &synchronised),
        .state = agent_state_name(a->state),
        .source = r->offer.source,
        .offer = r->offer.id,
        .version = r->release_known ? r->release.version : "",
        .release_index = r->release_known ? r->release.release_index : 0,
        .outcome = r->outcome,
        .failed_checks = r->failed_checks,
        .level = LOG_LEVEL_INFO,
    };
}

static void watch_hook(struct agent *a);

static void on_hook_ended(void *ctx, int status)
{
    struct agent *a = ctx;
    (void)hooks_child_ended(&a->hooks, a->hook_child.pid, status, loop_now_ms());
    watch_hook(a);
}

static void on_hook_due(void *ctx)
{
    struct agent *a = ctx;
    hooks_overdue(&a->hooks, loop_now_ms());
}

static void watch_hook(struct agent *a)
{
    loop_unwatch_child(&a->loop, &a->hook_child);
    loop_clear_deadline(&a->loop, &a->hook_due);
    if (a->hooks.pid != 0) {
        a->hook_child = (struct loop_child){.pid = a->hooks.pid, .call = on_hook_ended, .ctx = a};
        a->hook_due = (struct loop_deadline){.call = on_hook_due, .ctx = a};
        loop_watch_child(&a->loop, &a->hook_child);
        loop_set_deadline(&a->loop, &a->hook_due, hooks_deadline_ms(&a->hooks));
    }
}

static void write_log(struct log *log, enum log_level level, const char *text)
{
    if (level == LOG_LEVEL_ERROR) {
        log_error(log, "%s", text);
    } else if (level == LOG_LEVEL_WARN) {
        log_warn(log, "%s", text);
    } else {
        log_info(log, "%s", text);
    }
}

// To all who listen. A progress is for the control socket only; so is a gate, of which the state
// says the same to the others.
static void tell(struct agent *a, const struct agent_event *ev)
{
    if (control_has_listeners(&a->control)) {
        CLEANUP(cleanup_json) json_t *json = event_json(ev);
        if (json != NULL) {
            control_event(&a->control, json);
        }
    }
    if (ev->kind == EVENT_PROGRESS || ev->kind == EVENT_GATE) {
        return;
    }
    char sentence[SENTENCE_SIZE];
    if (!journald_send(&a->journald, ev)) {
        write_log(a->log, ev->level, event_sentence(ev, sentence, sizeof sentence));
    }
    pid_t before = a->hooks.pid;
    hooks_post(&a->hooks, ev, loop_now_ms());
    if (a->hooks.pid != before) {
        watch_hook(a);
    }
}

void agent_set_state(struct agent *a, enum agent_state state, const char *waits_for)
{
    if (a->state == state && strncmp(a->waits_for, waits_for, AGENT_TEXT_SIZE - 1) == 0) {
        return;
    }
    // A poll that has nothing is not worth a line.
    bool quiet = state == AGENT_POLLING || (state == AGENT_IDLE && a->state == AGENT_POLLING);
    a->state = state;
    snprintf(a->waits_for, sizeof a->waits_for, "%s", waits_for);
    if (!quiet) {
        struct agent_event ev = event_of(a, EVENT_STATE);
        ev.reason = a->waits_for;
        tell(a, &ev);
    }
    agent_write_metrics(a);
}

void agent_tell_gate(struct agent *a, enum gate_phase phase, const struct gate_answer *answer)
{
    struct agent_gate *told = &a->told_gate;
    bool was_closed = told->name != NULL && told->phase == phase;
    bool same = answer->open ? !was_closed
                             : was_closed && strcmp(told->name, answer->gate) == 0 &&
                                   strcmp(told->reason, answer->reason) == 0;
    struct agent_event ev = event_of(a, EVENT_GATE);
    ev.phase = gate_phase_name(phase);
    ev.gate = answer->open ? told->name : answer->gate;
    ev.open = answer->open;
    ev.reason = answer->reason;
    ev.until_s = answer->open ? 0 : ev.time_s + answer->ask_again_ms / MS_PER_S;
    told->phase = phase;
    told->name = answer->gate;
    told->until_s = ev.until_s;
    memcpy(told->reason, answer->reason, sizeof told->reason);
    if (!same) {
        tell(a, &ev);
    }
}

void agent_tell_log(struct agent *a, enum log_level level, const char *message)
{
    struct agent_event ev = event_of(a, EVENT_LOG);
    ev.level = level;
    ev.message = message;
    tell(a, &ev);
}

void agent_tell_progress(struct agent *a, uint64_t done_bytes, uint64_t total_bytes)
{
    a->done_bytes = done_bytes;
    a->total_bytes = total_bytes;
    if (control_has_listeners(&a->control)) {
        struct agent_event ev = event_of(a, EVENT_PROGRESS);
        ev.done_bytes = done_bytes;
        ev.total_bytes = total_bytes;
        tell(a, &ev);
    }
}

void agent_tell_report(struct agent *a, bool acknowledged)
{
    struct agent_event ev = event_of(a, EVENT_REPORT);
    ev.reason = a->offer.record.reason;
    ev.acknowledged = acknowledged;
    a->updates[ev.outcome] += a->counted ? 0 : 1; // it may be sent more than once
    a->counted = true;
    tell(a, &ev);
}

// --- troubles -----------------------------------------------------------------------------------

// A full disk is full whichever file was to be written.
static bool is_same_trouble(const struct agent_trouble *t, const struct error *e)
{
    bool same_words = strncmp(t->text, e->msg, sizeof t->text - 1) == 0;
    return t->code == e->code && t->sys == e->sys && (e->sys != 0 || same_words);
}

enum err agent_tell_trouble(struct agent *a, enum agent_task task, enum err err,
                            const struct error *e)
{
    static const char *const names[AGENT_TASKS] = {
        [TASK_OFFER] = "the agent waits until it can write its record",
        [TASK_HISTORY] = "the history cannot be written",
        [TASK_DENYLIST] = "the list of what failed here cannot be written",
        [TASK_HOLDS] = "the holds cannot be written",
        [TASK_TRAFFIC] = "what the month's downloads cost cannot be written",
        [TASK_METRICS] = "the metrics cannot be written",
        [TASK_JOURNAL] = "the journal cannot be read",
        [TASK_BOOT] = "the boot environment cannot be read",
    };
    struct agent_trouble *t = &a->troubles[task];
    if (err == OK) {
        t->code = OK;
    } else if (!is_same_trouble(t, e)) {
        *t = (struct agent_trouble){.code = e->code, .sys = e->sys};
        snprintf(t->text, sizeof t->text, "%.*s", AGENT_TEXT_SIZE - 1, e->msg);
        log_error(a->log, "%s: %s", names[task], e->msg);
    }
    return err;
}

// --- status -------------------------------------------------------------------------------------

static json_t *offer_json(const struct offer_record *r)
{
    if (r->phase == OFFER_NONE) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:b, s:i}", "source",
                     json_text(r->offer.source), "id", json_text(r->offer.id), "version",
                     r->release_known ? json_text(r->release.version) : json_null(), "phase",
                     offer_phase_name(r->phase), "outcome", offer_outcome_name(r->outcome),
                     "reason", json_text(r->reason), "failed_checks", json_text(r->failed_checks),
                     "consented", (int)r->consented, "tries", (int)r->tries);
}

static json_t *poll_json(const struct agent *a)
{
    uint64_t now = loop_now_ms();
    uint64_t next = poll_schedule_next_ms(&a->poll);
    json_t *in_s = next == UINT64_MAX
                       ? json_null()
                       : json_integer((json_int_t)(next > now ? (next - now) / 1000 : 0));
    bool any = a->polls > 0;
    return json_pack("{s:o, s:o, s:i, s:o, s:I, s:I, s:o}", "answer",
                     json_text_or_null(any ? poll_answer_name(a->poll.last) : NULL), "next_in_s",
                     in_s, "failures_in_a_row", (int)a->poll.failures, "last_s",
                     any ? json_integer((json_int_t)a->last_poll_s) : json_null(), "polls",
                     (json_int_t)a->polls, "failed", (json_int_t)a->poll_failures, "says",
                     json_text(a->poll_says));
}

static json_t *holds_json(const struct agent *a)
{
    const struct hold_now now = agent_hold_now(a);
    json_t *all = json_array();
    for (size_t i = 0; all != NULL && i < a->holds.count; i++) {
        const struct hold *h = &a->holds.all[i];
        char text[HOLD_SENTENCE_SIZE];
        char phases[GATE_PHASES_TEXT_SIZE];
        uint64_t left = hold_left_ms(h, &now);
        if (left == 0) {
            continue;
        }
        json_t *one =
            json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "kind", hold_kind_name(h->kind), "owner",
                      json_text(h->owner), "reason", json_text(h->reason), "phases",
                      gate_phases_text(h->phases, phases, sizeof phases), "left_s",
                      left == HOLD_FOR_EVER ? json_null() : json_integer((json_int_t)(left / 1000)),
                      "sentence", json_text(hold_sentence(h, &now, text, sizeof text)));
        if (json_array_append_new(all, one) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

// null: there is none.
static json_t *lock_json(const struct agent *a)
{
    return a->gate_config.fleet_lock.url == NULL
               ? json_null()
               : json_pack("{s:b, s:o}", "owed", agent_owes_lock(a), "says",
                           json_text(a->lock_says));
}

// Behind the last phase: what others have to do is waited for, not a gate.
static bool is_behind_all(const struct agent *a)
{
    struct offer_todo todo;
    enum offer_phase phase = a->offer.record.phase;
    if (a->state != AGENT_WAITING || a->facts.journal == NULL) {
        return a->state == AGENT_REBOOTING || a->state == AGENT_TRIAL || phase == OFFER_DONE;
    }
    offer_next(&a->offer, &a->facts, &todo);
    return phase == OFFER_DONE ||
           (phase >= OFFER_ACTIVATED && todo.step == OFFER_STEP_WAIT_VERDICT);
}

// The first phase that the offer at hand, or the next one, has not begun.
static enum gate_phase first_ahead(const struct agent *a)
{
    enum offer_phase phase = a->offer.record.phase;
    if (a->state == AGENT_DOWNLOADING) {
        return GATE_INSTALL;
    }
    if (a->state == AGENT_INSTALLING) {
        return GATE_REBOOT;
    }
    if (is_behind_all(a)) {
        return GATE_PHASES;
    }
    return phase < OFFER_INSTALLED   ? GATE_DOWNLOAD
           : phase < OFFER_ACTIVATED ? GATE_INSTALL
                                     : GATE_REBOOT;
}

// As it is now. What takes time to be asked is as it was when it was asked last for this offer.
static json_t *gate_json(const struct agent *a, enum gate_phase phase,
                         const struct gate_facts *facts)
{
    struct gate_answer now;
    const char *left_out[GATES_RUNS_MAX];
    const struct agent_gate *told = &a->told_gate;
    gates_look(&a->gate_config, phase, facts, &now);
    bool stands = false;
    CLEANUP(cleanup_json) json_t *to_ask = json_array();
    size_t count = gates_left_out(&a->gate_config, phase, left_out);
    for (size_t i = 0; i < count; i++) {
        stands = stands || (now.open && told->name != NULL && told->phase == phase &&
                            strcmp(told->name, left_out[i]) == 0);
        if (json_array_append_new(to_ask, json_string(left_out[i])) != 0) {
            return NULL;
        }
    }
    uint64_t until_s = stands     ? told->until_s
                       : now.open ? 0
                                  : facts->now.wall_s + now.ask_again_ms / MS_PER_S;
    const char *name = stands ? told->name : now.gate;
    return json_pack(
        "{s:s, s:b, s:o, s:o, s:o, s:O}", "phase", gate_phase_name(phase), "open", name == NULL,
        "gate", json_text_or_null(name), "reason", json_text(stands ? told->reason : now.reason),
        "until", until_s > 0 ? json_integer((json_int_t)until_s) : json_null(), "to_ask", to_ask);
}

static json_t *gates_json(const struct agent *a)
{
    const struct gate_facts facts = agent_gate_facts(a);
    json_t *all = json_array();
    for (enum gate_phase phase = first_ahead(a); phase < GATE_PHASES; phase++) {
        if (json_array_append_new(all, gate_json(a, phase, &facts)) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

json_t *agent_status_json(const struct agent *a)
{
    return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "schema",
                     EVENTS_SCHEMA, "state", agent_state_name(a->state), "waits_for",
                     json_text(a->waits_for), "offer", offer_json(&a->offer.record), "poll",
                     poll_json(a), "holds", holds_json(a), "gates", gates_json(a), "fleet_lock",
                     lock_json(a), "month_bytes", (json_int_t)a->traffic.bytes, "done_bytes",
                     (json_int_t)a->done_bytes, "total_bytes", (json_int_t)a->total_bytes,
                     "wakeups", (json_int_t)a->loop.wakeups);
}

// --- metrics ------------------------------------------------------------------------------------

static void read_last_update(const struct agent *a, struct metrics *m)
{
    struct error ignored;
    CLEANUP(cleanup_free) struct history *history = NULL;
    if (history_load(a->device->state, NULL, &history, &ignored) != OK || history->count == 0) {
        return;
    }
    const struct history_entry *last = &history->entries[history->count - 1];
    m->last_update_s = last->decided_s;
    m->last_update_ok = last->outcome == OFFER_SUCCESS;
}

static bool is_held(const struct agent *a)
{
    const struct hold_now now = agent_hold_now(a);
    for (size_t i = 0; i < a->holds.count; i++) {
        const struct hold *h = &a->holds.all[i];
        if (h->kind == HOLD_OPERATOR && hold_left_ms(h, &now) > 0) {
            return true;
        }
    }
    return false;
}

static uint64_t count_denied(const struct agent *a)
{
    struct error ignored;
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    return denylist_load(a->device->state, NULL, &list, &ignored) == OK ? list->count : 0;
}

void agent_write_metrics(struct agent *a)
{
    const char *states[AGENT_STATES];
    struct error e;
    const struct device *d = a->device;
    const struct release_id *runs = &d->journal.slots[d->running].release;
    if (d->config->agent.metrics == NULL) {
        return;
    }
    for (int i = 0; i < AGENT_STATES; i++) {
        states[i] = agent_state_name((enum agent_state)i);
    }
    struct metrics m = {
        .program_version = vv_version,
        .version = runs->version,
        .slot = d->config->slots[d->running].name,
        .release_index = runs->release_index,
        .states = states,
        .state_count = AGENT_STATES,
        .state = a->state,
        .trial = a->facts.boot_known && a->facts.boot.trial == d->running,
        .held = is_held(a),
        .denied_releases = count_denied(a),
        .last_poll_s = a->last_poll_s,
        .last_poll_ok = a->polls > 0 && a->poll.last == POLL_DONE,
        .polls = a->polls,
        .poll_failures = a->poll_failures,
        .download_bytes = a->download_bytes,
    };
    memcpy(m.updates, a->updates, sizeof m.updates);
    read_last_update(a, &m);
    enum err err = metrics_write(d->config->agent.metrics, &m, &e);
    (void)agent_tell_trouble(a, TASK_METRICS, err, &e);
}
