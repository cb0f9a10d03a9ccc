// SPDX-License-Identifier: Apache-2.0
// What something writes to a file descriptor, as text.
//
//     struct captured out = captured_begin();
//     something(out.fd);
//     assert_string_equal(captured_text(&out), "...");
//     captured_end(&out);
#ifndef TESTS_SUPPORT_CAPTURED_H
#define TESTS_SUPPORT_CAPTURED_H

#include "tests/support/expect.h"

#include <sys/mman.h>
#include <unistd.h>

struct captured {
    int fd;
    char text[8192];
};

static inline struct captured captured_begin(void)
{
    struct captured c = {.fd = memfd_create("captured", MFD_CLOEXEC)};
    assert_true(c.fd >= 0);
    return c;
}

// Everything so far.
static inline const char *captured_text(struct captured *c)
{
    ssize_t n = pread(c->fd, c->text, sizeof c->text - 1, 0);
    assert_true(n >= 0);
    c->text[n] = '\0';
    return c->text;
}

static inline void captured_end(struct captured *c)
{
    close(c->fd);
}

#endif
