// SPDX-License-Identifier: Apache-2.0
// Waiting for a bounded run on the real clock, as an event loop would.
#ifndef TESTS_SUPPORT_RUN_WAIT_H
#define TESTS_SUPPORT_RUN_WAIT_H

#include "base/clock.h"
#include "tests/support/expect.h"
#include "updater/bounded_run.h"

#include <poll.h>

enum { RUN_PATIENCE_MS = 20000 };

static inline uint64_t run_now_ms(void)
{
    return clock_system.ops->boottime_ms(&clock_system);
}

// Until there may be something to do for it.
static inline void run_wait(const struct bounded_run *r)
{
    struct pollfd fd = {.fd = r->output_fd, .events = POLLIN};
    (void)poll(&fd, 1, 1);
}

// The status with which it ends.
static inline int run_finish(struct bounded_run *r)
{
    int status;
    uint64_t late = run_now_ms() + RUN_PATIENCE_MS;
    while (!bounded_run_step(r, run_now_ms(), &status)) {
        assert_true(run_now_ms() < late);
        run_wait(r);
    }
    return status;
}

// Until its process is gone.
static inline void run_let_go(struct bounded_run *r)
{
    uint64_t late = run_now_ms() + RUN_PATIENCE_MS;
    while (r->pid != 0) {
        assert_true(run_now_ms() < late);
        bounded_run_kill(r);
        (void)poll(NULL, 0, 1);
    }
}

#endif
