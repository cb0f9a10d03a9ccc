// SPDX-License-Identifier: Apache-2.0
#include "updater/probe.h"

#include "base/clock.h"
#include "tests/support/checks.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 20000 };

static uint64_t now_ms(void)
{
    return clock_system.ops->boottime_ms(&clock_system);
}

// Steps until it ended, as the loop of the checks does.
static enum probe_result finish(struct bounded_run *p)
{
    enum probe_result result;
    uint64_t late = now_ms() + PATIENCE_MS;
    while (!probe_step(p, now_ms(), &result)) {
        assert_true(now_ms() < late);
        struct pollfd fd = {.fd = p->output_fd, .events = POLLIN};
        (void)poll(&fd, 1, 1);
    }
    return result;
}

static void let_go(struct bounded_run *p)
{
    uint64_t late = now_ms() + PATIENCE_MS;
    while (p->pid != 0) {
        assert_true(now_ms() < late);
        bounded_run_kill(p);
        (void)poll(NULL, 0, 1);
    }
}

static enum probe_result run(struct bounded_run *p, const struct config_check *c)
{
    struct error e;
    *p = (struct bounded_run){0};
    assert_ok(probe_start(p, c, now_ms(), &e));
    enum probe_result result = finish(p);
    let_go(p);
    assert_int_equal(p->output_fd, -1);
    return result;
}

static enum probe_result run_command(struct bounded_run *p, const char *command)
{
    struct config_check c = check_exec("x", command);
    return run(p, &c);
}

// --- results ------------------------------------------------------------------------------------

static void the_exit_status_decides(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "exit 0"), PROBE_HEALTHY);
    assert_int_equal(run_command(&p, "exit 1"), PROBE_FAILED);
    assert_int_equal(run_command(&p, "exit 75"), PROBE_NOT_YET);
    assert_int_equal(run_command(&p, "exit 74"), PROBE_FAILED);
    assert_int_equal(run_command(&p, "exit 255"), PROBE_FAILED);
}

static void a_command_that_does_not_exist_is_a_failure(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "/nowhere/at/all"), PROBE_FAILED);
    assert_contains(p.output, "/nowhere/at/all");
}

static void output_and_errors_are_kept_in_order(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "echo one; echo two >&2; printf three"), PROBE_HEALTHY);
    assert_string_equal(p.output, "one\ntwo\nthree");
}

static void a_silent_failure_says_its_exit_status(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "exit 3"), PROBE_FAILED);
    assert_string_equal(p.output, "exit status 3");
    assert_int_equal(run_command(&p, "echo broken; exit 3"), PROBE_FAILED);
    assert_string_equal(p.output, "broken\n");
}

static void a_signal_is_a_failure_that_says_which(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "printf oops; kill -TERM $$"), PROBE_FAILED);
    assert_string_equal(p.output, "oops\nended by signal 15");
}

static void each_kind_is_run_as_what_it_is(void **state)
{
    char path[512];
    struct bounded_run p;
    struct config_check c = check_make("x");
    c.kind = CHECK_FILE_AGE;
    c.path = temp_dir_path(path, sizeof path, *state, "heartbeat");
    assert_int_equal(run(&p, &c), PROBE_FAILED);
    assert_contains(p.output, "No such file");
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(run(&p, &c), PROBE_HEALTHY);
    c.kind = CHECK_HTTP;
    c.url = "http://127.0.0.1:1/";
    assert_int_equal(run(&p, &c), PROBE_FAILED);
    assert_contains(p.output, "127.0.0.1");
}

// --- what the child is given --------------------------------------------------------------------

static void standard_input_is_empty(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "read x; test -z \"$x\" && readlink /proc/self/fd/0"),
                     PROBE_HEALTHY);
    assert_string_equal(p.output, "/dev/null\n");
}

static void no_other_file_of_ours_is_open_in_the_child(void **state)
{
    (void)state;
    struct bounded_run p;
    // Without O_CLOEXEC: it has to be closed by hand.
    int fd = open("/dev/null", O_RDONLY);
    int high = fcntl(fd, F_DUPFD, 100);
    assert_true(fd >= 0 && high >= 100);
    assert_int_equal(run_command(&p, "test ! -e /proc/$$/fd/100 && "
                                     "for f in /proc/$$/fd/*; do echo ${f##*/}; done"),
                     PROBE_HEALTHY);
    close(high);
    close(fd);
    // The shell itself may hold one more for its script.
    assert_int_equal(strncmp(p.output, "0\n1\n2\n", 6), 0);
}

