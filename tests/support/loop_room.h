// SPDX-License-Identifier: Apache-2.0
// A loop whose calls write down who was called, and things that are watched by it.
//
//     cmocka_unit_test_setup_teardown(a_name, loop_room_make, loop_room_free)
#ifndef TESTS_SUPPORT_LOOP_ROOM_H
#define TESTS_SUPPORT_LOOP_ROOM_H

#include "tests/support/expect.h"
#include "updater/agent/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOP_ROOM_HANG_MS = 20000 };

// What was called, in its order, as words.
struct loop_room {
    struct loop loop;
    char said[512];
    struct loop_deadline limit; // a test that hangs fails instead
};

static inline void say(struct loop_room *r, const char *word)
{
    size_t used = strlen(r->said);
    snprintf(r->said + used, sizeof r->said - used, "%s ", word);
}

static inline void on_signal(void *ctx, int number)
{
    struct loop_room *r = ctx;
    say(r, number == SIGHUP ? "HUP" : number == SIGINT ? "INT" : number == SIGTERM ? "TERM" : "?");
}

static inline void on_limit(void *ctx)
{
    struct loop_room *r = ctx;
    say(r, "hangs");
}

static inline int loop_room_make(void **state)
{
    struct error e;
    struct loop_room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    assert_ok(loop_open(&r->loop, on_signal, r, &e));
    r->limit = (struct loop_deadline){.call = on_limit, .ctx = r};
    *state = r;
    return 0;
}

static inline int loop_room_free(void **state)
{
    struct loop_room *r = *state;
    loop_close(&r->loop);
    free(r);
    return 0;
}

// Until something was called.
static inline void turn(struct loop_room *r)
{
    struct error e;
    r->said[0] = '\0';
    loop_set_deadline(&r->loop, &r->limit, loop_now_ms() + LOOP_ROOM_HANG_MS);
    while (r->said[0] == '\0') {
        assert_ok(loop_turn(&r->loop, &e));
    }
    loop_clear_deadline(&r->loop, &r->limit);
}

// --- things that say their name when they are called --------------------------------------------

struct named {
    struct loop_room *room;
    const char *name;
    void (*then)(struct named *n);
    struct named *other;
    int fds[2]; // [0] is watched, what goes into [1] makes it ready
    struct loop_fd watch;
    struct loop_deadline deadline;
    struct loop_child child;
    uint32_t events;
    int status;
};

static inline void called(struct named *n)
{
    say(n->room, n->name);
    if (n->then != NULL) {
        n->then(n);
    }
}

static inline void on_fd(void *ctx, uint32_t events)
{
    struct named *n = ctx;
    char byte;
    n->events = events;
    (void)recv(n->fds[0], &byte, 1, MSG_DONTWAIT);
    called(n);
}

static inline void on_deadline(void *ctx)
{
    called(ctx);
}

static inline void on_child(void *ctx, int status)
{
    struct named *n = ctx;
    n->status = status;
    called(n);
}

static inline struct named named(struct loop_room *r, const char *name)
{
    return (struct named){.room = r, .name = name};
}

static inline void watch(struct named *n)
{
    struct error e;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, n->fds), 0);
    n->watch = (struct loop_fd){.fd = n->fds[0], .call = on_fd, .ctx = n};
    assert_ok(loop_watch_fd(&n->room->loop, &n->watch, EPOLLIN, &e));
}

static inline void unwatch(struct named *n)
{
    loop_unwatch_fd(&n->room->loop, &n->watch);
    close(n->fds[0]);
    close(n->fds[1]);
}

static inline void make_ready(const struct named *n)
{
    assert_int_equal(write(n->fds[1], "x", 1), 1);
}

static inline void set_deadline(struct named *n, uint64_t due_ms)
{
    n->deadline.call = on_deadline;
    n->deadline.ctx = n;
    loop_set_deadline(&n->room->loop, &n->deadline, due_ms);
}

static inline void watch_child(struct named *n, pid_t pid)
{
    n->child = (struct loop_child){.pid = pid, .call = on_child, .ctx = n};
    loop_watch_child(&n->room->loop, &n->child);
}

// Ends with `code` at once, or when it is told to.
static inline pid_t fork_child(const struct loop_room *r, int code, bool at_once)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        loop_restore_signals(&r->loop);
        while (!at_once) {
            pause();
        }
        _exit(code);
    }
    return pid;
}

// Its end can be waited for; it has not been.
static inline void wait_until_ended(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

#endif
