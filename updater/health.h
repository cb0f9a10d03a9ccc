// SPDX-License-Identifier: Apache-2.0
// All health checks together, up to a verdict.
//
// Rules (docs/health.md)
// 1. Checks run side by side; a hung one delays neither the others nor the deadline.
// 2. Healthy: every required check is healthy and still is `stable_for` later. Unhealthy: a
// required
//    check is unhealthy, or the deadline (CLOCK_BOOTTIME) passed. Wanted checks are told, not
//    counted.
// 3. "Still is" means asked again: with a `stable_for`, every required check succeeded once more at
//    its end. A check whose interval is longer is asked earlier for that.
#ifndef UPDATER_HEALTH_H
#define UPDATER_HEALTH_H

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "updater/check.h"
#include "updater/config.h"
#include "updater/probe.h"

#include <stdio.h>

// Of the output of all checks together, so much is told in reports at most.
enum { HEALTH_LOGS_MAX = 64 * 1024 };

enum health_verdict { HEALTH_GOOD, HEALTH_BAD, HEALTH_WAITING };

struct health_report {
    enum health_verdict verdict;
    char reason[320]; // which check failed and why, one sentence; "" unless bad
    size_t count;
    struct health_result {
        const char *name; // owned by the configuration
        const char *kind;
        bool required;
        enum check_verdict verdict;
        unsigned tries;
        uint64_t duration_ms; // of the last try
        char last_line[160];  // of its output
        // All that was kept of the output of the last try, "" if that was a success.
        char output[RUN_OUTPUT_MAX + 1];
    } * results;
};

struct baseline;

// What is asked, and who is told on the way.
struct health_ask {
    const struct config *config;
    const struct baseline *before; // these checks count as wanted; NULL: none
    const struct clock *clock;
    struct log *log; // health_decide() tells changes of a verdict
    // At the beginning, when what is known of a check has changed (by health_decide() once a second
    // at most), and at the end. `until_ms` is the deadline, by the clock's boottime, 0 when there
    // is none. NULL: nobody. Not without checks.
    void (*changed)(void *context, const struct health_report *r, uint64_t until_ms);
    // That it gets on, at least every `turn_ms`. NULL: nobody.
    void (*turned)(void *context);
    uint64_t turn_ms;
    void *context;
};

// Runs until the verdict is known. All of these change the disposition of SIGCHLD while they run.
MUST_CHECK enum err health_decide(const struct health_ask *ask, struct health_report *ret,
                                  struct error *e);
// How a running system is: a check is healthy at its first success, and unhealthy when it had none
// in HEALTH_BRIEF_TRIES answers, at most a second apart. Within its start_period, counted from the
// start of the system, it is neither.
enum { HEALTH_BRIEF_TRIES = 3 };
MUST_CHECK enum err health_briefly(const struct health_ask *ask, struct health_report *ret,
                                   struct error *e);
// Probes each check once.
MUST_CHECK enum err health_once(const struct health_ask *ask, struct health_report *ret,
                                struct error *e);
void health_report_clear(struct health_report *r);
// {"result", "reason", "checks": [...]}; NULL when out of memory. A required check whose last try
// was no success has a "log" when its output is more than one line.
json_t *health_report_json(const struct health_report *r);
// A table for people that is drawn anew in its place on a terminal, one row a check, none of them
// wider than the terminal. All zeros but `out`: not drawn yet.
struct health_screen {
    FILE *out;
    size_t rows; // to go up
};
void health_screen_draw(struct health_screen *s, const struct health_report *r);
// A table for people, or that object.
MUST_CHECK enum err health_print(const struct health_report *r, FILE *out, bool json,
                                 struct error *e);

#endif