static void ignored_and_blocked_signals_are_usual_again(void **state)
{
    (void)state;
    struct bounded_run p;
    sigset_t usr1;
    sigset_t old;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, &old);
    signal(SIGPIPE, SIG_IGN);
    enum probe_result blocked = run_command(&p, "kill -USR1 $$; echo survived");
    assert_contains(p.output, "ended by signal 10");
    enum probe_result ignored = run_command(&p, "kill -PIPE $$; echo survived");
    assert_contains(p.output, "ended by signal 13");
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(blocked, PROBE_FAILED);
    assert_int_equal(ignored, PROBE_FAILED);
}

static void the_child_leads_a_group_of_its_own(void **state)
{
    (void)state;
    struct bounded_run p;
    // Field 5 of /proc/PID/stat is the process group.
    assert_int_equal(run_command(&p, "read -r pid comm st ppid pgrp rest < /proc/$$/stat; "
                                     "test $pgrp = $$"),
                     PROBE_HEALTHY);
}

static void it_dies_with_the_one_who_started_it(void **state)
{
    (void)state;
    int fds[2];
    char pid_text[32] = "";
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct error e;
        struct bounded_run p = {0};
        struct config_check c = check_exec("x", "exec sleep 60");
        if (probe_start(&p, &c, now_ms(), &e) == OK) {
            dprintf(fds[1], "%d\n", (int)p.pid);
            (void)poll(NULL, 0, 50); // the child is past its beginning
        }
        _exit(0);
    }
    close(fds[1]);
    assert_true(read(fds[0], pid_text, sizeof pid_text - 1) > 0);
    close(fds[0]);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    pid_t child = (pid_t)strtol(pid_text, NULL, 10);
    assert_true(child > 0);
    uint64_t late = now_ms() + PATIENCE_MS;
    // A zombie nobody waits for counts as dead: its command line is empty.
    char path[64];
    char text[16];
    ssize_t n = 1;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)child);
    while (n > 0) {
        assert_true(now_ms() < late);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, text, sizeof text) : 0;
        if (fd >= 0) {
            close(fd);
        }
        (void)poll(NULL, 0, 1);
    }
}

// --- limits -------------------------------------------------------------------------------------

static void expect_group_gone(pid_t group)
{
    uint64_t late = now_ms() + PATIENCE_MS;
    while (kill(-group, 0) == 0 || errno != ESRCH) {
        assert_true(now_ms() < late);
        (void)poll(NULL, 0, 1);
    }
}

static void a_hung_command_is_killed_with_all_it_started(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    struct config_check c = check_exec("x", "echo waiting; sleep 60 & sleep 60; true");
    c.timeout_ms = 100;
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    pid_t group = p.pid;
    assert_int_equal(finish(&p), PROBE_FAILED);
    assert_string_equal(p.output, "waiting\nno answer within 100 ms");
    let_go(&p);
    expect_group_gone(group);
}

static void a_command_that_ignores_signals_is_killed_too(void **state)
{
    (void)state;
    struct bounded_run p;
    struct config_check c = check_exec("x", "trap '' TERM INT HUP; sleep 60; sleep 60");
    c.timeout_ms = 100;
    assert_int_equal(run(&p, &c), PROBE_FAILED);
    assert_string_equal(p.output, "no answer within 100 ms");
}

static void time_is_what_the_caller_says(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    enum probe_result result;
    struct config_check c = check_exec("x", "sleep 60");
    c.timeout_ms = 10000;
    assert_ok(probe_start(&p, &c, 5000, &e));
    assert_int_equal(p.deadline_ms, 15000);
    assert_false(probe_step(&p, 14999, &result));
    assert_true(probe_step(&p, 15000, &result));
    assert_int_equal(result, PROBE_FAILED);
    assert_string_equal(p.output, "no answer within 10 s");
    let_go(&p);
}

