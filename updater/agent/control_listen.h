// SPDX-License-Identifier: Apache-2.0
// The socket on which the agent is talked to: made by it, or passed by systemd.
//
// Invariants
// 1. Nobody can connect before owner, group and mode are right: listening comes last.
// 2. PATH.lock is held while a socket of our own is open, so that PATH is replaced by one agent at
//    a time, and only when nobody answers there. What is no socket is never replaced.
// 3. A passed socket is a listening Unix stream socket, and stays when the agent ends.
#ifndef UPDATER_AGENT_CONTROL_LISTEN_H
#define UPDATER_AGENT_CONTROL_LISTEN_H

#include "base/error.h"

struct control_socket {
    int fd;      // listens; never blocks
    int lock_fd; // -1: it was passed
    char *path;  // NULL: it was passed
};

// Takes what systemd passed to this process (LISTEN_PID, LISTEN_FDS; sd_listen_fds(3)), and takes
// these variables away. Otherwise makes `path`, with the last directory on the way to it (0755):
// for root only (0600) with an empty `group`, else for that group too (0660). ERR_AGAIN: another
// agent is running. ERR_CONFIG: the path, the group or what was passed is wrong.
MUST_CHECK enum err control_socket_open(const char *path, const char *group,
                                        struct control_socket *ret, struct error *e);
// Lets another group in, or with "" root only, from the next connection on; not with one that was
// passed. ERR_CONFIG: there is no such group.
MUST_CHECK enum err control_socket_give(const struct control_socket *s, const char *group,
                                        struct error *e);
// Takes the file away when it was ours. A closed one is left alone.
void control_socket_close(struct control_socket *s);

#endif
