// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/control.h"

#include "updater/verbs.h"

#include <string.h>
#include <sys/socket.h>

enum { READ_BYTES = 4096, ROOM_STEP = 4096, ACCEPT_AGAIN_MS = 1000 };

struct bytes {
    char *data;
    size_t len;
    size_t room;
};

struct control_client {
    struct control *control;
    struct loop_fd watch;
    struct loop_deadline deadline; // by state: has not read, has more requests, is to be freed
    struct control_peer peer;
    struct bytes in;
    struct bytes out;
    uint64_t stall_ms; // when it has read nothing for too long; 0: it has nothing to read
    bool subscribed;
    bool eof;     // sends nothing any more
    bool closing; // gets what is queued and no more
    bool dead;    // is freed as soon as nobody looks at it
    struct control_client *next;
};

// --- bytes --------------------------------------------------------------------------------------

static bool bytes_append(struct bytes *b, const char *data, size_t len)
{
    if (b->room - b->len < len) {
        size_t room = (b->len + len + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
        char *bigger = realloc(b->data, room);
        if (bigger == NULL) {
            return false;
        }
        b->data = bigger;
        b->room = room;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return true;
}

// The first `len` of them. An empty one has no memory.
static void bytes_drop(struct bytes *b, size_t len)
{
    b->len -= len;
    if (b->len == 0) {
        free(b->data);
        *b = (struct bytes){0};
    } else {
        memmove(b->data, b->data + len, b->len);
    }
}

// --- what goes out ------------------------------------------------------------------------------

// It is freed in its own turn, for the caller may be going through the list or be its own handler.
static void give_up(struct control_client *c, const char *why)
{
    if (why != NULL && !c->dead) {
        log_warn(c->control->log,
                 "control socket: the connection of process %ld (user %lu) is "
                 "closed: %s",
                 (long)c->peer.pid, (unsigned long)c->peer.uid, why);
    }
    c->dead = true;
    loop_set_deadline(c->control->loop, &c->deadline, 0);
}

// As much as it takes now. That it went away is nobody's business.
static void flush(struct control_client *c)
{
    while (c->out.len > 0 && !c->dead) {
        ssize_t n = send(c->watch.fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes_drop(&c->out, (size_t)n);
            c->stall_ms = 0;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            give_up(c, NULL);
        }
    }
}

// When something changed: what is waited for, and until when.
static void settle(struct control_client *c)
{
    struct loop *l = c->control->loop;
    struct error e;
    bool queued = c->out.len > 0;
    bool requests = !c->closing && c->in.len > 0 && memchr(c->in.data, '\n', c->in.len) != NULL;
    uint32_t events = queued ? EPOLLOUT : EPOLLIN;
    if (!queued && !requests && (c->closing || (c->eof && !c->subscribed))) {
        give_up(c, NULL);
    }
    if (c->dead) {
        return;
    }
    if (queued) {
        uint64_t now_ms = loop_now_ms();
        c->stall_ms = c->stall_ms == 0 ? now_ms + c->control->options.stall_ms : c->stall_ms;
        loop_set_deadline(l, &c->deadline, c->stall_ms);
    } else if (requests) {
        loop_set_deadline(l, &c->deadline, 0);
        events = 0;
    } else {
        loop_clear_deadline(l, &c->deadline);
        events = c->eof ? 0 : EPOLLIN;
    }
    if (loop_change_fd(l, &c->watch, events, &e) != OK) {
        give_up(c, e.msg);
    }
}

static void queue(struct control_client *c, const char *line)
{
    size_t len = strlen(line);
    if (c->dead) {
        return;
    }
    if (c->out.len + len + 1 > CONTROL_QUEUE_MAX) {
        give_up(c, "it does not read, and 256 KiB wait for it");
    } else if (!bytes_append(&c->out, line, len) || !bytes_append(&c->out, "\n", 1)) {
        give_up(c, "out of memory");
    } else {
        flush(c);
    }
}

// --- answers ------------------------------------------------------------------------------------

// malloced; NULL when out of memory.
static char *error_line(const struct error *e)
{
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:b, s:o}", "ok", 0, "error", app_error_json(e));
    return root == NULL ? NULL : json_print(root, JSON_COMPACT);
}

static char *answer_line(json_t *members)
{
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:b}", "ok", 1);
    if (root == NULL || (members != NULL && json_object_update_missing(root, members) != 0)) {
        return NULL;
    }
    return json_print(root, JSON_COMPACT);
}

static void answer_error(struct control_client *c, const struct error *e)
{
    CLEANUP(cleanup_free) char *line = error_line(e);
    queue(c, line != NULL ? line
                          : "{\"ok\":false,\"error\":{\"code\":7,\"name\":\"io\","
                            "\"message\":\"out of memory\"}}");
}

