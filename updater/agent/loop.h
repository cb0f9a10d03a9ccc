// SPDX-License-Identifier: Apache-2.0
// The event loop of the agent: file descriptors, deadlines, signals, ends of child processes and a
// wall clock that is set, in one process without threads.
//
// Invariants
// 1. Nothing happens, nothing runs: without a deadline the wait is without end, and a deadline is
//    one timer on CLOCK_BOOTTIME (suspend counts), set for the earliest only. Every return from the
//    wait is counted.
// 2. Order within one wake-up: signals by number, the wall clock, children, file descriptors,
//    deadlines. Children and descriptors in the order in which they were watched, deadlines by
//    time, then in the order in which they were set.
// 3. What is unwatched or cleared is not called afterwards, ready or not; what is watched or set
//    during a wake-up is not called before the next one. Each is called once a wake-up.
// 4. A watch belongs to its owner, does not move while it is watched, and may be freed in its own
//    call: the loop does not touch it after it began the call.
// 5. Children are found by SIGCHLD, which kernels of every age have, and by their own numbers:
//    others of this process are left to those who started them.
#ifndef UPDATER_AGENT_LOOP_H
#define UPDATER_AGENT_LOOP_H

#include "base/error.h"

#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

// `fd` is ready for `events` (EPOLLIN, EPOLLOUT; EPOLLHUP and EPOLLERR come unasked, and come again
// until the descriptor is unwatched).
typedef void (*loop_fd_call)(void *ctx, uint32_t events);
typedef void (*loop_deadline_call)(void *ctx);
// `status` is that of waitpid(2); LOOP_STATUS_UNKNOWN when somebody else has waited for it.
typedef void (*loop_child_call)(void *ctx, int status);
typedef void (*loop_signal_call)(void *ctx, int signal_number);
typedef void (*loop_clock_call)(void *ctx);

enum { LOOP_STATUS_UNKNOWN = -1 };

struct loop_fd {
    int fd;
    loop_fd_call call;
    void *ctx;
    // Of loop.c.
    uint32_t ready;
    struct loop_fd *next;
};

struct loop_deadline {
    loop_deadline_call call;
    void *ctx;
    // Of loop.c.
    uint64_t due_ms;
    bool ready;
    struct loop_deadline *next;
};

struct loop_child {
    pid_t pid;
    loop_child_call call;
    void *ctx;
    // Of loop.c.
    bool ended;
    int status;
    struct loop_child *next;
};

struct loop {
    uint64_t wakeups; // returns from the wait, since loop_open()
    // Of loop.c.
    loop_signal_call on_signal;
    void *signal_ctx;
    loop_clock_call on_clock;
    void *clock_ctx;
    int epoll_fd;
    int timer_fd;
    int signal_fd;
    int clock_fd;      // -1: nobody asked
    uint64_t armed_ms; // what the timer is set to
    bool look;         // a child may have ended
    bool clock_set;    // and nobody was told yet
    bool stopped;
    struct loop_fd *fds;
    struct loop_deadline *deadlines;
    struct loop_child *children;
    sigset_t old_mask;
    struct sigaction old_child;
};

// Blocks SIGHUP, SIGINT, SIGTERM and SIGCHLD; the first three are told to `on_signal`. The loop
// does not move until it is closed, once, whether opening went well or not.
MUST_CHECK enum err loop_open(struct loop *ret, loop_signal_call on_signal, void *ctx,
                              struct error *e);
// Forgets all that is watched, and signals are as they were. The owners close and free.
void loop_close(struct loop *l);

// From now on `call` is told that the wall clock does not go on from where it was: it was set, by
// however much, or the device was suspended. One that is only slewed tells nothing. Once a loop.
MUST_CHECK enum err loop_watch_clock(struct loop *l, loop_clock_call call, void *ctx,
                                     struct error *e);

// Milliseconds of CLOCK_BOOTTIME, which deadlines are in.
uint64_t loop_now_ms(void);

// `w` has fd, call and ctx. `events` 0: only that the other side went away. To be unwatched before
// the descriptor is closed.
MUST_CHECK enum err loop_watch_fd(struct loop *l, struct loop_fd *w, uint32_t events,
                                  struct error *e);
MUST_CHECK enum err loop_change_fd(struct loop *l, struct loop_fd *w, uint32_t events,
                                   struct error *e);
// One that is not watched is left alone. Neither closes nor frees.
void loop_unwatch_fd(struct loop *l, struct loop_fd *w);

// `d` has call and ctx. It is called once, at `due_ms` or later (a time that is over: at once);
// setting it again moves it.
void loop_set_deadline(struct loop *l, struct loop_deadline *d, uint64_t due_ms);
void loop_clear_deadline(struct loop *l, struct loop_deadline *d);
bool loop_has_deadline(const struct loop *l, const struct loop_deadline *d);

// `c` has pid (a child of this process that nobody else waits for), call and ctx. Its end is told
// once, also when it was over before this; then it is not watched any more.
void loop_watch_child(struct loop *l, struct loop_child *c);
void loop_unwatch_child(struct loop *l, struct loop_child *c);
// For a child of this process between fork and exec: the signals it would have without the loop.
// Safe there.
void loop_restore_signals(const struct loop *l);

// One wait and all the calls that come of it.
MUST_CHECK enum err loop_turn(struct loop *l, struct error *e);
// Turns until loop_stop(), which ends it after the calls of the same wake-up.
MUST_CHECK enum err loop_run(struct loop *l, struct error *e);
void loop_stop(struct loop *l);

#endif