static void a_flood_of_output_is_read_and_its_end_is_kept(void **state)
{
    (void)state;
    struct bounded_run p;
    struct config_check c =
        check_exec("x", "head -c 104857600 /dev/zero | tr '\\0' x; echo; echo the end");
    c.timeout_ms = PATIENCE_MS;
    assert_int_equal(run(&p, &c), PROBE_HEALTHY);
    assert_int_equal(p.output_len, RUN_OUTPUT_MAX);
    assert_int_equal(p.output[RUN_OUTPUT_MAX], '\0');
    assert_int_equal(p.output[0], 'x');
    assert_string_equal(p.output + RUN_OUTPUT_MAX - 9, "\nthe end\n");
}

static void an_endless_flood_does_not_hold_up_the_deadline(void **state)
{
    (void)state;
    struct bounded_run p;
    struct config_check c = check_exec("x", "yes");
    c.timeout_ms = 100;
    assert_int_equal(run(&p, &c), PROBE_FAILED);
    assert_contains(p.output, "y\ny\n");
    assert_contains(p.output, "no answer within 100 ms");
}

static void one_step_reads_a_bounded_amount(void **state)
{
    (void)state;
    enum { WRITTEN = 700000, READ_AT_MOST = 256 * 1024 };
    struct error e;
    struct bounded_run p = {0};
    enum probe_result result;
    struct config_check c = check_exec("x", "head -c 700000 /dev/zero; sleep 60");
    assert_ok(probe_start(&p, &c, 0, &e));
    assert_true(fcntl(p.output_fd, F_SETPIPE_SZ, 1 << 20) >= WRITTEN);
    int waiting = 0;
    for (uint64_t late = now_ms() + PATIENCE_MS; waiting < WRITTEN; (void)poll(NULL, 0, 1)) {
        assert_true(now_ms() < late);
        assert_int_equal(ioctl(p.output_fd, FIONREAD, &waiting), 0);
    }
    assert_false(probe_step(&p, 0, &result));
    assert_int_equal(ioctl(p.output_fd, FIONREAD, &waiting), 0);
    assert_int_equal(waiting, WRITTEN - READ_AT_MOST);
    let_go(&p);
}

static void output_of_exactly_the_limit_is_kept_whole(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "head -c 4096 /dev/zero | tr '\\0' y"), PROBE_HEALTHY);
    assert_int_equal(p.output_len, 4096);
    assert_int_equal(run_command(&p, "printf a; head -c 4096 /dev/zero | tr '\\0' y"),
                     PROBE_HEALTHY);
    assert_int_equal(p.output_len, 4096);
    assert_int_equal(p.output[0], 'y');
}

static void a_grandchild_that_keeps_the_pipe_open_does_not_hold_it_up(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    struct config_check c = check_exec("x", "echo started; sleep 60 & exit 0");
    c.timeout_ms = PATIENCE_MS * 2;
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    pid_t group = p.pid;
    assert_int_equal(finish(&p), PROBE_HEALTHY);
    assert_string_equal(p.output, "started\n");
    assert_int_equal(p.pid, 0);
    expect_group_gone(group);
}

static void a_command_that_closes_its_output_is_still_waited_for(void **state)
{
    (void)state;
    struct bounded_run p;
    assert_int_equal(run_command(&p, "exec >&- 2>&-; sleep 0.1; exit 75"), PROBE_NOT_YET);
}

// --- order of calls -----------------------------------------------------------------------------

static void one_probe_after_the_other_in_the_same_place(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    struct config_check c = check_exec("x", "echo first; exit 1");
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    assert_int_equal(finish(&p), PROBE_FAILED);
    c.command = "exit 0";
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    assert_int_equal(finish(&p), PROBE_HEALTHY);
    assert_string_equal(p.output, "");
}

static void after_a_timeout_the_next_probe_starts_afresh(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    struct config_check c = check_exec("x", "sleep 60");
    c.timeout_ms = 20;
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    assert_int_equal(finish(&p), PROBE_FAILED);
    let_go(&p);
    c.command = "echo again";
    c.timeout_ms = PATIENCE_MS;
    assert_ok(probe_start(&p, &c, now_ms(), &e));
    assert_int_equal(finish(&p), PROBE_HEALTHY);
    assert_string_equal(p.output, "again\n");
}

