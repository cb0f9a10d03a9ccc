// SPDX-License-Identifier: Apache-2.0
// Assertions on `enum err` and on texts, on top of cmocka; the failing test prints both sides.
//
// A test that uses assert_ok() or assert_fails() has a `struct error e` in scope. Every test file
// includes this instead of cmocka.h.
#ifndef TESTS_SUPPORT_EXPECT_H
#define TESTS_SUPPORT_EXPECT_H

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// cmocka.h wants the four headers above before it.
#include <cmocka.h>

// cmocka's fail() hides ours, and its fail_msg() needs that fail().
#undef fail
#undef fail_msg
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        print_error("ERROR: " __VA_ARGS__);                                                        \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)

#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        e = (struct error){0};                                                                     \
        enum err got_ = (expr);                                                                    \
        if (got_ != OK) {                                                                          \
            print_error("expected success of %s\n     got: %s\n", #expr, e.msg);                   \
        }                                                                                          \
        assert_int_equal(got_, OK);                                                                \
    } while (0)

// Fails with `want`, and the sentence contains `part`.
#define assert_fails(want, part, expr)                                                             \
    do {                                                                                           \
        e = (struct error){0};                                                                     \
        enum err got_ = (expr);                                                                    \
        if (got_ != (want)) {                                                                      \
            print_error("expected error %d of %s\n     got: %s\n", (want), #expr, e.msg);          \
        }                                                                                          \
        assert_int_equal(got_, (want));                                                            \
        assert_int_equal(e.code, (want));                                                          \
        assert_contains(e.msg, (part));                                                            \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        const char *part_ = (part);                                                                \
        if (strstr(text_, part_) == NULL) {                                                        \
            fail_msg("expected a text with: %s\n     got: %s", part_, text_);                      \
        }                                                                                          \
    } while (0)

#endif
