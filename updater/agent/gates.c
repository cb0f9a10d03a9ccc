// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gates.h"

#include "base/parse.h"
#include "updater/agent/gate_command.h"
#include "updater/agent/gate_power.h"
#include "updater/agent/traffic.h"
#include "updater/printable.h"

#include <string.h>

// --- answers -------------------------------------------------------------------------------------

static uint64_t bounded(uint64_t ms)
{
    return ms < GATE_AGAIN_MIN_MS   ? GATE_AGAIN_MIN_MS
           : ms > GATE_AGAIN_MAX_MS ? GATE_AGAIN_MAX_MS
                                    : ms;
}

static void say_closed(struct gate_answer *ret, const char *gate, const char *reason,
                       uint64_t again_ms)
{
    ret->open = false;
    ret->gate = gate;
    ret->ask_again_ms = bounded(again_ms);
    printable_copy(reason, strlen(reason), ret->reason, sizeof ret->reason);
}

// --- what costs nothing --------------------------------------------------------------------------

static bool look_at_holds(const struct gate_facts *f, enum gate_phase phase,
                          struct gate_answer *ret)
{
    char sentence[HOLD_SENTENCE_SIZE];
    const struct hold *hold = holds_find(f->holds, phase, &f->now);
    if (hold == NULL) {
        return true;
    }
    hold_sentence(hold, &f->now, sentence, sizeof sentence);
    say_closed(ret, "hold", sentence, hold_left_ms(hold, &f->now));
    return false;
}

static bool look_at_consent(const struct gate_config *c, enum gate_phase phase,
                            const struct gate_facts *f, struct gate_answer *ret)
{
    if (!c->need_consent || f->consented || phase == GATE_DOWNLOAD) {
        return true;
    }
    // Whoever gives it wakes the agent.
    say_closed(ret, "consent", "waiting for consent", GATE_AGAIN_MAX_MS);
    return false;
}

static bool look_at_clock(const struct gate_config *c, const struct gate_facts *f,
                          struct gate_answer *ret)
{
    char limit[32];
    char reason[GATE_REASON_SIZE];
    if (f->now.synchronised || f->now.boottime_ms >= c->clock_wait_ms) {
        return true;
    }
    uint64_t left_ms = c->clock_wait_ms - f->now.boottime_ms;
    // It is asked each minute, and each other sentence would be an event.
    snprintf(reason, sizeof reason,
             "waiting for the clock to be synchronised, until %s after the start at most",
             format_duration(c->clock_wait_ms, limit, sizeof limit));
    say_closed(ret, "window", reason,
               left_ms < GATE_AGAIN_CLOCK_MS ? left_ms : GATE_AGAIN_CLOCK_MS);
    return false;
}

static bool look_at_windows(const struct gate_config *c, enum gate_phase phase,
                            const struct gate_facts *f, struct gate_answer *ret)
{
    const struct windows *w = &c->windows[phase];
    struct window_state state;
    char at[WINDOWS_TEXT_SIZE];
    char reason[GATE_REASON_SIZE];
    if (w->count == 0) {
        return true;
    }
    if (!look_at_clock(c, f, ret)) {
        return false;
    }
    if (!f->now.synchronised && f->now.wall_s < f->time_floor_s) {
        ret->clock_untrusted = true;
        return true;
    }
    windows_at(w, f->now.wall_s, &state);
    if (state.open) {
        return true;
    }
    snprintf(reason, sizeof reason, "waiting for window %s%s",
             windows_next_text(state.changes_s, at, sizeof at),
             f->now.synchronised ? "" : ", by a clock that is not synchronised");
    uint64_t left_s = state.changes_s - f->now.wall_s;
    say_closed(ret, "window", reason,
               left_s < GATE_AGAIN_MAX_MS / 1000 ? left_s * 1000 : GATE_AGAIN_MAX_MS);
    return false;
}

