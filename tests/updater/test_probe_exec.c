// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"

#include <stdlib.h>
#include <sys/wait.h>

// In a child, because it becomes the command.
static int run(const char *command, struct captured *out)
{
    struct config_check c = check_exec("x", command);
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(out->fd, STDOUT_FILENO);
        dup2(out->fd, STDERR_FILENO);
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
    assert_int_equal(run("a=fine; echo \"$a\" && exit 75", &out), PROBE_EXIT_NOT_YET);
    assert_string_equal(captured_text(&out), "fine\n");
    captured_end(&out);
}

static void errors_of_the_shell_are_output(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    assert_int_equal(run("/nowhere/at/all", &out), 127);
    assert_contains(captured_text(&out), "/nowhere/at/all");
    captured_end(&out);
}

static void a_shell_that_cannot_be_started_is_a_failure_that_says_so(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    char *long_command = malloc(200 * 1024); // MAX_ARG_STRLEN of Linux is 128 KiB
    assert_non_null(long_command);
    memset(long_command, 'x', 200 * 1024 - 1);
    long_command[200 * 1024 - 1] = '\0';
    assert_int_equal(run(long_command, &out), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "cannot start /bin/sh: ");
    free(long_command);
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_is_run_by_a_shell_and_its_status_is_the_result),
        cmocka_unit_test(errors_of_the_shell_are_output),
        cmocka_unit_test(a_shell_that_cannot_be_started_is_a_failure_that_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