static void answer(struct control_client *c, json_t *members)
{
    struct error e;
    CLEANUP(cleanup_free) char *line = answer_line(members);
    if (line != NULL && strlen(line) < CONTROL_QUEUE_MAX) {
        queue(c, line);
        return;
    }
    (void)(line == NULL ? fail_memory(&e)
                        : fail(&e, ERR_TOO_LARGE, 0, "the answer is larger than 256 KiB"));
    answer_error(c, &e);
}

static enum err handle(struct control_client *c, const char *line, size_t len, struct error *e)
{
    const struct control_options *options = &c->control->options;
    CLEANUP(cleanup_json) json_t *request = NULL;
    CLEANUP(cleanup_json) json_t *members = NULL;
    const char *what = NULL;
    enum err err = json_parse(line, len, &request, e);
    if (err == OK) {
        err = json_get_string(request, "do", &what, e);
    }
    if (err != OK) {
        return error_context(e, "request");
    }
    err = options->handle(options->ctx, what, request, &c->peer, &members, e);
    if (err == OK) {
        c->subscribed = c->subscribed || strcmp(what, "events") == 0;
        answer(c, members);
    }
    return err;
}

// --- what comes in ------------------------------------------------------------------------------

static void refuse_rest(struct control_client *c)
{
    struct error e;
    (void)fail(&e, ERR_FORMAT, 0, "request: a line is longer than 65536 bytes; closed");
    bytes_drop(&c->in, c->in.len);
    c->closing = true;
    answer_error(c, &e);
}

// The length of the first line, when it is there and not too long.
static bool first_line(struct control_client *c, size_t *ret_len)
{
    const char *end = c->in.len > 0 ? memchr(c->in.data, '\n', c->in.len) : NULL;
    *ret_len = end != NULL ? (size_t)(end - c->in.data) : c->in.len;
    if (*ret_len > CONTROL_REQUEST_MAX) {
        refuse_rest(c);
        return false;
    }
    return end != NULL;
}

static void handle_lines(struct control_client *c)
{
    size_t len = 0;
    for (int i = 0; i < CONTROL_REQUESTS_PER_CALL && c->out.len == 0 && !c->closing && !c->dead &&
                    first_line(c, &len);
         i++) {
        struct error e;
        bool empty = len == 0 || (len == 1 && c->in.data[0] == '\r');
        if (!empty && handle(c, c->in.data, len, &e) != OK) {
            answer_error(c, &e);
        }
        bytes_drop(&c->in, len + 1);
    }
}

// A last line needs no end: whoever closes has said all.
static void receive(struct control_client *c)
{
    char piece[READ_BYTES];
    bool kept = true;
    ssize_t n = recv(c->watch.fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n > 0) {
        kept = bytes_append(&c->in, piece, (size_t)n);
    } else if (n == 0) {
        c->eof = true;
        kept = c->in.len == 0 || bytes_append(&c->in, "\n", 1);
    } else if (errno != EAGAIN && errno != EINTR) {
        give_up(c, NULL);
    }
    if (!kept) {
        give_up(c, "out of memory");
    }
}

// --- clients ------------------------------------------------------------------------------------

