// SPDX-License-Identifier: Apache-2.0
// Work that may hang, done by a child process of its own group, with a time limit, whose output is
// kept in part: probes of health checks, gate commands, requests to a lock server.
//
// Invariants
// 1. A run never blocks the one who started it; when its time is over its whole process group is
//    killed. When its process ends, what it left behind in its group is killed too.
// 2. At most RUN_OUTPUT_MAX bytes of output are kept, the last ones; the rest is read and dropped.
// 3. A process that cannot be ended (it waits for a dead disk) is not waited for: `pid` keeps it
//    until it is gone, and no second one is started beside it.
// 4. The process has an empty standard input, the usual signals, no other file of ours, and dies
//    with the one who started it.
#ifndef UPDATER_BOUNDED_RUN_H
#define UPDATER_BOUNDED_RUN_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { RUN_OUTPUT_MAX = 4096 };

// What is no exit status (0 to 255): ended by a signal or for its time. `output` says which.
enum { RUN_ENDED_BY_FORCE = -1 };

// All zeros: never started.
struct bounded_run {
    pid_t pid;     // 0: no process
    bool given_up; // killed, and its result was reported; `pid` is still to be reaped
    int output_fd; // -1: at its end. Readable: bounded_run_step() has something to do
    bool reaped;   // by the caller; with this status of waitpid(2)
    int wait_status;
    uint64_t timeout_ms;
    uint64_t deadline_ms;
    size_t output_len;
    char output[RUN_OUTPUT_MAX + 1];
};

// Done in the child, which it may also become by exec. Standard output and error are `out_fd`; what
// it returns is the exit status.
typedef int (*bounded_work)(const void *context, int out_fd);

// Also takes over when the process of the last run still cannot be ended: bounded_run_step() then
// says at once that this one ended by force. ERR_IO: there is no process and nothing to step.
MUST_CHECK enum err bounded_run_start(struct bounded_run *r, bounded_work work, const void *context,
                                      uint64_t timeout_ms, uint64_t now_ms, struct error *e);
// Takes what there is to read, ends what is overdue. True when the run ended; with a status other
// than 0 and no output, `output` is "exit status N". What ends a run is its output, its time
// (deadline_ms) or its end (SIGCHLD): that is when to call.
bool bounded_run_step(struct bounded_run *r, uint64_t now_ms, int *ret_status);
// For a caller who waits for all children in one place: the process of this run was waited for, and
// how it ended. At once, because its number and with it that of its group is free from then on; the
// next bounded_run_step() or bounded_run_kill() takes it.
void bounded_run_reaped(struct bounded_run *r, int wait_status);
// Ends a run that still goes on, without waiting: call again until `pid` is 0.
void bounded_run_kill(struct bounded_run *r);

// Work that becomes /bin/sh -c COMMAND; returns only when that cannot be started.
int bounded_run_shell(const char *command, int out_fd);

#endif