static bool look_at_budget(const struct gate_config *c, enum gate_phase phase,
                           const struct gate_facts *f, struct gate_answer *ret)
{
    char used[16];
    char limit[16];
    char day[TRAFFIC_TEXT_SIZE];
    char reason[GATE_REASON_SIZE];
    if (phase != GATE_DOWNLOAD || c->monthly_budget == 0 || f->month_bytes < c->monthly_budget) {
        return true;
    }
    snprintf(reason, sizeof reason,
             "waiting for the byte budget of the next month, on %s: %s of %s are used",
             traffic_next_month_text(f->month_ends_s, day),
             format_size(f->month_bytes, used, sizeof used),
             format_size(c->monthly_budget, limit, sizeof limit));
    uint64_t left_s = f->month_ends_s > f->now.wall_s ? f->month_ends_s - f->now.wall_s : 0;
    say_closed(ret, "budget", reason,
               left_s < GATE_AGAIN_MAX_MS / 1000 ? left_s * 1000 : GATE_AGAIN_MAX_MS);
    return false;
}

static bool look_at_power(const struct gate_config *c, struct gate_answer *ret)
{
    char reason[GATE_REASON_SIZE];
    if (!c->need_ac && c->battery_min_percent == 0) {
        return true;
    }
    const struct power_state state = gate_power_read(c->power_dir);
    if (gate_power_open(&state, c->need_ac, c->battery_min_percent, reason, sizeof reason)) {
        return true;
    }
    say_closed(ret, "power", reason, GATE_AGAIN_POWER_MS);
    return false;
}

void gates_look(const struct gate_config *c, enum gate_phase phase, const struct gate_facts *f,
                struct gate_answer *ret)
{
    *ret = (struct gate_answer){0};
    ret->open = look_at_holds(f, phase, ret) && look_at_consent(c, phase, f, ret) &&
                look_at_windows(c, phase, f, ret) && look_at_budget(c, phase, f, ret) &&
                look_at_power(c, ret);
}

// --- what takes time -----------------------------------------------------------------------------

static enum err start(struct gates *g, enum gates_stage stage, const struct gate_config *c,
                      const struct gate_facts *f, struct error *e)
{
    uint64_t now_ms = f->now.boottime_ms;
    if (stage == GATES_COMMAND) {
        const struct gate_command command = {c->command[g->phase], g->phase, f->version,
                                             f->release_index};
        return gate_command_start(&g->run, &command, c->command_timeout_ms, now_ms, e);
    }
    if (stage == GATES_STEADY_STATE) {
        return fleet_lock_start(&g->run, &c->fleet_lock, FLEET_LOCK_STEADY_STATE, now_ms, e);
    }
    enum err err = fleet_lock_start(&g->run, &c->fleet_lock, FLEET_LOCK_PRE_REBOOT, now_ms, e);
    g->lock_owed = g->lock_owed || err == OK;
    return err;
}

static bool is_configured(const struct gate_config *c, enum gate_phase phase,
                          enum gates_stage stage)
{
    return stage == GATES_COMMAND ? c->command[phase] != NULL
                                  : phase == GATE_REBOOT && c->fleet_lock.url != NULL;
}

static const char *name_of(enum gates_stage stage)
{
    return stage == GATES_COMMAND ? "command" : "fleet_lock";
}

size_t gates_left_out(const struct gate_config *c, enum gate_phase phase,
                      const char *ret[GATES_RUNS_MAX])
{
    size_t count = 0;
    for (enum gates_stage stage = GATES_COMMAND; stage <= GATES_FLEET_LOCK; stage++) {
        if (is_configured(c, phase, stage)) {
            ret[count++] = name_of(stage);
        }
    }
    return count;
}

// What was cancelled is gone in an instant, or waits for a device that does not answer.
static bool is_free(struct gates *g, enum gates_stage next, const struct gate_facts *f,
                    struct gate_answer *ret)
{
    bounded_run_kill(&g->run);
    if (g->run.pid == 0) {
        return true;
    }
    bool soon = f->now.boottime_ms < g->run.deadline_ms;
    say_closed(ret, name_of(next), "waiting for the last gate command to end",
               soon ? GATE_AGAIN_MIN_MS : GATE_AGAIN_RUN_MS);
    return false;
}

