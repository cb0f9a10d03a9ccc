// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { CANNOT_MOUNT = 99 };

static void expect(const char *path, bool writable, int exit_status, const char *says)
{
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    c.path = path;
    c.writable = writable;
    int got = probe_mount(&c, out.fd);
    if (got != exit_status) {
        fail_msg("%s: expected %d, got %d: %s", path, exit_status, got, captured_text(&out));
    }
    assert_contains(captured_text(&out), says);
    captured_end(&out);
}

static void what_is_mounted_is_healthy(void **state)
{
    (void)state;
    expect("/proc", false, PROBE_EXIT_HEALTHY, "/proc is mounted\n");
    expect("/proc", true, PROBE_EXIT_HEALTHY, "/proc is mounted\n");
}

static void a_directory_that_waits_for_its_mount_has_failed(void **state)
{
    expect(*state, false, PROBE_EXIT_FAILED, "nothing is mounted at ");
    expect("/proc/self", false, PROBE_EXIT_FAILED, "nothing is mounted at /proc/self\n");
}

static void a_missing_directory_has_failed(void **state)
{
    char path[512];
    expect(temp_dir_path(path, sizeof path, *state, "data"), false, PROBE_EXIT_FAILED,
           strerror(ENOENT));
}

// In a child with mounts of its own, mounts a small file system at `dir` read-only and asks.
static int probe_read_only(const char *dir, bool writable, struct captured *out)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct config_check c = check_make("x");
        c.path = dir;
        c.writable = writable;
        if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", dir, "tmpfs", MS_RDONLY, "size=64k") != 0) {
            _exit(CANNOT_MOUNT);
        }
        _exit(probe_mount(&c, out->fd));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_mount_gone_read_only_has_failed_where_it_must_be_writable(void **state)
{
    struct captured out = captured_begin();
    int got = probe_read_only(*state, true, &out);
    if (got == CANNOT_MOUNT) {
        captured_end(&out);
        skip();
    }
    assert_int_equal(got, PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), " is mounted read-only\n");
    assert_int_equal(probe_read_only(*state, false, &out), PROBE_EXIT_HEALTHY);
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_mounted_is_healthy),
        cmocka_unit_test_setup_teardown(a_directory_that_waits_for_its_mount_has_failed,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_missing_directory_has_failed, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_mount_gone_read_only_has_failed_where_it_must_be_writable,
                                        temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
