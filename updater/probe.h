// SPDX-License-Identifier: Apache-2.0
// One probe of one health check: a child process of its own group, with a time limit, whose output
// is kept in part.
//
// Invariants
// 1. A probe never blocks the one who started it; when its time is over its whole process group is
//    killed and it counts as failed. When its process ends, what it left behind in its group is
//    killed too.
// 2. At most PROBE_OUTPUT_MAX bytes of output are kept, the last ones; the rest is read and
// dropped.
// 3. A process that cannot be ended (it waits for a dead disk) is not waited for: `pid` keeps it
//    until it is gone, and no second one is started beside it.
#ifndef UPDATER_PROBE_H
#define UPDATER_PROBE_H

#include "updater/check.h"

#include <sys/types.h>

enum { PROBE_OUTPUT_MAX = 4096 };

// All zeros: never started.
struct probe {
    pid_t pid;     // 0: no process
    bool given_up; // killed, and its result was reported; `pid` is still to be reaped
    int output_fd; // -1: at its end. Readable: probe_step() has something to do
    uint64_t deadline_ms;
    size_t output_len;
    char output[PROBE_OUTPUT_MAX + 1];
};

// Also takes over when the process of the last probe still cannot be ended: probe_step() then says
// at once that this one failed. ERR_IO: there is no process and nothing to step.
MUST_CHECK enum err probe_start(struct probe *p, const struct config_check *c, uint64_t now_ms,
                                struct error *e);
// Takes what there is to read, ends what is overdue. True when the probe ended. What ends a probe
// is its output, its time (deadline_ms) or its end (SIGCHLD): that is when to call.
bool probe_step(struct probe *p, const struct config_check *c, uint64_t now_ms,
                enum probe_result *ret_result);
// Ends a probe that is still running, without waiting: call again until `pid` is 0.
void probe_kill(struct probe *p);

#endif
