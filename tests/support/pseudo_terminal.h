// SPDX-License-Identifier: Apache-2.0
// A pseudo terminal, and what is written to it.
#ifndef TESTS_SUPPORT_PSEUDO_TERMINAL_H
#define TESTS_SUPPORT_PSEUDO_TERMINAL_H

#include "tests/support/expect.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

// One of `cols` columns; `*ret_stream` writes to it. Skips the test where there are none, as in a
// bare chroot.
static inline int pseudo_terminal_open(unsigned short cols, FILE **ret_stream)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) {
        skip();
    }
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    struct winsize ws = {.ws_row = 24, .ws_col = cols};
    assert_int_equal(ioctl(fd, TIOCSWINSZ, &ws), 0);
    *ret_stream = fdopen(fd, "w");
    assert_non_null(*ret_stream);
    return master;
}

// All that arrives, a NUL behind it, at most `size - 1` bytes; how many. A terminal hands them over
// in pieces, some time after they were written, and makes "\r\n" of "\n".
static inline size_t pseudo_terminal_read(int master, char *buf, size_t size)
{
    size_t total = 0;
    struct pollfd arrival = {.fd = master, .events = POLLIN};
    while (total < size - 1 && poll(&arrival, 1, 100) == 1) {
        ssize_t n = read(master, buf + total, size - 1 - total);
        assert_true(n > 0);
        total += (size_t)n;
    }
    buf[total] = '\0';
    return total;
}

#endif
