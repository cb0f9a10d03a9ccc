// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fast_clock.h"

// The seam hands out a const clock; this one is written to when it sleeps.
static struct fast_clock *fast_of(const struct clock *c)
{
    return (struct fast_clock *)(uintptr_t)c;
}

static uint64_t fast_boottime_ms(const struct clock *c)
{
    return clock_system.ops->boottime_ms(&clock_system) + fast_of(c)->slept_ms;
}

static uint64_t fast_wall_s(const struct clock *c, bool *ret_synchronised)
{
    bool ignored;
    *ret_synchronised = true;
    return clock_system.ops->wall_s(&clock_system, &ignored) + fast_of(c)->slept_ms / 1000;
}

static void fast_sleep_ms(const struct clock *c, uint64_t ms)
{
    struct fast_clock *f = fast_of(c);
    if (f->count < FAST_CLOCK_SLEEPS) {
        f->sleeps_ms[f->count] = ms;
    }
    f->count++;
    f->slept_ms += ms;
}

static const struct clock_ops fast_ops = {
    .boottime_ms = fast_boottime_ms,
    .wall_s = fast_wall_s,
    .sleep_ms = fast_sleep_ms,
};

struct fast_clock fast_clock_make(void)
{
    return (struct fast_clock){.base = {.ops = &fast_ops}};
}
