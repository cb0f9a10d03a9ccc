// SPDX-License-Identifier: Apache-2.0
#include "updater/health_loop.h"

#include "base/cleanup.h"
#include "updater/printable.h"

#include <string.h>

// Killed processes are gone at once, unless they wait for a device that does not answer.
enum { REAP_TRIES = 100, REAP_STEP_MS = 1 };

uint64_t health_loop_now(const struct health_loop *loop)
{
    return loop->clock->ops->boottime_ms(loop->clock);
}

const char *check_verdict_name(enum check_verdict verdict)
{
    switch (verdict) {
    case CHECK_STARTING:
        return "starting";
    case CHECK_HEALTHY:
        return "healthy";
    case CHECK_UNHEALTHY:
        return "unhealthy";
    }
    return "?";
}

// --- waking up when a child ends ----------------------------------------------------------------

// Does nothing: that a handler ran ends ppoll().
static void on_child(int sig)
{
    (void)sig;
}

// SIGCHLD comes in during ppoll() only, so that none is missed between a look and the wait.
static void catch_children(struct health_loop *loop)
{
    struct sigaction action = {.sa_handler = on_child};
    sigset_t child;
    sigemptyset(&action.sa_mask);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &loop->old_mask);
    sigaction(SIGCHLD, &action, &loop->old_action);
    loop->catching = true;
}

static void release_children(struct health_loop *loop)
{
    if (loop->catching) {
        sigprocmask(SIG_SETMASK, &loop->old_mask, NULL);
        sigaction(SIGCHLD, &loop->old_action, NULL);
    }
}

// --- set-up and end -----------------------------------------------------------------------------

enum err health_loop_begin(const struct config *c, const struct clock *clock, struct log *log,
                           struct health_report *report, struct health_loop *ret, struct error *e)
{
    size_t room = c->check_count > 0 ? c->check_count : 1;
    report->results = calloc(room, sizeof *report->results);
    ret->checks = calloc(room, sizeof *ret->checks);
    ret->fds = calloc(room, sizeof *ret->fds);
    if (report->results == NULL || ret->checks == NULL || ret->fds == NULL) {
        return fail_memory(e);
    }
    report->count = c->check_count;
    ret->count = c->check_count;
    ret->clock = clock;
    ret->log = log;
    for (size_t i = 0; i < ret->count; i++) {
        report->results[i] = (struct health_result){
            .name = c->checks[i].name,
            .kind = check_kind_name(c->checks[i].kind),
            .required = c->checks[i].required,
        };
        ret->checks[i].config = c->checks[i];
        ret->checks[i].result = &report->results[i];
        ret->checks[i].state = check_begin(health_loop_now(ret));
    }
    catch_children(ret);
    return OK;
}

// All are killed before the first one is waited for.
static void end_probes(struct health_loop *loop)
{
    for (int try = 0; try < REAP_TRIES; try++) {
        size_t left = 0;
        for (size_t i = 0; i < loop->count; i++) {
            bounded_run_kill(&loop->checks[i].probe);
            left += loop->checks[i].probe.pid != 0;
        }
        if (left == 0) {
            return;
        }
        (void)poll(NULL, 0, REAP_STEP_MS);
    }
}

void health_loop_end(struct health_loop *loop)
{
    end_probes(loop);
    release_children(loop);
    free(loop->checks);
    free(loop->fds);
    *loop = (struct health_loop){0};
}

// --- results ------------------------------------------------------------------------------------

static void tell_change(const struct health_loop *loop, const struct health_check *check)
{
    const char *line = check->result->last_line;
    if (loop->log != NULL) {
        log_info(loop->log, "check %s is %s%s%s%s", check->config.name,
                 check_verdict_name(check->state.verdict),
                 check->config.required ? "" : " (wanted only)", line[0] != '\0' ? ": " : "", line);
    }
}

static void take(struct health_loop *loop, struct health_check *check, enum probe_result result,
                 const char *output)
{
    enum check_verdict before = check->state.verdict;
    check->running = false;
    check->ended_ms = health_loop_now(loop);
    if (result == PROBE_HEALTHY) {
        check->success_ms = check->ended_ms;
    }
    check_take(&check->state, &check->config, result, check->ended_ms);
    check->result->verdict = check->state.verdict;
    check->result->tries = check->state.tries;
    check->result->duration_ms = check->ended_ms - check->began_ms;
    printable_last_line(output, check->result->last_line, sizeof check->result->last_line);
    snprintf(check->result->output, sizeof check->result->output, "%s",
             result == PROBE_HEALTHY ? "" : output);
    loop->changed = true;
    if (check->state.verdict != before) {
        tell_change(loop, check);
    }
}

// --- one turn -----------------------------------------------------------------------------------

// A check that cannot be started is one that failed: it is not known to be healthy.
static void start_due(struct health_loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        struct health_check *check = &loop->checks[i];
        uint64_t now = health_loop_now(loop);
        struct error e;
        if (check->running || check->state.due_ms > now) {
            continue;
        }
        check->began_ms = now;
        check->running = probe_start(&check->probe, &check->config, now, &e) == OK;
        if (!check->running) {
            take(loop, check, PROBE_FAILED, e.msg);
        }
    }
}

static void step_all(struct health_loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        struct health_check *check = &loop->checks[i];
        enum probe_result result;
        if (check->running && probe_step(&check->probe, health_loop_now(loop), &result)) {
            take(loop, check, result, check->probe.output);
        }
    }
}

// When something has to be done even if no probe says a word, `until_ms` at the latest.
static uint64_t next_time(const struct health_loop *loop, uint64_t until_ms)
{
    for (size_t i = 0; i < loop->count; i++) {
        const struct health_check *check = &loop->checks[i];
        uint64_t own = check->running ? check->probe.deadline_ms : check->state.due_ms;
        until_ms = own < until_ms ? own : until_ms;
    }
    return until_ms;
}

// The number of probes that run, and where they are listened to.
static size_t fill_fds(struct health_loop *loop)
{
    size_t running = 0;
    for (size_t i = 0; i < loop->count; i++) {
        const struct health_check *check = &loop->checks[i];
        loop->fds[i].fd = check->running ? check->probe.output_fd : -1;
        loop->fds[i].events = POLLIN;
        running += check->running;
    }
    return running;
}

static void wait_until(struct health_loop *loop, uint64_t time_ms)
{
    uint64_t now = health_loop_now(loop);
    uint64_t ms = time_ms > now ? time_ms - now : 0;
    if (fill_fds(loop) == 0) {
        loop->clock->ops->sleep_ms(loop->clock, ms);
        return;
    }
    struct timespec timeout = {.tv_sec = (time_t)(ms / 1000),
                               .tv_nsec = (long)(ms % 1000) * 1000000};
    sigset_t mask = loop->old_mask;
    sigdelset(&mask, SIGCHLD);
    // Whatever ends it, everything is looked at again.
    (void)ppoll(loop->fds, loop->count, &timeout, &mask);
}

void health_loop_turn(struct health_loop *loop, uint64_t until_ms)
{
    start_due(loop);
    wait_until(loop, next_time(loop, until_ms));
    step_all(loop);
}
