// SPDX-License-Identifier: Apache-2.0
#include "updater/health_loop.h"

#include "tests/support/checks.h"
#include "tests/support/fast_clock.h"
#include "tests/support/talk.h"

#include <sys/resource.h>

struct room {
    struct talk talk;
    struct fast_clock clock;
    struct health_report report;
    struct health_loop loop;
};

static void begin(struct room *r, struct config_check *checks, size_t count)
{
    struct error e;
    struct config config = config_with_checks(checks, count);
    *r = (struct room){.clock = fast_clock_make()};
    talk_begin(&r->talk);
    assert_ok(health_loop_begin(&config, &r->clock.base, &r->talk.log, &r->report, &r->loop, &e));
}

static void end(struct room *r)
{
    health_loop_end(&r->loop);
    health_report_clear(&r->report);
    talk_end(&r->talk);
}

static void turn_until_tried(struct room *r, size_t check, unsigned tries)
{
    while (r->report.results[check].tries < tries) {
        health_loop_turn(&r->loop, UINT64_MAX);
    }
}

static void a_result_reaches_the_report(void **state)
{
    (void)state;
    struct room r;
    struct config_check check = check_exec("api", "echo one; echo fine");
    begin(&r, &check, 1);
    assert_int_equal(r.report.count, 1);
    assert_string_equal(r.report.results[0].name, "api");
    assert_string_equal(r.report.results[0].kind, "exec");
    assert_true(r.report.results[0].required);
    assert_int_equal(r.report.results[0].verdict, CHECK_STARTING);
    turn_until_tried(&r, 0, 1);
    assert_int_equal(r.report.results[0].verdict, CHECK_HEALTHY);
    assert_string_equal(r.report.results[0].last_line, "fine");
    end(&r);
}

static void how_long_the_last_probe_took_reaches_the_report(void **state)
{
    (void)state;
    struct room r;
    struct config_check check = check_exec("api", "sleep 0.05");
    begin(&r, &check, 1);
    assert_int_equal(r.report.results[0].duration_ms, 0);
    turn_until_tried(&r, 0, 1);
    assert_in_range(r.report.results[0].duration_ms, 50, check.timeout_ms);
    end(&r);
}

static void every_kind_has_its_name(void **state)
{
    (void)state;
    struct room r;
    struct config_check checks[3] = {check_make("x"), check_make("y"), check_make("z")};
    checks[0].kind = CHECK_HTTP;
    checks[1].kind = CHECK_EXEC;
    checks[2].kind = CHECK_FILE_AGE;
    begin(&r, checks, 3);
    assert_string_equal(r.report.results[0].kind, "http");
    assert_string_equal(r.report.results[1].kind, "exec");
    assert_string_equal(r.report.results[2].kind, "file-age");
    end(&r);
}

static void between_probes_the_clock_is_waited_on_for_the_interval(void **state)
{
    (void)state;
    struct room r;
    struct config_check check = check_exec("api", "exit 0");
    check.interval_ms = 3600000;
    begin(&r, &check, 1);
    uint64_t began = health_loop_now(&r.loop);
    turn_until_tried(&r, 0, 3);
    assert_true(health_loop_now(&r.loop) - began >= 2 * 3600000);
    assert_int_equal(r.clock.count, 2);
    assert_true(r.clock.sleeps_ms[0] <= 3600000 && r.clock.sleeps_ms[0] > 3590000);
    end(&r);
}

static void a_turn_ends_at_the_time_it_is_given(void **state)
{
    (void)state;
    struct room r;
    struct config_check check = check_exec("api", "exit 0");
    check.interval_ms = 3600000;
    begin(&r, &check, 1);
    turn_until_tried(&r, 0, 1);
    uint64_t until = health_loop_now(&r.loop) + 60000;
    health_loop_turn(&r.loop, until);
    assert_true(health_loop_now(&r.loop) >= until);
    assert_int_equal(r.report.results[0].tries, 1);
    end(&r);
}

static void a_hung_probe_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct room r;
    struct config_check checks[2] = {check_exec("hung", "sleep 60"), check_exec("api", "exit 0")};
    checks[0].timeout_ms = 60000;
    checks[1].interval_ms = 1;
    begin(&r, checks, 2);
    turn_until_tried(&r, 1, 10);
    assert_int_equal(r.report.results[0].tries, 0);
    end(&r);
}

static void of_each_check_one_probe_runs_at_a_time(void **state)
{
    (void)state;
    struct room r;
    struct config_check check = check_exec("slow", "sleep 0.2");
    check.interval_ms = 1;
    begin(&r, &check, 1);
    health_loop_turn(&r.loop, health_loop_now(&r.loop) + 20);
    pid_t first = r.loop.checks[0].probe.pid;
    assert_true(first > 0);
    health_loop_turn(&r.loop, health_loop_now(&r.loop) + 20);
    assert_int_equal(r.loop.checks[0].probe.pid, first);
    end(&r);
}

static void a_change_is_told_once(void **state)
{
    (void)state;
    struct room r;
    struct config_check checks[2] = {check_exec("api", "echo down; exit 1"),
                                     check_exec("nice", "exit 0")};
    checks[1].required = false;
    begin(&r, checks, 2);
    turn_until_tried(&r, 0, 4);
    turn_until_tried(&r, 1, 4);
    assert_int_equal(count_of(talk_text(&r.talk), "check api is unhealthy: down\n"), 1);
    assert_int_equal(count_of(talk_text(&r.talk), "check nice is healthy (wanted only)\n"), 1);
    assert_int_equal(count_of(talk_text(&r.talk), "\n"), 2);
    end(&r);
}

