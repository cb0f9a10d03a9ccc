// SPDX-License-Identifier: Apache-2.0
// Time by parameter: everything that waits or measures takes a `struct clock`, so that tests run
// on a simulated one.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdint.h>

struct clock;

struct clock_ops {
    // Milliseconds since boot, suspend included; never goes back (CLOCK_BOOTTIME).
    uint64_t (*boottime_ms)(const struct clock *c);
    // Seconds since 1970 and whether the kernel says the clock is synchronised.
    uint64_t (*wall_s)(const struct clock *c, bool *ret_synchronised);
    // A signal may end it early, so that a daemon is not deaf: who must wait in full asks the time.
    void (*sleep_ms)(const struct clock *c, uint64_t ms);
};

struct clock {
    const struct clock_ops *ops;
};

// How long a wait that can be interrupted goes on after it was, at most.
enum { CLOCK_INTERRUPT_MS = 200 };
// Sleeps until the time is over or `*interrupted` (NULL: nobody interrupts) becomes true.
void clock_wait_ms(const struct clock *c, uint64_t ms, const atomic_bool *interrupted);

// The real one.
extern const struct clock clock_system;

#endif
