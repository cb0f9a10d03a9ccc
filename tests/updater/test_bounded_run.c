// SPDX-License-Identifier: Apache-2.0
// How a run ends and what its process is given is also in test_probe.c, whose probes are runs.
#include "updater/bounded_run.h"

#include "tests/support/run_wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int do_say(const void *context, int out_fd)
{
    dprintf(out_fd, "%s\n", (const char *)context);
    return 0;
}

static int do_exit(const void *context, int out_fd)
{
    (void)out_fd;
    return *(const int *)context;
}

static int do_hang(const void *context, int out_fd)
{
    (void)context;
    dprintf(out_fd, "began\n");
    (void)poll(NULL, 0, 2 * RUN_PATIENCE_MS);
    return 0;
}

static int do_die(const void *context, int out_fd)
{
    (void)out_fd;
    raise(*(const int *)context);
    return 0;
}

static void the_work_is_done_in_another_process_with_its_context(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    assert_ok(bounded_run_start(&r, do_say, "hello", RUN_PATIENCE_MS, run_now_ms(), &e));
    assert_true(r.pid > 0 && r.pid != getpid());
    assert_int_equal(run_finish(&r), 0);
    assert_string_equal(r.output, "hello\n");
    assert_int_equal(r.pid, 0);
    assert_int_equal(r.output_fd, -1);
}

static void every_exit_status_comes_back(void **state)
{
    (void)state;
    for (int status = 0; status <= 255; status += 15) {
        struct error e;
        struct bounded_run r = {0};
        char want[32] = "";
        if (status != 0) {
            snprintf(want, sizeof want, "exit status %d", status);
        }
        assert_ok(bounded_run_start(&r, do_exit, &status, RUN_PATIENCE_MS, run_now_ms(), &e));
        assert_int_equal(run_finish(&r), status);
        assert_string_equal(r.output, want);
    }
}

static void a_signal_is_no_exit_status(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    const int sig = SIGKILL;
    assert_ok(bounded_run_start(&r, do_die, &sig, RUN_PATIENCE_MS, run_now_ms(), &e));
    assert_int_equal(run_finish(&r), RUN_ENDED_BY_FORCE);
    assert_string_equal(r.output, "ended by signal 9");
}

static void its_time_is_counted_from_its_start_by_the_caller(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    int status = 0;
    assert_ok(bounded_run_start(&r, do_hang, NULL, 3000, 5000, &e));
    assert_int_equal(r.deadline_ms, 8000);
    struct pollfd fd = {.fd = r.output_fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, RUN_PATIENCE_MS), 1);
    assert_false(bounded_run_step(&r, 7999, &status));
    assert_true(bounded_run_step(&r, 8000, &status));
    assert_int_equal(status, RUN_ENDED_BY_FORCE);
    assert_string_equal(r.output, "began\nno answer within 3 s");
    // Whoever asks again hears the same.
    assert_true(bounded_run_step(&r, 0, &status));
    assert_int_equal(status, RUN_ENDED_BY_FORCE);
    run_let_go(&r);
}

static void a_run_can_be_ended_early_and_another_follows_in_its_place(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    assert_ok(bounded_run_start(&r, do_hang, NULL, RUN_PATIENCE_MS, run_now_ms(), &e));
    run_let_go(&r);
    assert_int_equal(r.output_fd, -1);
    assert_ok(bounded_run_start(&r, do_say, "again", RUN_PATIENCE_MS, run_now_ms(), &e));
    assert_int_equal(run_finish(&r), 0);
    assert_string_equal(r.output, "again\n");
}

static void a_process_that_the_caller_waited_for_has_ended(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    int wait_status = 0;
    int status = 0;
    const int want = 75;
    assert_ok(bounded_run_start(&r, do_exit, &want, RUN_PATIENCE_MS, run_now_ms(), &e));
    assert_int_equal(waitpid(r.pid, &wait_status, 0), r.pid);
    bounded_run_reaped(&r, wait_status);
    assert_true(bounded_run_step(&r, run_now_ms(), &status));
    assert_int_equal(status, 75);
    assert_int_equal(r.pid, 0);
    // And of one that was given up there is nothing left to wait for.
    assert_ok(bounded_run_start(&r, do_hang, NULL, 0, 0, &e));
    pid_t pid = r.pid;
    assert_true(bounded_run_step(&r, 0, &status));
    if (r.pid != 0) {
        assert_int_equal(waitpid(pid, &wait_status, 0), pid);
        bounded_run_reaped(&r, wait_status);
        bounded_run_kill(&r);
    }
    assert_int_equal(r.pid, 0);
    assert_ok(bounded_run_start(&r, do_say, "again", RUN_PATIENCE_MS, run_now_ms(), &e));
    assert_int_equal(run_finish(&r), 0);
}

static int do_shell(const void *context, int out_fd)
{
    return bounded_run_shell(context, out_fd);
}

static void the_work_may_be_a_command_of_the_shell(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run r = {0};
    assert_ok(bounded_run_start(&r, do_shell, "echo $((6 * 7)) >&2; exit 3", RUN_PATIENCE_MS,
                                run_now_ms(), &e));
    assert_int_equal(run_finish(&r), 3);
    assert_string_equal(r.output, "42\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_work_is_done_in_another_process_with_its_context),
        cmocka_unit_test(every_exit_status_comes_back),
        cmocka_unit_test(a_signal_is_no_exit_status),
        cmocka_unit_test(its_time_is_counted_from_its_start_by_the_caller),
        cmocka_unit_test(a_process_that_the_caller_waited_for_has_ended),
        cmocka_unit_test(the_work_may_be_a_command_of_the_shell),
        cmocka_unit_test(a_run_can_be_ended_early_and_another_follows_in_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