// True: there is an answer, because it could not be started.
static bool begin_run(struct gates *g, enum gates_stage stage, const struct gate_config *c,
                      const struct gate_facts *f, struct gate_answer *ret)
{
    struct error e;
    if (!is_free(g, stage, f, ret)) {
        return true;
    }
    if (start(g, stage, c, f, &e) != OK) {
        say_closed(ret, name_of(stage), e.msg, GATE_AGAIN_RUN_MS);
        return true;
    }
    g->stage = stage;
    return false;
}

// All gates up to `stage` are open. Starts the next run there is; true: the answer is there.
static bool go_on(struct gates *g, enum gates_stage stage, const struct gate_config *c,
                  const struct gate_facts *f, struct gate_answer *ret)
{
    while (stage < GATES_FLEET_LOCK) {
        stage++;
        if (is_configured(c, g->phase, stage)) {
            return begin_run(g, stage, c, f, ret);
        }
    }
    return true;
}

// Many devices ask one server.
static uint64_t lock_again_ms(const struct gate_facts *f)
{
    return GATE_AGAIN_RUN_MS + f->random % (GATE_AGAIN_RUN_MS / 2);
}

static bool has_place(struct gates *g, int status, char *reason, size_t size)
{
    enum fleet_lock_answer answer = fleet_lock_answer(&g->run, status, reason, size);
    g->lock_owed = answer != FLEET_LOCK_DENIED;
    return answer == FLEET_LOCK_GRANTED;
}

static void end_give_back(struct gates *g, const struct gate_facts *f, int status,
                          struct gate_answer *ret)
{
    char reason[GATE_REASON_SIZE];
    *ret = (struct gate_answer){.open = true};
    if (fleet_lock_answer(&g->run, status, reason, sizeof reason) == FLEET_LOCK_GRANTED) {
        g->lock_owed = false;
    } else {
        say_closed(ret, name_of(GATES_STEADY_STATE), reason, lock_again_ms(f));
    }
}

bool gates_give_back(struct gates *g, const struct gate_config *c, const struct gate_facts *f,
                     struct gate_answer *ret)
{
    gates_cancel(g);
    *ret = (struct gate_answer){0};
    return begin_run(g, GATES_STEADY_STATE, c, f, ret);
}

bool gates_begin(struct gates *g, const struct gate_config *c, enum gate_phase phase,
                 const struct gate_facts *f, struct gate_answer *ret)
{
    gates_cancel(g);
    g->phase = phase;
    gates_look(c, phase, f, ret);
    return !ret->open || go_on(g, GATES_IDLE, c, f, ret);
}

bool gates_step(struct gates *g, const struct gate_config *c, const struct gate_facts *f,
                struct gate_answer *ret)
{
    int status;
    char reason[GATE_REASON_SIZE];
    enum gates_stage stage = g->stage;
    if (stage == GATES_IDLE || !bounded_run_step(&g->run, f->now.boottime_ms, &status)) {
        return false;
    }
    g->stage = GATES_IDLE;
    if (stage == GATES_STEADY_STATE) {
        end_give_back(g, f, status, ret);
        return true;
    }
    bool open = stage == GATES_COMMAND ? gate_command_open(&g->run, status, reason, sizeof reason)
                                       : has_place(g, status, reason, sizeof reason);
    gates_look(c, g->phase, f, ret);
    if (!ret->open) {
        return true;
    }
    if (!open) {
        say_closed(ret, name_of(stage), reason,
                   stage == GATES_FLEET_LOCK ? lock_again_ms(f) : GATE_AGAIN_RUN_MS);
        return true;
    }
    return go_on(g, stage, c, f, ret);
}

void gates_cancel(struct gates *g)
{
    g->stage = GATES_IDLE;
    bounded_run_kill(&g->run);
}
