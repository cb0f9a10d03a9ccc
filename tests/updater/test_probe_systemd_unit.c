// SPDX-License-Identifier: Apache-2.0
// systemctl is a script here. What the real one says is asked of it on the virtual board.
#include "updater/probe_kinds.h"

#include "tests/support/captured.h"
#include "tests/support/checks.h"
#include "tests/support/temp_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

// Puts a systemctl into `dir` that says `answer` when it is asked as it must be asked.
static void write_systemctl(const char *dir, const char *answer, int exit_status)
{
    char path[512];
    FILE *f = fopen(temp_dir_path(path, sizeof path, dir, "systemctl"), "we");
    assert_non_null(f);
    fprintf(f,
            "#!/bin/sh\n"
            "[ \"$*\" = 'show --property=LoadState,ActiveState,SubState,Result -- "
            "dev-by\\x2dlabel.device' ] || { echo \"asked for $*\" >&2; exit 1; }\n"
            "printf '%s'\n"
            "exit %d\n",
            answer, exit_status);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

// In a child, because what the command says on standard error is output as well.
static void expect(const char *dir, int exit_status, const char *says)
{
    struct captured out = captured_begin();
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char path[1024];
        struct config_check c = check_make("x");
        c.unit = "dev-by\\x2dlabel.device";
        snprintf(path, sizeof path, "%s:/usr/bin:/bin", dir);
        setenv("PATH", path, 1);
        dup2(out.fd, STDERR_FILENO);
        _exit(probe_systemd_unit(&c, out.fd));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_contains(captured_text(&out), says);
    assert_int_equal(WEXITSTATUS(status), exit_status);
    captured_end(&out);
}

#define SAYS(load, active, sub, result)                                                            \
    "LoadState=" load "\nActiveState=" active "\nSubState=" sub "\nResult=" result "\n"

static void each_state_of_a_unit_has_its_meaning(void **state)
{
    static const struct {
        const char *answer;
        int exit_status;
        const char *says;
    } rows[] = {
        {SAYS("loaded", "active", "running", "success"), PROBE_EXIT_HEALTHY,
         "dev-by\\x2dlabel.device is active (running)\n"},
        {SAYS("loaded", "active", "exited", "success"), PROBE_EXIT_HEALTHY, "is active (exited)\n"},
        {SAYS("loaded", "activating", "auto-restart", "exit-code"), PROBE_EXIT_NOT_YET,
         "is activating (auto-restart)\n"},
        {SAYS("loaded", "inactive", "dead", "success"), PROBE_EXIT_NOT_YET, "is inactive (dead)\n"},
        {SAYS("loaded", "deactivating", "stop", "success"), PROBE_EXIT_NOT_YET, "is deactivating"},
        {SAYS("loaded", "failed", "failed", "exit-code"), PROBE_EXIT_FAILED,
         "is failed (failed): exit-code\n"},
        {SAYS("not-found", "inactive", "dead", "success"), PROBE_EXIT_FAILED,
         "dev-by\\x2dlabel.device: not-found\n"},
        {SAYS("masked", "inactive", "dead", "success"), PROBE_EXIT_FAILED, ": masked\n"},
        // A target has no Result.
        {"LoadState=loaded\nActiveState=active\nSubState=active\n", PROBE_EXIT_HEALTHY,
         "is active (active)\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_systemctl(*state, rows[i].answer, 0);
        expect(*state, rows[i].exit_status, rows[i].says);
    }
}

static void a_systemd_that_does_not_answer_has_failed(void **state)
{
    write_systemctl(*state, "", 0);
    expect(*state, PROBE_EXIT_FAILED, "systemd does not tell the state of dev-by");
    write_systemctl(*state, SAYS("loaded", "active", "running", "success"), 1);
    expect(*state, PROBE_EXIT_FAILED, "systemd does not tell");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_state_of_a_unit_has_its_meaning, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_systemd_that_does_not_answer_has_failed, temp_dir_make,
                                        temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
