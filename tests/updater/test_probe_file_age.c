// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

enum { MINUTE_MS = 60 * 1000 };

// The result for a heartbeat that was written `age_s` seconds ago, and what is said.
static int probe_aged(const char *dir, long age_s, uint64_t max_age_ms, struct captured *out)
{
    char path[512];
    struct config_check c = check_make("x");
    c.max_age_ms = max_age_ms;
    c.path = temp_dir_path(path, sizeof path, dir, "heartbeat");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age_s;
    times[1] = times[0];
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    return probe_file_age(&c, out->fd);
}

static void expect(const char *dir, long age_s, int exit_status, const char *says)
{
    struct captured out = captured_begin();
    int got = probe_aged(dir, age_s, MINUTE_MS, &out);
    if (got != exit_status) {
        fail_msg("age %ld s: expected %d, got %d: %s", age_s, exit_status, got,
                 captured_text(&out));
    }
    assert_contains(captured_text(&out), says);
    captured_end(&out);
}

static void a_fresh_heartbeat_is_healthy(void **state)
{
    expect(*state, 0, PROBE_EXIT_HEALTHY, " old\n");
    expect(*state, 30, PROBE_EXIT_HEALTHY, "heartbeat is 30 s");
    expect(*state, 59, PROBE_EXIT_HEALTHY, "old");
}

static void an_old_heartbeat_has_failed_and_both_ages_are_told(void **state)
{
    expect(*state, 61, PROBE_EXIT_FAILED, "allowed are 1 min\n");
    expect(*state, 7200, PROBE_EXIT_FAILED, "is 2 h");
    expect(*state, 1000000000, PROBE_EXIT_FAILED, "old, allowed are 1 min");
}

static void a_heartbeat_of_a_clock_a_little_ahead_is_fresh(void **state)
{
    expect(*state, -2, PROBE_EXIT_HEALTHY, "is 0 ms old");
    expect(*state, -55, PROBE_EXIT_HEALTHY, "is 0 ms old");
}

static void a_heartbeat_from_the_future_has_failed_and_is_told_to_be(void **state)
{
    expect(*state, -65, PROBE_EXIT_FAILED, "in the future");
    expect(*state, -1000000000, PROBE_EXIT_FAILED, "in the future");
}

// Of the system that ran before: young enough, and still nothing about this one.
static void a_heartbeat_from_before_the_system_was_started_is_not_yet_one(void **state)
{
    struct timespec up;
    clock_gettime(CLOCK_BOOTTIME, &up);
    struct captured out = captured_begin();
    uint64_t max_age_ms = ((uint64_t)up.tv_sec + 3600) * 1000;
    assert_int_equal(probe_aged(*state, up.tv_sec + 2, max_age_ms, &out), PROBE_EXIT_NOT_YET);
    assert_contains(captured_text(&out), "not written since the system was started");
    assert_int_equal(probe_aged(*state, up.tv_sec - 2, max_age_ms, &out), PROBE_EXIT_HEALTHY);
    captured_end(&out);
}

static void a_missing_heartbeat_has_failed(void **state)
{
    char path[512];
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    c.path = temp_dir_path(path, sizeof path, *state, "never");
    assert_int_equal(probe_file_age(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), path);
    assert_contains(captured_text(&out), strerror(ENOENT));
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fresh_heartbeat_is_healthy, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(an_old_heartbeat_has_failed_and_both_ages_are_told,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_heartbeat_of_a_clock_a_little_ahead_is_fresh,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_heartbeat_from_the_future_has_failed_and_is_told_to_be,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(
            a_heartbeat_from_before_the_system_was_started_is_not_yet_one, temp_dir_make,
            temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_missing_heartbeat_has_failed, temp_dir_make,
                                        temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
