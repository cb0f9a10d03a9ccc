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
#include "base/log.h"
#include "updater/check.h"
#include "updater/config.h"

#include <stdio.h>

enum health_verdict { HEALTH_GOOD, HEALTH_BAD };

struct health_report {
    enum health_verdict verdict;
    char reason[320]; // which check failed and why, one sentence; "" when good
    size_t count;
    struct health_result {
        const char *name; // owned by the configuration
        const char *kind;
        bool required;
        enum check_verdict verdict;
        unsigned tries;
        char last_line[160]; // of its output
    } * results;
};

// Runs until the verdict is known. Both change the disposition of SIGCHLD while they run.
MUST_CHECK enum err health_decide(const struct config *c, const struct clock *clock,
                                  struct log *log, struct health_report *ret, struct error *e);
// Probes each check once.
MUST_CHECK enum err health_once(const struct config *c, const struct clock *clock, struct log *log,
                                struct health_report *ret, struct error *e);
void health_report_clear(struct health_report *r);
// A table for people, or one JSON object.
MUST_CHECK enum err health_print(const struct health_report *r, FILE *out, bool json,
                                 struct error *e);

#endif