static void client_free(struct control_client *c)
{
    struct control *control = c->control;
    struct control_client **at = &control->clients;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    control->count--;
    control->told_full = false;
    loop_clear_deadline(control->loop, &c->deadline);
    loop_unwatch_fd(control->loop, &c->watch);
    close(c->watch.fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

// The end of each of its turns.
static void go_on(struct control_client *c)
{
    handle_lines(c);
    settle(c);
    if (c->dead) {
        client_free(c);
    }
}

static void on_client_ready(void *ctx, uint32_t events)
{
    struct control_client *c = ctx;
    if ((events & EPOLLOUT) != 0) {
        flush(c);
    }
    if ((events & EPOLLIN) != 0) {
        receive(c);
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        give_up(c, NULL);
    }
    go_on(c);
}

static void on_client_deadline(void *ctx)
{
    struct control_client *c = ctx;
    if (c->out.len > 0 && c->stall_ms != 0 && c->stall_ms <= loop_now_ms()) {
        give_up(c, "it does not read");
    }
    go_on(c);
}

static enum err client_add(struct control *control, int fd, struct error *e)
{
    struct ucred who = {0};
    socklen_t len = sizeof who;
    struct control_client *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return fail_memory(e);
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    c->control = control;
    c->peer = (struct control_peer){.pid = who.pid, .uid = who.uid};
    c->watch = (struct loop_fd){.fd = fd, .call = on_client_ready, .ctx = c};
    c->deadline = (struct loop_deadline){.call = on_client_deadline, .ctx = c};
    enum err err = loop_watch_fd(control->loop, &c->watch, EPOLLIN, e);
    if (err != OK) {
        free(c);
        return err;
    }
    struct control_client **at = &control->clients;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = c;
    control->count++;
    return OK;
}

// One line, which a new socket always has room for.
static void turn_away(struct control *control, int fd, const struct error *e)
{
    CLEANUP(cleanup_free) char *line = error_line(e);
    if (line != NULL) {
        char *end = line + strlen(line);
        *end = '\n'; // in the place of the NUL: what is sent has a length
        (void)send(fd, line, (size_t)(end - line) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (!control->told_full) {
        log_warn(control->log, "control socket: a connection was turned away: %s", e->msg);
        control->told_full = true;
    }
}

// Without descriptors or memory the connection that waits would wake the loop up again and again.
static void pause_accept(struct control *control, int sys)
{
    struct error e;
    struct error ignored;
    if (!control->told_accept) {
        (void)fail(&e, ERR_IO, sys, "control socket: accept");
        log_warn(control->log, "%s", e.msg);
        control->told_accept = true;
    }
    (void)!loop_change_fd(control->loop, &control->accept, 0, &ignored);
    loop_set_deadline(control->loop, &control->accept_again, loop_now_ms() + ACCEPT_AGAIN_MS);
}

static void on_accept_again(void *ctx)
{
    struct control *control = ctx;
    struct error e;
    if (loop_change_fd(control->loop, &control->accept, EPOLLIN, &e) != OK) {
        pause_accept(control, e.sys);
    }
}

static void on_accept(void *ctx, uint32_t events)
{
    (void)events;
    struct control *control = ctx;
    struct error e;
    // Those who just left have their turn behind this one.
    control->looked = control->count >= CONTROL_CLIENTS_MAX && !control->looked;
    if (control->looked) {
        return;
    }
    CLEANUP(cleanup_close)
    int fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            pause_accept(control, errno);
        }
        return;
    }
    control->told_accept = false;
    if (control->count >= CONTROL_CLIENTS_MAX) {
        (void)fail(&e, ERR_AGAIN, 0, "%d connections are open already", CONTROL_CLIENTS_MAX);
        turn_away(control, fd, &e);
    } else if (client_add(control, fd, &e) != OK) {
        turn_away(control, fd, &e);
    } else {
        (void)TAKE_FD(fd); // the client's
    }
}

// --- the server ---------------------------------------------------------------------------------

static enum err watch_socket(struct control *c, struct error *e)
{
    c->accept = (struct loop_fd){.fd = c->socket.fd, .call = on_accept, .ctx = c};
    return loop_watch_fd(c->loop, &c->accept, EPOLLIN, e);
}

enum err control_open(struct control *ret, struct loop *l, struct log *log,
                      const struct control_options *options, struct error *e)
{
    *ret = (struct control){.options = *options, .loop = l, .log = log};
    ret->options.stall_ms = options->stall_ms != 0 ? options->stall_ms : CONTROL_STALL_MS;
    enum err err = control_socket_open(options->path, options->group, &ret->socket, e);
    if (err != OK) {
        return err;
    }
    ret->accept_again = (struct loop_deadline){.call = on_accept_again, .ctx = ret};
    err = watch_socket(ret, e);
    if (err != OK) {
        control_socket_close(&ret->socket);
    }
    return err;
}

static enum err move_to(struct control *c, const char *path, const char *group, struct error *e)
{
    struct error ignored;
    struct control_socket last = c->socket;
    struct control_socket next;
    enum err err = control_socket_open(path, group, &next, e);
    if (err != OK) {
        return err;
    }
    loop_clear_deadline(c->loop, &c->accept_again);
    loop_unwatch_fd(c->loop, &c->accept);
    c->socket = next;
    err = watch_socket(c, e);
    if (err != OK) {
        c->socket = last;
        (void)!watch_socket(c, &ignored); // what has just been given up is free again
    }
    control_socket_close(err == OK ? &last : &next);
    return err;
}

enum err control_move(struct control *c, const char *path, const char *group, struct error *e)
{
    enum err err = OK;
    if (c->socket.path != NULL && strcmp(path, c->socket.path) != 0) {
        err = move_to(c, path, group, e);
    } else if (c->socket.path != NULL && strcmp(group, c->options.group) != 0) {
        err = control_socket_give(&c->socket, group, e);
    }
    if (err == OK) {
        c->options.group = group;
    }
    return err;
}

void control_close(struct control *c)
{
    while (c->clients != NULL) {
        client_free(c->clients);
    }
    loop_clear_deadline(c->loop, &c->accept_again);
    loop_unwatch_fd(c->loop, &c->accept);
    control_socket_close(&c->socket);
}

bool control_has_listeners(const struct control *c)
{
    const struct control_client *client = c->clients;
    while (client != NULL && (!client->subscribed || client->closing || client->dead)) {
        client = client->next;
    }
    return client != NULL;
}

void control_event(struct control *c, const json_t *event)
{
    if (!control_has_listeners(c)) {
        return;
    }
    CLEANUP(cleanup_free) char *line = json_print(event, JSON_COMPACT);
    if (line == NULL) {
        log_error(c->log, "control socket: an event could not be told: out of memory");
        return;
    }
    for (struct control_client *client = c->clients; client != NULL; client = client->next) {
        if (client->subscribed && !client->closing && !client->dead) {
            queue(client, line);
            settle(client);
        }
    }
}
