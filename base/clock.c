// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <sys/timex.h>
#include <time.h>

static uint64_t system_boottime_ms(const struct clock *c)
{
    (void)c;
    struct timespec ts = {0};
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t system_wall_s(const struct clock *c, bool *ret_synchronised)
{
    (void)c;
    struct timespec ts = {0};
    clock_gettime(CLOCK_REALTIME, &ts);
    // Modes 0 only asks. A kernel or sandbox that refuses the question counts as not synchronised.
    struct timex tx = {0};
    int state = adjtimex(&tx);
    *ret_synchronised = state >= 0 && state != TIME_ERROR && (tx.status & STA_UNSYNC) == 0;
    return ts.tv_sec > 0 ? (uint64_t)ts.tv_sec : 0;
}

static void system_sleep_ms(const struct clock *c, uint64_t ms)
{
    (void)c;
    struct timespec ts = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static const struct clock_ops system_ops = {
    .boottime_ms = system_boottime_ms,
    .wall_s = system_wall_s,
    .sleep_ms = system_sleep_ms,
};

const struct clock clock_system = {.ops = &system_ops};

void clock_wait_ms(const struct clock *c, uint64_t ms, const atomic_bool *interrupted)
{
    while (ms > 0 && (interrupted == NULL || !atomic_load(interrupted))) {
        uint64_t piece_ms =
            interrupted == NULL || ms < CLOCK_INTERRUPT_MS ? ms : CLOCK_INTERRUPT_MS;
        c->ops->sleep_ms(c, piece_ms);
        ms -= piece_ms;
    }
}
