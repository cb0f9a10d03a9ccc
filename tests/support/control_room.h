// SPDX-License-Identifier: Apache-2.0
// The agent's control socket with a handler, in a loop that turns until there is nothing to do, and
// clients in the same process.
//
//     cmocka_unit_test_setup_teardown(a_name, control_room_make, control_room_free)
#ifndef TESTS_SUPPORT_CONTROL_ROOM_H
#define TESTS_SUPPORT_CONTROL_ROOM_H

#include "tests/support/expect.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    ROOM_KIB = 1024,
    ROOM_TURNS_MAX = 100000,
    ROOM_HEARD_SIZE = 1024 * 1024,
    ROOM_IDLE_MS = 100
};

struct control_room {
    struct loop loop;
    struct control control;
    struct talk talk;
    char path[108];
    void *dir;
    size_t handled;
    struct control_peer peer; // of the last request
    char *heard;              // what a client read last
    struct loop_deadline limit;
};

// --- the owner's side ---------------------------------------------------------------------------

static inline json_t *an_event(const char *text, size_t padding)
{
    CLEANUP(cleanup_free) char *pad = calloc(1, padding + 1);
    assert_non_null(pad);
    memset(pad, 'x', padding);
    json_t *event = json_pack("{s:s, s:s}", "event", text, "pad", pad);
    assert_non_null(event);
    return event;
}

static inline void tell(struct control_room *r, const char *text, size_t padding)
{
    CLEANUP(cleanup_json) json_t *event = an_event(text, padding);
    control_event(&r->control, event);
}

static inline enum err handle(void *ctx, const char *what, const json_t *request,
                              const struct control_peer *peer, json_t **ret_answer, struct error *e)
{
    struct control_room *r = ctx;
    r->handled++;
    r->peer = *peer;
    if (strcmp(what, "status") == 0) {
        *ret_answer = json_pack("{s:s}", "state", "idle");
    } else if (strcmp(what, "large") == 0) {
        *ret_answer =
            an_event("large", (size_t)json_integer_value(json_object_get(request, "size")));
    } else if (strcmp(what, "tell") == 0) {
        for (int i = 0; i < 8; i++) {
            tell(r, "told", 64 * ROOM_KIB);
        }
    } else if (strcmp(what, "cancel") == 0) {
        return fail(e, ERR_NOT_NOW, 0, "too late: \xff\n");
    } else if (strcmp(what, "events") != 0 || json_object_get(request, "refuse") != NULL) {
        return fail(e, ERR_USAGE, 0, "unknown request \"%s\"", what);
    }
    return OK;
}

static inline void on_signal(void *ctx, int number)
{
    (void)ctx;
    (void)number;
}

static inline void open_control(struct control_room *r)
{
    struct error e;
    const struct control_options options = {
        .path = r->path, .group = "", .handle = handle, .ctx = r};
    assert_ok(control_open(&r->control, &r->loop, &r->talk.log, &options, &e));
}

static inline int control_room_make(void **state)
{
    struct error e;
    struct control_room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->heard = malloc(ROOM_HEARD_SIZE);
    assert_non_null(r->heard);
    assert_int_equal(temp_dir_make(&r->dir), 0);
    temp_dir_path(r->path, sizeof r->path, r->dir, "control");
    talk_begin(&r->talk);
    assert_ok(loop_open(&r->loop, on_signal, r, &e));
    open_control(r);
    *state = r;
    return 0;
}

static inline int control_room_free(void **state)
{
    struct control_room *r = *state;
    control_close(&r->control);
    assert_null(r->loop.fds);
    assert_null(r->loop.deadlines);
    loop_close(&r->loop);
    talk_end(&r->talk);
    assert_int_equal(access(r->path, F_OK), -1);
    free(r->heard);
    temp_dir_remove(&r->dir);
    free(r);
    return 0;
}

static inline bool busy(const struct control_room *r)
{
    struct pollfd ready = {.fd = r->loop.epoll_fd, .events = POLLIN};
    bool due = false;
    for (const struct loop_deadline *d = r->loop.deadlines; d != NULL; d = d->next) {
        due = due || d->due_ms <= loop_now_ms();
    }
    return due || poll(&ready, 1, 0) > 0;
}

static inline void on_guard(void *ctx)
{
    (void)ctx;
}

// Until there is nothing to do. A busy loop ends the test. No turn waits: the timer of a deadline
// that was met a moment before looks like something to do.
static inline void pump(struct control_room *r)
{
    struct error e;
    struct loop_deadline guard = {.call = on_guard};
    for (unsigned turns = 0; busy(r); turns++) {
        assert_true(turns < ROOM_TURNS_MAX);
        loop_set_deadline(&r->loop, &guard, 0);
        assert_ok(loop_turn(&r->loop, &e));
        loop_clear_deadline(&r->loop, &guard);
    }
}

static inline void on_limit(void *ctx)
{
    struct control_room *r = ctx;
    r->limit.ctx = NULL;
}

// Serves for so long.
static inline void serve(struct control_room *r, uint64_t ms)
{
    struct error e;
    r->limit = (struct loop_deadline){.call = on_limit, .ctx = r};
    loop_set_deadline(&r->loop, &r->limit, loop_now_ms() + ms);
    while (r->limit.ctx != NULL) {
        assert_ok(loop_turn(&r->loop, &e));
    }
}

// --- the clients' side --------------------------------------------------------------------------

static inline int join(struct control_room *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, r->path, sizeof r->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

// All of it, unless the other side takes no more or went away; how much.
static inline size_t say(struct control_room *r, int fd, const char *data, size_t len)
{
    size_t said = 0;
    while (said < len) {
        ssize_t n = send(fd, data + said, len - said, MSG_NOSIGNAL);
        said += n > 0 ? (size_t)n : 0;
        bool stuck = n <= 0 && !busy(r);
        pump(r);
        if (stuck || (n < 0 && errno != EAGAIN)) {
            break;
        }
    }
    pump(r);
    return said;
}

// What can be read now; "" when nothing; with "(end)" behind it when the connection was closed.
static const char *hear(struct control_room *r, int fd)
{
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0) {
        assert_true(len < ROOM_HEARD_SIZE - 8);
        n = recv(fd, r->heard + len, ROOM_HEARD_SIZE - 8 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        pump(r);
    }
    bool end = n == 0 || errno == ECONNRESET;
    snprintf(r->heard + len, 8, "%s", end ? "(end)" : "");
    return r->heard;
}

static const char *ask(struct control_room *r, int fd, const char *line)
{
    assert_int_equal(say(r, fd, line, strlen(line)), strlen(line));
    return hear(r, fd);
}

#define STATUS "{\"do\":\"status\"}\n"
#define EVENTS "{\"do\":\"events\"}\n"
#define IDLE "{\"ok\":true,\"state\":\"idle\"}\n"
#define DONE "{\"ok\":true}\n"

#endif
