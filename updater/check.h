// SPDX-License-Identifier: Apache-2.0
// One health check over time, with Docker's words and Docker's meaning. Pure: time and results come
// in, the next due time and the verdict come out.
//
// Rules (https://docs.docker.com/reference/dockerfile/#healthcheck; docs/health.md)
// 1. The first probe runs at once; the next one interval after the last one ended.
// 2. While starting (inside start_period, no success yet) failures do not count. The first success
//    ends starting.
// 3. `retries` consecutive failures make the check unhealthy; one success makes it healthy again,
//    and resets the count. "Not yet" (exit 75 of an exec check) is no failure.
// 4. `successes` consecutive successes are needed before the check counts as healthy; anything else
//    between them begins their count anew.
// 5. A healthy check passes for as long as nothing else came behind them: it stays healthy for some
//    failures, but no verdict is built on one that fails right now.
#ifndef UPDATER_CHECK_H
#define UPDATER_CHECK_H

#include "updater/config.h"

#include <stdbool.h>
#include <stdint.h>

enum check_verdict { CHECK_STARTING, CHECK_HEALTHY, CHECK_UNHEALTHY };
enum probe_result { PROBE_HEALTHY, PROBE_FAILED, PROBE_NOT_YET };

struct check_state {
    enum check_verdict verdict;
    bool ever_succeeded;
    unsigned failures_in_a_row;
    unsigned successes_in_a_row;
    unsigned tries;
    uint64_t began_ms;
    uint64_t due_ms; // when the next probe is to start
    uint64_t healthy_since_ms;
};

// "file-age": as in the configuration.
const char *check_kind_name(enum check_kind kind);

struct check_state check_begin(uint64_t now_ms);
// Takes the result of a probe that ended at `now_ms`.
void check_take(struct check_state *s, const struct config_check *c, enum probe_result result,
                uint64_t now_ms);
bool check_passes(const struct check_state *s, const struct config_check *c);

#endif