static void the_last_line_is_one_line_of_plain_text(void **state)
{
    (void)state;
    static const struct {
        const char *command, *line;
    } rows[] = {
        {"printf 'a\\nb\\n\\n \\n'", "b"},
        {"printf 'only'", "only"},
        {"true", ""},
        {"printf '\\n\\n'", ""},
        {"printf 'red \\033[31m\\001\\177'", "red ?[31m??"},
        {"printf 'cr\\r\\n'", "cr"},
        // U+009B begins a command to a terminal like ESC [ does; U+00E9 is a letter.
        {"printf 'red \\302\\23331m \\303\\251'", "red ?31m \xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct room r;
        struct config_check check = check_exec("x", rows[i].command);
        begin(&r, &check, 1);
        turn_until_tried(&r, 0, 1);
        assert_string_equal(r.report.results[0].last_line, rows[i].line);
        end(&r);
    }
}

static void a_long_line_is_cut_between_characters(void **state)
{
    (void)state;
    struct room r;
    struct config_check check =
        check_exec("x", "printf %0158d 0; printf '\\303\\244\\303\\244\\n'");
    begin(&r, &check, 1);
    turn_until_tried(&r, 0, 1);
    // The umlaut would take bytes 159 and 160.
    assert_int_equal(strlen(r.report.results[0].last_line), 158);
    end(&r);
}

static void a_probe_that_cannot_be_started_counts_as_failed(void **state)
{
    (void)state;
    struct room r;
    struct rlimit old;
    struct config_check check = check_exec("x", "exit 0");
    begin(&r, &check, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    health_loop_turn(&r.loop, health_loop_now(&r.loop));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(r.report.results[0].tries, 1);
    assert_int_equal(r.report.results[0].verdict, CHECK_UNHEALTHY);
    assert_contains(r.report.results[0].last_line, "pipe");
    end(&r);
}

static void two_hundred_checks_run_side_by_side(void **state)
{
    (void)state;
    struct room r;
    static struct config_check checks[CONFIG_CHECKS_MAX];
    for (size_t i = 0; i < CONFIG_CHECKS_MAX; i++) {
        checks[i] = check_exec("x", "sleep 60");
        checks[i].timeout_ms = 60000;
    }
    begin(&r, checks, CONFIG_CHECKS_MAX);
    health_loop_turn(&r.loop, health_loop_now(&r.loop));
    for (size_t i = 0; i < CONFIG_CHECKS_MAX; i++) {
        assert_true(r.loop.checks[i].running && r.loop.checks[i].probe.pid > 0);
    }
    end(&r);
}

static void two_hundred_checks_come_to_their_results(void **state)
{
    (void)state;
    struct room r;
    static struct config_check checks[CONFIG_CHECKS_MAX];
    for (size_t i = 0; i < CONFIG_CHECKS_MAX; i++) {
        checks[i] = check_exec("x", i % 2 == 0 ? "exit 0" : "exit 1");
        checks[i].timeout_ms = 60000;
        checks[i].interval_ms = 3600000;
    }
    begin(&r, checks, CONFIG_CHECKS_MAX);
    for (size_t i = 0; i < CONFIG_CHECKS_MAX; i++) {
        turn_until_tried(&r, i, 1);
        assert_int_equal(r.report.results[i].verdict, i % 2 == 0 ? CHECK_HEALTHY : CHECK_UNHEALTHY);
    }
    end(&r);
}

static bool child_is_blocked(void)
{
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&mask, SIGCHLD) == 1;
}

static void signals_are_afterwards_as_they_were(void **state)
{
    (void)state;
    struct room r;
    struct sigaction action;
    struct config_check check = check_exec("x", "exit 0");
    signal(SIGCHLD, SIG_IGN); // nobody would learn how a child ended
    begin(&r, &check, 1);
    assert_true(child_is_blocked());
    turn_until_tried(&r, 0, 1);
    assert_int_equal(r.report.results[0].verdict, CHECK_HEALTHY);
    end(&r);
    assert_false(child_is_blocked());
    assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

static void at_the_end_nothing_runs_any_more(void **state)
{
    (void)state;
    struct room r;
    struct config_check checks[2] = {check_exec("x", "sleep 60"), check_exec("y", "sleep 60")};
    checks[0].timeout_ms = checks[1].timeout_ms = 60000;
    begin(&r, checks, 2);
    health_loop_turn(&r.loop, health_loop_now(&r.loop) + 1);
    pid_t pids[2] = {r.loop.checks[0].probe.pid, r.loop.checks[1].probe.pid};
    assert_true(pids[0] > 0 && pids[1] > 0);
    end(&r);
    assert_int_equal(kill(pids[0], 0), -1); // reaped, too
    assert_int_equal(kill(pids[1], 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_reaches_the_report),
        cmocka_unit_test(how_long_the_last_probe_took_reaches_the_report),
        cmocka_unit_test(every_kind_has_its_name),
        cmocka_unit_test(between_probes_the_clock_is_waited_on_for_the_interval),
        cmocka_unit_test(a_turn_ends_at_the_time_it_is_given),
        cmocka_unit_test(a_hung_probe_does_not_hold_up_the_others),
        cmocka_unit_test(of_each_check_one_probe_runs_at_a_time),
        cmocka_unit_test(a_change_is_told_once),
        cmocka_unit_test(the_last_line_is_one_line_of_plain_text),
        cmocka_unit_test(a_long_line_is_cut_between_characters),
        cmocka_unit_test(a_probe_that_cannot_be_started_counts_as_failed),
        cmocka_unit_test(two_hundred_checks_run_side_by_side),
        cmocka_unit_test(two_hundred_checks_come_to_their_results),
        cmocka_unit_test(signals_are_afterwards_as_they_were),
        cmocka_unit_test(at_the_end_nothing_runs_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
