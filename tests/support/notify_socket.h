// SPDX-License-Identifier: Apache-2.0
// The end of systemd's that services talk to: NOTIFY_SOCKET leads to it.
#ifndef TESTS_SUPPORT_NOTIFY_SOCKET_H
#define TESTS_SUPPORT_NOTIFY_SOCKET_H

#include "tests/support/expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// At `path`; with a leading @ in the abstract namespace.
static inline int notify_socket_open(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_true(strlen(path) < sizeof at.sun_path);
    memcpy(at.sun_path, path, strlen(path));
    if (path[0] == '@') {
        at.sun_path[0] = '\0';
    }
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

// What was said first and not read yet; "" when nothing was.
static inline const char *notify_socket_read(int fd, char buf[1024])
{
    ssize_t n = recv(fd, buf, 1023, 0);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

static inline void notify_socket_close(int fd)
{
    close(fd);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

#endif
