// SPDX-License-Identifier: Apache-2.0
#include "tests/support/moved_clock.h"

#include "tests/support/expect.h"

#include <poll.h>
#include <sys/timerfd.h>

static uint64_t moved_boottime_ms(const struct clock *c)
{
    (void)c;
    return clock_system.ops->boottime_ms(&clock_system);
}

static uint64_t moved_wall_s(const struct clock *c, bool *ret_synchronised)
{
    const struct moved_clock *m = (const struct moved_clock *)c;
    bool ignored;
    *ret_synchronised = m->synchronised;
    return clock_system.ops->wall_s(&clock_system, &ignored) + m->ahead_s;
}

static void moved_sleep_ms(const struct clock *c, uint64_t ms)
{
    (void)c;
    clock_system.ops->sleep_ms(&clock_system, ms);
}

static const struct clock_ops moved_ops = {
    .boottime_ms = moved_boottime_ms,
    .wall_s = moved_wall_s,
    .sleep_ms = moved_sleep_ms,
};

struct moved_clock moved_clock_make(void)
{
    return (struct moved_clock){.base = {.ops = &moved_ops}, .synchronised = true};
}

void moved_clock_set(struct moved_clock *c, uint64_t wall_s)
{
    bool ignored;
    c->ahead_s = wall_s - clock_system.ops->wall_s(&clock_system, &ignored);
}

// Nobody but root may set the clock: a timer that fires is as ready as one that was cancelled.
void moved_clock_tell(struct loop *l)
{
    const struct itimerspec soon = {.it_value.tv_nsec = 1};
    struct pollfd ready = {.fd = l->clock_fd, .events = POLLIN};
    assert_int_equal(timerfd_settime(l->clock_fd, 0, &soon, NULL), 0);
    assert_int_equal(poll(&ready, 1, -1), 1);
}
