// SPDX-License-Identifier: Apache-2.0
#include "updater/health.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "updater/baseline.h"
#include "updater/health_loop.h"

#include <string.h>

enum { BRIEF_INTERVAL_MS = 1000, TELL_EVERY_MS = 1000 };

void health_report_clear(struct health_report *r)
{
    free(r->results);
    *r = (struct health_report){0};
}

static size_t count_required(const struct health_loop *loop)
{
    size_t n = 0;
    for (size_t i = 0; i < loop->count; i++) {
        n += loop->checks[i].config.required;
    }
    return n;
}

// `what` goes before what the check itself said last.
static void set_bad(struct health_report *report, const struct health_check *check,
                    const char *what)
{
    const char *line = check->result->last_line;
    report->verdict = HEALTH_BAD;
    snprintf(report->reason, sizeof report->reason, "check %s: %s%s%s", check->config.name, what,
             what[0] != '\0' && line[0] != '\0' ? ": " : "", line);
}

static bool find_unhealthy(const struct health_loop *loop, struct health_report *report)
{
    for (size_t i = 0; i < loop->count; i++) {
        const struct health_check *check = &loop->checks[i];
        if (check->config.required && check->state.verdict == CHECK_UNHEALTHY) {
            set_bad(report, check, check->result->last_line[0] == '\0' ? "unhealthy" : "");
            return true;
        }
    }
    return false;
}

// The first required check that does not pass; NULL when all do, healthy since `*ret_since_ms`.
static const struct health_check *find_waiting(const struct health_loop *loop,
                                               uint64_t *ret_since_ms)
{
    uint64_t since = 0;
    for (size_t i = 0; i < loop->count; i++) {
        const struct health_check *check = &loop->checks[i];
        if (!check->config.required) {
            continue;
        }
        if (!check_passes(&check->state, &check->config)) {
            return check;
        }
        since = check->state.healthy_since_ms > since ? check->state.healthy_since_ms : since;
    }
    *ret_since_ms = since;
    return NULL;
}

static void tell(const struct health_ask *ask, struct health_loop *loop,
                 const struct health_report *report, uint64_t until_ms)
{
    loop->changed = false;
    if (ask->changed != NULL && loop->count > 0) {
        ask->changed(ask->context, report, until_ms);
    }
}

// --- up to a verdict ----------------------------------------------------------------------------

struct limits {
    uint64_t deadline_ms; // a point in time
    uint64_t deadline_after_ms;
    uint64_t stable_for_ms;
};

// All required checks are healthy since `since_ms`: whether each was seen to be, stable_for later.
// One that was not is asked when that time has come.
static bool is_stable(struct health_loop *loop, uint64_t since_ms, uint64_t stable_for_ms)
{
    bool stable = true;
    uint64_t stable_ms = since_ms + stable_for_ms;
    for (size_t i = 0; stable_for_ms > 0 && i < loop->count; i++) {
        struct health_check *check = &loop->checks[i];
        if (!check->config.required || check->success_ms >= stable_ms) {
            continue;
        }
        stable = false;
        if (check->ended_ms < stable_ms && check->state.due_ms > stable_ms) {
            check->state.due_ms = stable_ms;
        }
    }
    return stable;
}

static void set_late(const struct limits *limits, const struct health_check *waiting,
                     struct health_report *report)
{
    char time[32];
    char stable[32];
    char what[96];
    format_duration(limits->deadline_after_ms, time, sizeof time);
    if (waiting != NULL) {
        snprintf(what, sizeof what, "not healthy within %s%s", time,
                 waiting->state.tries == 0 ? ", no answer yet" : "");
        set_bad(report, waiting, what);
        return;
    }
    report->verdict = HEALTH_BAD;
    snprintf(report->reason, sizeof report->reason,
             "the checks were not all healthy for %s within %s",
             format_duration(limits->stable_for_ms, stable, sizeof stable), time);
}

// True when it is known.
static bool find_verdict(struct health_loop *loop, const struct limits *limits,
                         struct health_report *report)
{
    uint64_t since_ms;
    if (find_unhealthy(loop, report)) {
        return true;
    }
    const struct health_check *waiting = find_waiting(loop, &since_ms);
    if (waiting == NULL && is_stable(loop, since_ms, limits->stable_for_ms)) {
        report->verdict = HEALTH_GOOD;
        return true;
    }
    if (health_loop_now(loop) >= limits->deadline_ms) {
        set_late(limits, waiting, report);
        return true;
    }
    return false;
}

static void warn_unchecked(struct log *log, const struct health_loop *loop, bool excused)
{
    if (excused) {
        log_warn(log, "all required checks failed before the update already: the new system is "
                      "kept unchecked");
        return;
    }
    log_warn(log, "no %shealth checks are configured: the new system is kept unchecked",
             loop->count > 0 ? "required " : "");
}

// Whether any was.
static bool excuse(const struct health_loop *loop, const struct baseline *before)
{
    bool any = false;
    for (size_t i = 0; before != NULL && i < loop->count; i++) {
        struct health_check *check = &loop->checks[i];
        if (check->config.required && baseline_has(before, check->config.name)) {
            log_warn(loop->log, "check %s failed before the update already: it is not counted",
                     check->config.name);
            check->config.required = false;
            check->result->required = false;
            any = true;
        }
    }
    return any;
}

