// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <errno.h>

static void a_removed_file_is_gone_and_a_missing_one_no_error(void **state)
{
    struct error e;
    char path[256];
    const struct file_part part = {"12345", 5};
    temp_dir_path(path, sizeof path, *state, "data");
    assert_ok(file_replace(path, &part, 1, 0600, &e));
    assert_ok(file_remove(path, &e));
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(file_remove(path, &e));
}

static void what_cannot_be_removed_is_named(void **state)
{
    struct error e;
    assert_fails(ERR_IO, *state, file_remove(*state, &e));
    assert_int_equal(e.sys, EISDIR);
    assert_int_equal(access(*state, F_OK), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        T(a_removed_file_is_gone_and_a_missing_one_no_error),
        T(what_cannot_be_removed_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
