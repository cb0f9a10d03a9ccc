// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>

static void a_failure_returns_its_code_and_keeps_its_sentence(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(fail(&e, ERR_TRUST, 0, "signer %d of %d", 1, 2), ERR_TRUST);
    assert_int_equal(e.code, ERR_TRUST);
    assert_int_equal(e.sys, 0);
    assert_string_equal(e.msg, "signer 1 of 2");
}

static void the_errno_is_kept_and_told(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(fail(&e, ERR_IO, ENOENT, "open"), ERR_IO);
    assert_int_equal(e.sys, ENOENT);
    assert_string_equal(e.msg, "open: No such file or directory");
}

static void context_stands_in_front_and_keeps_code_and_errno(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(fail(&e, ERR_IO, ENOSPC, "write"), ERR_IO);
    assert_int_equal(error_context(&e, "slot %s", "b"), ERR_IO);
    assert_int_equal(e.sys, ENOSPC);
    assert_string_equal(e.msg, "slot b: write: No space left on device");
}

static void a_sentence_too_long_is_cut_inside_the_buffer(void **state)
{
    (void)state;
    struct error e = {0};
    char text[2 * sizeof e.msg];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(fail(&e, ERR_IO, EIO, "%s", text), ERR_IO);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void context_that_cuts_the_sentence_shows_it(void **state)
{
    (void)state;
    struct error e = {0};
    char text[sizeof e.msg];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(fail(&e, ERR_IO, 0, "%s", text), ERR_IO);
    assert_int_equal(error_context(&e, "slot b"), ERR_IO);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    assert_memory_equal(e.msg, "slot b: xxx", 11);
    assert_string_equal(e.msg + sizeof e.msg - 4, "...");
}

static void context_longer_than_the_buffer_stays_inside(void **state)
{
    (void)state;
    struct error e = {0};
    char text[2 * sizeof e.msg];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(fail(&e, ERR_IO, 0, "z"), ERR_IO);
    assert_int_equal(error_context(&e, "%s", text), ERR_IO);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void out_of_memory_is_an_input_output_error(void **state)
{
    (void)state;
    struct error e = {0};
    assert_int_equal(fail_memory(&e), ERR_IO);
    assert_int_equal(e.sys, ENOMEM);
    assert_contains(e.msg, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_returns_its_code_and_keeps_its_sentence),
        cmocka_unit_test(the_errno_is_kept_and_told),
        cmocka_unit_test(context_stands_in_front_and_keeps_code_and_errno),
        cmocka_unit_test(a_sentence_too_long_is_cut_inside_the_buffer),
        cmocka_unit_test(context_that_cuts_the_sentence_shows_it),
        cmocka_unit_test(context_longer_than_the_buffer_stays_inside),
        cmocka_unit_test(out_of_memory_is_an_input_output_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