static uint64_t next_turn(const struct health_ask *ask, const struct health_loop *loop,
                          const struct limits *limits)
{
    uint64_t turn_ms = health_loop_now(loop) + ask->turn_ms;
    return ask->turned != NULL && turn_ms < limits->deadline_ms ? turn_ms : limits->deadline_ms;
}

static void turn_until_known(const struct health_ask *ask, struct health_loop *loop,
                             const struct limits *limits, struct health_report *report)
{
    uint64_t told_ms = health_loop_now(loop);
    report->verdict = HEALTH_WAITING;
    tell(ask, loop, report, limits->deadline_ms);
    while (!find_verdict(loop, limits, report)) {
        health_loop_turn(loop, next_turn(ask, loop, limits));
        if (ask->turned != NULL) {
            ask->turned(ask->context);
        }
        if (loop->changed && health_loop_now(loop) - told_ms >= TELL_EVERY_MS) {
            told_ms = health_loop_now(loop);
            tell(ask, loop, report, limits->deadline_ms);
        }
    }
}

enum err health_decide(const struct health_ask *ask, struct health_report *ret, struct error *e)
{
    const struct config *c = ask->config;
    CLEANUP(health_report_clear) struct health_report report = {.verdict = HEALTH_GOOD};
    CLEANUP(health_loop_end) struct health_loop loop = {.count = 0};
    enum err err = health_loop_begin(c, ask->clock, ask->log, &report, &loop, e);
    if (err != OK) {
        return err;
    }
    bool excused = excuse(&loop, ask->before);
    const struct limits limits = {
        .deadline_ms = health_loop_now(&loop) + c->confirm_deadline_ms,
        .deadline_after_ms = c->confirm_deadline_ms,
        .stable_for_ms = c->confirm_stable_ms,
    };
    if (count_required(&loop) == 0) {
        warn_unchecked(ask->log, &loop, excused);
    } else {
        turn_until_known(ask, &loop, &limits, &report);
    }
    tell(ask, &loop, &report, limits.deadline_ms);
    *ret = report;
    report.results = NULL;
    return OK;
}

// --- a few times, or once ------------------------------------------------------------------------

static bool all_tried(const struct health_loop *loop, unsigned tries)
{
    for (size_t i = 0; i < loop->count; i++) {
        const struct check_state *state = &loop->checks[i].state;
        if (state->tries < tries && (state->tries == 0 || state->verdict != CHECK_HEALTHY)) {
            return false;
        }
    }
    return true;
}

// So many answers are all there is: patience over time has no meaning.
static void count_answers(struct health_loop *loop, unsigned tries, uint64_t interval_ms)
{
    for (size_t i = 0; i < loop->count; i++) {
        struct config_check *c = &loop->checks[i].config;
        c->retries = tries;
        c->successes = 1;
        c->interval_ms = c->interval_ms < interval_ms ? c->interval_ms : interval_ms;
        loop->checks[i].state.began_ms = 0; // with the system
        if (tries == 1) {
            c->start_period_ms = 0;
            c->interval_ms = INT64_MAX; // never again, however long others take
        }
    }
}

static void turn_until_tried(const struct health_ask *ask, struct health_loop *loop, unsigned tries,
                             const struct health_report *report)
{
    tell(ask, loop, report, 0);
    while (!all_tried(loop, tries)) {
        health_loop_turn(loop, UINT64_MAX);
        if (loop->changed) {
            tell(ask, loop, report, 0);
        }
    }
}

// `tries` answers each, `interval_ms` apart at most.
static enum err ask_so_often(const struct health_ask *ask, unsigned tries, uint64_t interval_ms,
                             struct health_report *ret, struct error *e)
{
    uint64_t since_ms;
    CLEANUP(health_report_clear) struct health_report report = {.verdict = HEALTH_WAITING};
    CLEANUP(health_loop_end) struct health_loop loop = {.count = 0};
    enum err err = health_loop_begin(ask->config, ask->clock, NULL, &report, &loop, e);
    if (err != OK) {
        return err;
    }
    count_answers(&loop, tries, interval_ms);
    turn_until_tried(ask, &loop, tries, &report);
    const struct health_check *waiting = find_waiting(&loop, &since_ms);
    report.verdict = HEALTH_GOOD;
    if (!find_unhealthy(&loop, &report) && waiting != NULL) {
        set_bad(&report, waiting, "not yet healthy");
    }
    tell(ask, &loop, &report, 0);
    *ret = report;
    report.results = NULL;
    return OK;
}

enum err health_briefly(const struct health_ask *ask, struct health_report *ret, struct error *e)
{
    return ask_so_often(ask, HEALTH_BRIEF_TRIES, BRIEF_INTERVAL_MS, ret, e);
}

enum err health_once(const struct health_ask *ask, struct health_report *ret, struct error *e)
{
    if (ask->config->check_count == 0) {
        log_warn(ask->log, "no health checks are configured");
    }
    return ask_so_often(ask, 1, INT64_MAX, ret, e);
}
