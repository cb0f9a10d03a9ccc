// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

static int probe(const char *path, struct free_space wanted, struct captured *out)
{
    struct config_check c = check_make("x");
    c.path = path;
    c.min_free = wanted;
    return probe_disk_free(&c, out->fd);
}

static void enough_space_is_healthy_and_how_much_there_is_is_told(void **state)
{
    struct captured out = captured_begin();
    assert_int_equal(probe(*state, (struct free_space){.bytes = 1}, &out), PROBE_EXIT_HEALTHY);
    assert_contains(captured_text(&out), " free\n");
    captured_end(&out);
}

static void too_little_space_has_failed_and_both_sizes_are_told(void **state)
{
    struct captured out = captured_begin();
    assert_int_equal(probe(*state, (struct free_space){.bytes = 1ULL << 60}, &out),
                     PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), " free, wanted are ");
    captured_end(&out);
}

// /proc has no blocks: none of them are free, and any part of them is nothing.
static void a_percentage_is_of_the_size_of_the_file_system(void **state)
{
    struct statvfs fs;
    struct captured out = captured_begin();
    assert_int_equal(probe("/proc", (struct free_space){.percent = 100}, &out), PROBE_EXIT_HEALTHY);
    assert_int_equal(probe("/proc", (struct free_space){.bytes = 1}, &out), PROBE_EXIT_FAILED);
    assert_int_equal(statvfs(*state, &fs), 0);
    unsigned percent = (unsigned)(fs.f_bavail * 100 / fs.f_blocks);
    // Others write to it meanwhile: not the last per cent.
    if (percent < 3 || percent > 97) {
        captured_end(&out);
        skip();
    }
    assert_int_equal(probe(*state, (struct free_space){.percent = percent - 2}, &out),
                     PROBE_EXIT_HEALTHY);
    assert_int_equal(probe(*state, (struct free_space){.percent = percent + 3}, &out),
                     PROBE_EXIT_FAILED);
    captured_end(&out);
}

static void a_missing_path_has_failed(void **state)
{
    char path[512];
    struct captured out = captured_begin();
    temp_dir_path(path, sizeof path, *state, "data");
    assert_int_equal(probe(path, (struct free_space){.bytes = 1}, &out), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), strerror(ENOENT));
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(enough_space_is_healthy_and_how_much_there_is_is_told,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(too_little_space_has_failed_and_both_sizes_are_told,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_percentage_is_of_the_size_of_the_file_system,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_missing_path_has_failed, temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
