// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <string.h>

enum { GUARD_S = 60 }; // who opens a FIFO may wait for ever

static bool holds(const char *path, const char *text)
{
    struct error e;
    bool same;
    const struct file_part part = {text, strlen(text)};
    alarm(GUARD_S);
    assert_ok(file_holds(path, &part, 1, &same, &e));
    alarm(0);
    return same;
}

static void replace(const char *path, const char *text)
{
    struct error e;
    const struct file_part part = {text, strlen(text)};
    assert_ok(file_replace(path, &part, 1, 0600, &e));
}

static void a_fifo_is_not_waited_for_and_is_replaced(void **state)
{
    char path[256];
    temp_dir_path(path, sizeof path, *state, "x.prom");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(holds(path, "hello"));
    assert_false(holds(path, ""));
    replace(path, "hello");
    assert_true(holds(path, "hello"));
}

// What is behind it is another file than the one that would be replaced.
static void a_link_holds_nothing_and_is_replaced(void **state)
{
    char path[256];
    char link[256];
    struct stat st;
    replace(temp_dir_path(path, sizeof path, *state, "other"), "hello");
    assert_int_equal(symlink(path, temp_dir_path(link, sizeof link, *state, "x.prom")), 0);
    assert_false(holds(link, "hello"));
    replace(link, "hello");
    assert_true(holds(link, "hello"));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_true(holds(path, "hello"));
}

static void a_directory_holds_nothing(void **state)
{
    assert_false(holds(*state, ""));
}

static void a_missing_file_holds_nothing_and_a_missing_directory_neither(void **state)
{
    char path[256];
    assert_false(holds(temp_dir_path(path, sizeof path, *state, "x.prom"), ""));
    assert_false(holds(temp_dir_path(path, sizeof path, *state, "absent/x.prom"), ""));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        T(a_fifo_is_not_waited_for_and_is_replaced),
        T(a_link_holds_nothing_and_is_replaced),
        T(a_directory_holds_nothing),
        T(a_missing_file_holds_nothing_and_a_missing_directory_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
