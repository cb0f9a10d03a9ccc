// SPDX-License-Identifier: Apache-2.0
// What a service tells systemd about itself, sd_notify(3): datagrams to the socket named by
// NOTIFY_SOCKET. Without systemd nothing is sent.
#ifndef UPDATER_NOTIFY_H
#define UPDATER_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; // -1: nobody listens
    struct sockaddr_un to;
    socklen_t to_len;
    uint64_t watchdog_ms; // a keep-alive is wanted that often (WatchdogSec=); 0: none is
};

// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. What makes no sense is nobody.
struct notify notify_open(void);
void notify_close(struct notify *n);

// Lines of NAME=VALUE: "READY=1", "STATUS=...", "WATCHDOG=1". Nobody waits for it, and an error is
// nobody's business.
void notify_send(const struct notify *n, const char *lines);

#endif
