// SPDX-License-Identifier: Apache-2.0
// The machinery below a verdict: probes of all checks side by side, each started when it is due,
// their results taken into the states of their checks. Private to health.c and tests.
//
// Invariants
// 1. Nothing waits for a single probe: one wait is for all of them, with the earliest time that
//    matters.
// 2. Memory: one struct health_check per check, however much the probes say.
// 3. SIGCHLD is caught and blocked between begin and end, and as it was afterwards.
#ifndef UPDATER_HEALTH_LOOP_H
#define UPDATER_HEALTH_LOOP_H

#include "updater/health.h"
#include "updater/probe.h"

#include <poll.h>
#include <signal.h>

struct health_check {
    struct config_check config;
    struct health_result *result; // what the report says of it, kept up to date
    struct check_state state;
    struct bounded_run probe;
    bool running;
    uint64_t began_ms;   // when its last probe began
    uint64_t ended_ms;   // when its last probe ended
    uint64_t success_ms; // when its last successful probe ended
};

struct health_loop {
    const struct clock *clock;
    struct log *log; // NULL: changes of a verdict are not told
    size_t count;
    struct health_check *checks;
    struct pollfd *fds;
    bool changed; // what is known of a check has; whoever cares takes it back
    bool catching;
    struct sigaction old_action;
    sigset_t old_mask;
};

// Makes room in `report` too, which the caller clears in every case. `ret` is zeroed by the caller
// and ended with health_loop_end() in every case. Probes nothing yet; every check is due now.
MUST_CHECK enum err health_loop_begin(const struct config *c, const struct clock *clock,
                                      struct log *log, struct health_report *report,
                                      struct health_loop *ret, struct error *e);
// Starts what is due, then waits for the probes, `until_ms` at the latest, and takes their results.
void health_loop_turn(struct health_loop *loop, uint64_t until_ms);
// Kills what still runs.
void health_loop_end(struct health_loop *loop);

uint64_t health_loop_now(const struct health_loop *loop);

// "starting", "healthy", "unhealthy".
const char *check_verdict_name(enum check_verdict verdict);

#endif
