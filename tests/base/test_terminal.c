// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.h"

#include "base/cleanup.h"
#include "tests/support/pseudo_terminal.h"

static void a_terminal_is_as_wide_as_it_says(void **state)
{
    (void)state;
    static const unsigned short widths[] = {1, 40, 80, 200};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        CLEANUP(cleanup_fclose) FILE *stream = NULL;
        CLEANUP(cleanup_close) int master = pseudo_terminal_open(widths[i], &stream);
        assert_true(master >= 0);
        assert_int_equal(terminal_columns(stream), widths[i]);
        assert_int_equal(terminal_rows(stream), 24);
    }
}

static void a_terminal_that_does_not_say_has_80_columns(void **state)
{
    (void)state;
    CLEANUP(cleanup_fclose) FILE *stream = NULL;
    CLEANUP(cleanup_close) int master = pseudo_terminal_open(0, &stream);
    assert_true(master >= 0);
    assert_int_equal(terminal_columns(stream), 80);
}

static void what_is_no_terminal_has_no_columns(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len;
    FILE *memory = open_memstream(&text, &len);
    CLEANUP(cleanup_fclose) FILE *file = tmpfile();
    assert_non_null(memory);
    assert_non_null(file);
    assert_int_equal(terminal_columns(memory), 0);
    assert_int_equal(terminal_columns(file), 0);
    assert_int_equal(terminal_rows(memory), 0);
    assert_int_equal(terminal_rows(file), 0);
    fclose(memory);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_is_as_wide_as_it_says),
        cmocka_unit_test(a_terminal_that_does_not_say_has_80_columns),
        cmocka_unit_test(what_is_no_terminal_has_no_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
