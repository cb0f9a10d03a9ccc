// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <sched.h>
#include <sys/wait.h>

enum { CANNOT_HIDE_THE_SHELL = 99 };

// In a child, because it becomes the command. `root`: the directory that is "/" to it, or NULL.
static int run(const char *command, struct captured *out, const char *root)
{
    struct config_check c = check_exec("x", command);
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out->fd, STDOUT_FILENO);
        dup2(out->fd, STDERR_FILENO);
        // Without privileges a user namespace of its own lets it change its root.
        if (root != NULL && chroot(root) != 0 &&
            (unshare(CLONE_NEWUSER) != 0 || chroot(root) != 0)) {
            _exit(CANNOT_HIDE_THE_SHELL);
        }
        _exit(probe_exec(&c, STDOUT_FILENO));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_command_is_run_by_a_shell_and_its_status_is_the_result(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    assert_int_equal(run("a=fine; echo \"$a\" && exit 75", &out, NULL), PROBE_EXIT_NOT_YET);
    assert_string_equal(captured_text(&out), "fine\n");
    captured_end(&out);
}

static void errors_of_the_shell_are_output(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    assert_int_equal(run("/nowhere/at/all", &out, NULL), 127);
    assert_contains(captured_text(&out), "/nowhere/at/all");
    captured_end(&out);
}

static void a_shell_that_cannot_be_started_is_a_failure_that_says_so(void **state)
{
    struct captured out = captured_begin();
    int status = run("exit 0", &out, *state);
    if (status == CANNOT_HIDE_THE_SHELL) {
        captured_end(&out);
        skip();
    }
    assert_int_equal(status, PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "cannot start /bin/sh: No such file or directory\n");
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_is_run_by_a_shell_and_its_status_is_the_result),
        cmocka_unit_test(errors_of_the_shell_are_output),
        cmocka_unit_test_setup_teardown(a_shell_that_cannot_be_started_is_a_failure_that_says_so,
                                        temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
