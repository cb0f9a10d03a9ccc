// SPDX-License-Identifier: Apache-2.0
// The real clock, but for the time on the wall, which a test sets as it likes; and a loop that is
// told so.
#ifndef TESTS_SUPPORT_MOVED_CLOCK_H
#define TESTS_SUPPORT_MOVED_CLOCK_H

#include "base/clock.h"
#include "updater/agent/loop.h"

struct moved_clock {
    struct clock base;
    uint64_t ahead_s; // of the real time; modulo 2^64, so that it may be behind
    bool synchronised;
};

// Synchronised, and not moved.
struct moved_clock moved_clock_make(void);
// It shows `wall_s` now.
void moved_clock_set(struct moved_clock *c, uint64_t wall_s);
// What the kernel does to a loop that watches the wall clock when that is set.
void moved_clock_tell(struct loop *l);

#endif