static void beside_a_process_that_cannot_be_ended_no_second_one_is_started(void **state)
{
    (void)state;
    struct error e;
    enum probe_result result;
    // A child that nobody kills stands for one that waits for a dead disk.
    pid_t stuck = fork();
    if (stuck == 0) {
        (void)poll(NULL, 0, PATIENCE_MS * 2);
        _exit(0);
    }
    struct bounded_run p = {.pid = stuck, .given_up = true, .output_fd = -1};
    struct config_check c = check_exec("x", "exit 0");
    assert_ok(probe_start(&p, &c, 1000, &e));
    assert_int_equal(p.pid, stuck);
    assert_true(probe_step(&p, 1000, &result));
    assert_int_equal(result, PROBE_FAILED);
    assert_string_equal(p.output, "the last one still hangs and cannot be ended");
    kill(stuck, SIGKILL);
    let_go(&p);
    assert_int_equal(run(&p, &c), PROBE_HEALTHY);
}

static void killing_what_does_not_run_does_nothing(void **state)
{
    (void)state;
    struct bounded_run p = {0};
    bounded_run_kill(&p);
    assert_int_equal(p.pid, 0);
}

static void a_probe_that_cannot_be_started_says_why(void **state)
{
    (void)state;
    struct error e;
    struct bounded_run p = {0};
    struct config_check c = check_exec("x", "exit 0");
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fds[64];
    size_t count = 0;
    // No descriptor is left for the pipe.
    for (int fd = low; fd >= 0 && count < 64; fd = dup(low)) {
        fds[count++] = fd;
    }
    assert_true(count < 64); // see main(): the limit is lower
    assert_fails(ERR_IO, "pipe", probe_start(&p, &c, now_ms(), &e));
    assert_int_equal(p.pid, 0);
    while (count > 0) {
        close(fds[--count]);
    }
}

static int lower_limit(void **state)
{
    struct rlimit limit;
    struct rlimit *old = calloc(1, sizeof *old);
    *state = old;
    if (old == NULL || getrlimit(RLIMIT_NOFILE, old) != 0) {
        return -1;
    }
    limit = *old;
    limit.rlim_cur = 32;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static int restore_limit(void **state)
{
    int rc = setrlimit(RLIMIT_NOFILE, *state);
    free(*state);
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_decides),
        cmocka_unit_test(a_command_that_does_not_exist_is_a_failure),
        cmocka_unit_test(output_and_errors_are_kept_in_order),
        cmocka_unit_test(a_silent_failure_says_its_exit_status),
        cmocka_unit_test(a_signal_is_a_failure_that_says_which),
        cmocka_unit_test_setup_teardown(each_kind_is_run_as_what_it_is, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test(standard_input_is_empty),
        cmocka_unit_test(no_other_file_of_ours_is_open_in_the_child),
        cmocka_unit_test(ignored_and_blocked_signals_are_usual_again),
        cmocka_unit_test(the_child_leads_a_group_of_its_own),
        cmocka_unit_test(it_dies_with_the_one_who_started_it),
        cmocka_unit_test(a_hung_command_is_killed_with_all_it_started),
        cmocka_unit_test(a_command_that_ignores_signals_is_killed_too),
        cmocka_unit_test(time_is_what_the_caller_says),
        cmocka_unit_test(a_flood_of_output_is_read_and_its_end_is_kept),
        cmocka_unit_test(an_endless_flood_does_not_hold_up_the_deadline),
        cmocka_unit_test(one_step_reads_a_bounded_amount),
        cmocka_unit_test(output_of_exactly_the_limit_is_kept_whole),
        cmocka_unit_test(a_grandchild_that_keeps_the_pipe_open_does_not_hold_it_up),
        cmocka_unit_test(a_command_that_closes_its_output_is_still_waited_for),
        cmocka_unit_test(one_probe_after_the_other_in_the_same_place),
        cmocka_unit_test(after_a_timeout_the_next_probe_starts_afresh),
        cmocka_unit_test(beside_a_process_that_cannot_be_ended_no_second_one_is_started),
        cmocka_unit_test(killing_what_does_not_run_does_nothing),
        cmocka_unit_test_setup_teardown(a_probe_that_cannot_be_started_says_why, lower_limit,
                                        restore_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
