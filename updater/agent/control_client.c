// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control_client.h"

#include "base/parse.h"
#include "updater/agent/control.h"

#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

enum { MS_PER_S = 1000, US_PER_MS = 1000 };

// One exchange.
struct exchange {
    const char *path;
    uint64_t timeout_ms;
    uint64_t until_ms;
    int fd;
};

static enum err fail_late(const struct exchange *x, struct error *e)
{
    char duration[32];
    return fail(e, ERR_AGAIN, 0, "the agent did not answer within %s (socket %s)",
                format_duration(x->timeout_ms, duration, sizeof duration), x->path);
}

// What is left of the time becomes that of the next call that waits.
static enum err limit(const struct exchange *x, int option, struct error *e)
{
    uint64_t now_ms = loop_now_ms();
    if (now_ms >= x->until_ms) {
        return fail_late(x, e);
    }
    uint64_t left_ms = x->until_ms - now_ms;
    struct timeval left = {.tv_sec = (time_t)(left_ms / MS_PER_S),
                           .tv_usec = (suseconds_t)(left_ms % MS_PER_S * US_PER_MS)};
    return setsockopt(x->fd, SOL_SOCKET, option, &left, sizeof left) == 0
               ? OK
               : fail(e, ERR_IO, errno, "%s: limit the wait", x->path);
}

// --- connecting ---------------------------------------------------------------------------------

static enum err fail_denied(const struct exchange *x, struct error *e)
{
    struct stat st;
    // Root alone has the file of an agent without a group; its group then means nothing.
    const struct group *group =
        stat(x->path, &st) == 0 && (st.st_mode & S_IWGRP) != 0 ? getgrgid(st.st_gid) : NULL;
    return group == NULL || st.st_gid == 0
               ? fail(e, ERR_IO, EACCES, "%s: only root may talk to the agent ([agent] group)",
                      x->path)
               : fail(e, ERR_IO, EACCES,
                      "%s: only root and members of the group \"%s\" may talk to the agent",
                      x->path, group->gr_name);
}

static enum err fail_connect(const struct exchange *x, int sys, struct error *e)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
        return fail(e, ERR_NOT_NOW, 0, "no agent is running (socket %s)", x->path);
    case EACCES:
        return fail_denied(x, e);
    case EAGAIN:
        return fail_late(x, e);
    default:
        return fail(e, ERR_IO, sys, "%s: connect", x->path);
    }
}

static enum err open_connection(struct exchange *x, struct error *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(x->path);
    if (len >= sizeof at.sun_path) {
        return fail(e, ERR_CONFIG, 0, "%s: too long for the path of a socket", x->path);
    }
    memcpy(at.sun_path, x->path, len);
    x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (x->fd < 0) {
        return fail(e, ERR_IO, errno, "make a socket");
    }
    enum err err = limit(x, SO_SNDTIMEO, e); // bounds connect, too
    if (err == OK && connect(x->fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        err = fail_connect(x, errno, e);
    }
    return err;
}

// --- the request and its answer -----------------------------------------------------------------

// An agent that turns a connection away does not read it; its line can be read all the same.
static enum err send_line(const struct exchange *x, const char *line, struct error *e)
{
    size_t len = strlen(line);
    while (len > 0) {
        enum err err = limit(x, SO_SNDTIMEO, e);
        if (err != OK) {
            return err;
        }
        ssize_t n = send(x->fd, line, len, MSG_NOSIGNAL);
        if (n > 0) {
            line += n;
            len -= (size_t)n;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return OK;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fail(e, ERR_IO, errno, "%s: send", x->path);
        }
    }
    return OK;
}

// Up to the end of the first line, which is replaced by a NUL.
static enum err receive_line(const struct exchange *x, char *buf, size_t room, struct error *e)
{
    size_t len = 0;
    while (len < room) {
        enum err err = limit(x, SO_RCVTIMEO, e);
        if (err != OK) {
            return err;
        }
        ssize_t n = recv(x->fd, buf + len, room - len, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            return fail(e, ERR_AGAIN, 0, "the agent ended before it answered (socket %s)", x->path);
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return fail(e, ERR_IO, errno, "%s: receive", x->path);
        }
        char *end = n > 0 ? memchr(buf + len, '\n', (size_t)n) : NULL;
        if (end != NULL) {
            *end = '\0';
            return OK;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    return fail(e, ERR_FORMAT, 0, "%s: an answer without end", x->path);
}

// The agent's own words for its refusal.
static enum err read_refusal(const struct exchange *x, const json_t *answer, struct error *e)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = NULL;
    uint64_t code = 0;
    enum err err = json_get_u64(error, "code", &code, e);
    if (err == OK) {
        err = json_get_string(error, "message", &message, e);
    }
    if (err != OK) {
        return error_context(e, "%s: answer", x->path);
    }
    bool known = (code >= ERR_INTERNAL && code <= ERR_HEALTH) || code == ERR_AGAIN;
    return fail(e, known ? (enum err)code : ERR_INTERNAL, 0, "%s", message);
}

static enum err exchange(struct exchange *x, const json_t *request, json_t **ret_answer,
                         struct error *e)
{
    CLEANUP(cleanup_json) json_t *answer = NULL;
    CLEANUP(cleanup_free) char *text = json_print(request, JSON_COMPACT);
    CLEANUP(cleanup_free) char *line = NULL;
    CLEANUP(cleanup_free) char *buf = malloc(CONTROL_QUEUE_MAX);
    if (text == NULL || buf == NULL || asprintf(&line, "%s\n", text) < 0) {
        line = NULL;
        return fail_memory(e);
    }
    enum err err = open_connection(x, e);
    if (err == OK) {
        err = send_line(x, line, e);
    }
    if (err == OK) {
        err = receive_line(x, buf, CONTROL_QUEUE_MAX, e);
    }
    if (err != OK) {
        return err;
    }
    err = json_parse(buf, strlen(buf), &answer, e);
    if (err != OK) {
        return error_context(e, "%s: answer", x->path);
    }
    if (!json_is_true(json_object_get(answer, "ok"))) {
        return read_refusal(x, answer, e);
    }
    *ret_answer = TAKE_PTR(answer);
    return OK;
}

enum err control_client_ask(const char *path, const json_t *request, uint64_t timeout_ms,
                            json_t **ret_answer, struct error *e)
{
    struct exchange x = {
        .path = path, .timeout_ms = timeout_ms, .until_ms = loop_now_ms() + timeout_ms, .fd = -1};
    enum err err = exchange(&x, request, ret_answer, e);
    cleanup_close(&x.fd);
    return err;
}
