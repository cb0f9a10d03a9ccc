// SPDX-License-Identifier: Apache-2.0
// The real clock, but for sleeping: that takes no time, is written down, and the clock shows later
// by as much.
#ifndef TESTS_SUPPORT_FAST_CLOCK_H
#define TESTS_SUPPORT_FAST_CLOCK_H

#include "base/clock.h"

#include <stddef.h>

enum { FAST_CLOCK_SLEEPS = 64 };

struct fast_clock {
    struct clock base;
    uint64_t slept_ms; // altogether
    size_t count;
    uint64_t sleeps_ms[FAST_CLOCK_SLEEPS]; // the first ones, each
};

struct fast_clock fast_clock_make(void);

#endif
