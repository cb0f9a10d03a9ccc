// SPDX-License-Identifier: Apache-2.0
// The agent's local control: JSON lines over a Unix stream socket.
//
// A request is one object in one line, {"do":"status",...}; its answer is one object in one line,
// {"ok":true,...} or {"ok":false,"error":{"code":9,"name":"not_now","message":"..."}}, in the order
// of the requests. After "events" the connection gets every event, too: one object in one line,
// with a member "event" where an answer has "ok". What a request does is its handler's; here are
// framing, limits and the queue of what was not read yet.
//
// Invariants
// 1. No client is waited for: all is non-blocking, and a call into this file handles
//    CONTROL_REQUESTS_PER_CALL requests at most before others have their turn.
// 2. Memory: per client a line that is being received (REQUEST_MAX) and what waits to be read
//    (QUEUE_MAX), both allocated while there is something; CLIENTS_MAX clients.
// 3. While a client has not read what is queued for it, nothing is read from it: it slows down
//    itself only.
// 4. A client that is not served any more is told why where it can read it, and what was its fault
//    is logged once. An idle connection is no fault.
// 5. Nothing wakes the loop up but what a client did, and a deadline while one does not read.
#ifndef UPDATER_AGENT_CONTROL_H
#define UPDATER_AGENT_CONTROL_H

#include "base/json.h"
#include "base/log.h"
#include "updater/agent/control_listen.h"
#include "updater/agent/loop.h"

enum {
    CONTROL_REQUEST_MAX = 64 * 1024, // bytes of a line without its end
    CONTROL_QUEUE_MAX = 256 * 1024,
    CONTROL_CLIENTS_MAX = 16,
    CONTROL_REQUESTS_PER_CALL = 8,
    CONTROL_STALL_MS = 60000, // a client that reads nothing of its queue for so long is closed
};

// Who asks, as the kernel says (SO_PEERCRED: at the time of connect).
struct control_peer {
    pid_t pid;
    uid_t uid;
};

// Does what `what`, the member "do" of `request`, says. `*ret_answer` gets the answer's members but
// for "ok", in a new reference; NULL is none. An error becomes the answer. It refuses names it does
// not know (ERR_USAGE); of "events" it decides whether. It may call control_event(), not
// control_close().
typedef enum err (*control_handle)(void *ctx, const char *what, const json_t *request,
                                   const struct control_peer *peer, json_t **ret_answer,
                                   struct error *e);

struct control_options {
    const char *path;  // of the socket, unless systemd passed one; used while it is opened only
    const char *group; // "": root only
    uint64_t stall_ms; // 0: CONTROL_STALL_MS
    control_handle handle;
    void *ctx;
};

struct control_client;

struct control {
    // Of control.c.
    struct control_options options;
    struct loop *loop;
    struct log *log;
    struct control_socket socket;
    struct loop_fd accept;
    struct loop_deadline accept_again;
    struct control_client *clients; // in the order in which they came
    size_t count;
    bool looked;    // for room, once
    bool told_full; // one line for a crowd
    bool told_accept;
};

// Listens. It does not move until it is closed. Errors as of control_socket_open(); then nothing is
// open.
MUST_CHECK enum err control_open(struct control *ret, struct loop *l, struct log *log,
                                 const struct control_options *options, struct error *e);
// Another path or group, of which `group` outlives the use: connections stay, and so does what
// listens unless the path is another one. Systemd's keeps both. Errors as of control_socket_open();
// then nothing has changed.
MUST_CHECK enum err control_move(struct control *c, const char *path, const char *group,
                                 struct error *e);
// Ends all connections and takes the socket away, unless systemd made it.
void control_close(struct control *c);

// Sends an object with a member "event" to all who asked for events. The caller keeps it.
void control_event(struct control *c, const json_t *event);
// Whether anybody asked for events.
bool control_has_listeners(const struct control *c);

#endif
