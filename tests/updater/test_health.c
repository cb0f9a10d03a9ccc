// SPDX-License-Identifier: Apache-2.0
#include "updater/health.h"

#include "tests/support/checks.h"
#include "tests/support/fast_clock.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"
#include "updater/baseline.h"

// Real commands, real time while one runs, and no time at all between probes.
struct room {
    struct talk talk;
    struct fast_clock clock;
    struct config config;
    struct config_check checks[4];
    struct baseline before;
    void (*changed)(void *context, const struct health_report *r, uint64_t until_ms);
    unsigned told;
    enum health_verdict last_told;
    uint64_t until_ms;
    struct health_report report;
};

static struct room *room_new(void)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->clock = fast_clock_make();
    r->config = config_with_checks(r->checks, 0);
    talk_begin(&r->talk);
    return r;
}

static struct config_check *add(struct room *r, const char *name, const char *command)
{
    struct config_check *c = &r->checks[r->config.check_count++];
    *c = check_exec(name, command);
    return c;
}

static uint64_t passed_ms(const struct room *r)
{
    return r->clock.slept_ms;
}

static void decide(struct room *r, enum health_verdict verdict, const char *reason)
{
    struct error e;
    const struct health_ask ask = {.config = &r->config,
                                   .before = &r->before,
                                   .clock = &r->clock.base,
                                   .log = &r->talk.log,
                                   .changed = r->changed,
                                   .context = r};
    assert_ok(health_decide(&ask, &r->report, &e));
    assert_string_equal(r->report.reason, reason);
    assert_int_equal(r->report.verdict, verdict);
}

static void once(struct room *r, enum health_verdict verdict, const char *reason)
{
    struct error e;
    const struct health_ask ask = {.config = &r->config,
                                   .clock = &r->clock.base,
                                   .log = &r->talk.log,
                                   .changed = r->changed,
                                   .context = r};
    assert_ok(health_once(&ask, &r->report, &e));
    assert_string_equal(r->report.reason, reason);
    assert_int_equal(r->report.verdict, verdict);
}

static void room_free(struct room *r)
{
    health_report_clear(&r->report);
    talk_end(&r->talk);
    free(r);
}

// --- up to a verdict ----------------------------------------------------------------------------

static void without_checks_the_system_is_good_with_a_warning(void **state)
{
    (void)state;
    struct room *r = room_new();
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.count, 0);
    assert_contains(talk_text(&r->talk), "warning: no health checks are configured: the new system "
                                         "is kept unchecked");
    room_free(r);
}

static void with_wanted_checks_only_it_is_good_with_a_warning(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "nice", "exit 1")->required = false;
    decide(r, HEALTH_GOOD, "");
    assert_contains(talk_text(&r->talk), "warning: no required health checks are configured");
    room_free(r);
}

static void all_required_checks_healthy_is_good(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "one", "echo fine");
    add(r, "two", "exit 0");
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.count, 2);
    assert_int_equal(r->report.results[0].verdict, CHECK_HEALTHY);
    assert_int_equal(r->report.results[1].verdict, CHECK_HEALTHY);
    assert_string_equal(r->report.results[0].last_line, "fine");
    room_free(r);
}

static void one_required_check_unhealthy_is_bad_and_named(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "one", "exit 0");
    add(r, "two", "echo no camera found; exit 1");
    decide(r, HEALTH_BAD, "check two: no camera found");
    room_free(r);
}

static void an_unhealthy_check_is_not_outweighed_by_time(void **state)
{
    (void)state;
    struct room *r = room_new();
    // The other one never answers: the verdict does not wait for it.
    add(r, "hung", "sleep 60")->timeout_ms = 60000;
    add(r, "two", "exit 3");
    r->config.confirm_deadline_ms = 60000;
    decide(r, HEALTH_BAD, "check two: exit status 3");
    room_free(r);
}

static void a_wanted_check_is_told_and_not_counted(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "nice", "exit 1")->required = false;
    // The second success comes an interval later: the other one has its answer by then.
    add(r, "must", "sleep 0.05")->successes = 2;
    decide(r, HEALTH_GOOD, "");
    assert_contains(talk_text(&r->talk), "check nice is unhealthy (wanted only): exit status 1");
    assert_int_equal(r->report.results[0].verdict, CHECK_UNHEALTHY);
    assert_false(r->report.results[0].required);
    room_free(r);
}

static void a_check_that_says_not_yet_is_asked_again(void **state)
{
    char command[512];
    struct room *r = room_new();
    snprintf(command, sizeof command, "cd %s && { test -e asked && exit 0; touch asked; exit 75; }",
             (const char *)*state);
    add(r, "late", command);
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.results[0].tries, 2);
    room_free(r);
}

static void retries_are_so_many_failures(void **state)
{
    char command[512];
    char path[512];
    struct room *r = room_new();
    snprintf(command, sizeof command, "echo x >> %s/tries; exit 1", (const char *)*state);
    struct config_check *c = add(r, "api", command);
    c->retries = 3;
    c->interval_ms = 30000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_BAD, "check api: exit status 1");
    assert_int_equal(r->report.results[0].tries, 3);
    assert_true(passed_ms(r) > 2 * 29000 && passed_ms(r) <= 2 * 30000);
    struct stat st;
    assert_int_equal(stat(temp_dir_path(path, sizeof path, *state, "tries"), &st), 0);
    assert_int_equal(st.st_size, 6);
    room_free(r);
}

// --- the deadline -------------------------------------------------------------------------------

static void a_hung_check_ends_at_the_deadline(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "api", "exit 0");
    add(r, "slow", "sleep 60")->timeout_ms = 60000;
    r->config.confirm_deadline_ms = 300;
    decide(r, HEALTH_BAD, "check slow: not healthy within 300 ms, no answer yet");
    room_free(r);
}

static void a_check_that_never_gets_ready_ends_at_the_deadline(void **state)
{
    (void)state;
    struct room *r = room_new();
    struct config_check *c = add(r, "late", "echo still loading; exit 75");
    c->interval_ms = 60000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_BAD, "check late: not healthy within 10 min: still loading");
    assert_true(passed_ms(r) <= 600000);
    assert_int_equal(r->report.results[0].verdict, CHECK_STARTING);
    room_free(r);
}

static void a_start_period_longer_than_the_deadline_does_not_move_it(void **state)
{
    (void)state;
    struct room *r = room_new();
    struct config_check *c = add(r, "api", "exit 1");
    c->start_period_ms = 3600000;
    c->interval_ms = 10000;
    r->config.confirm_deadline_ms = 60000;
    decide(r, HEALTH_BAD, "check api: not healthy within 1 min: exit status 1");
    room_free(r);
}

static void a_timeout_is_a_failure_of_its_check(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "slow", "sleep 60")->timeout_ms = 100;
    decide(r, HEALTH_BAD, "check slow: no answer within 100 ms");
    room_free(r);
}

// --- stable_for ---------------------------------------------------------------------------------

static void stable_for_is_waited_out_and_asked_at_its_end(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "api", "exit 0")->interval_ms = 3600000;
    r->config.confirm_stable_ms = 300000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_GOOD, "");
    // Once at the beginning, once five minutes later, an hour before its turn.
    assert_int_equal(r->report.results[0].tries, 2);
    assert_true(passed_ms(r) > 290000 && passed_ms(r) <= 300000);
    room_free(r);
}

static void what_breaks_within_stable_for_is_bad(void **state)
{
    char command[512];
    struct room *r = room_new();
    snprintf(command, sizeof command,
             "cd %s && { test -e up && { echo crashed; exit 1; }; touch up; }",
             (const char *)*state);
    add(r, "api", command)->interval_ms = 3600000;
    r->config.confirm_stable_ms = 300000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_BAD, "check api: crashed");
    room_free(r);
}

static void stable_for_begins_when_the_last_check_is_healthy(void **state)
{
    char command[512];
    struct room *r = room_new();
    snprintf(command, sizeof command,
             "cd %s && { test -e n2 && exit 0; test -e n1 && touch n2; touch n1; exit 75; }",
             (const char *)*state);
    add(r, "fast", "exit 0")->interval_ms = 7000;
    add(r, "late", command)->interval_ms = 60000; // healthy at two minutes
    r->config.confirm_stable_ms = 60000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_GOOD, "");
    assert_true(passed_ms(r) > 170000 && passed_ms(r) <= 181000);
    room_free(r);
}

static void a_failure_at_the_end_of_stable_for_is_tried_again_after_its_interval(void **state)
{
    char command[512];
    struct room *r = room_new();
    snprintf(command, sizeof command,
             "cd %s && { test -e n2 && exit 0; test -e n1 && { touch n2; exit 1; }; touch n1; }",
             (const char *)*state);
    struct config_check *c = add(r, "api", command);
    c->interval_ms = 120000;
    c->retries = 2;
    r->config.confirm_stable_ms = 60000;
    r->config.confirm_deadline_ms = 600000;
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.results[0].tries, 3);
    assert_true(passed_ms(r) > 170000 && passed_ms(r) <= 180000);
    room_free(r);
}

static void a_stable_for_that_does_not_fit_into_the_deadline_is_bad(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "api", "exit 0")->interval_ms = 10000;
    r->config.confirm_stable_ms = 120000;
    r->config.confirm_deadline_ms = 60000;
    decide(r, HEALTH_BAD, "the checks were not all healthy for 2 min within 1 min");
    room_free(r);
}

// --- who is told ---------------------------------------------------------------------------------

static void note(void *context, const struct health_report *report, uint64_t until_ms)
{
    struct room *r = context;
    // All of what is told makes sense already while it is waited.
    assert_int_equal(report->count, r->config.check_count);
    if (r->told == 0) {
        assert_int_equal(report->verdict, HEALTH_WAITING);
        assert_int_equal(report->results[0].verdict, CHECK_STARTING);
    }
    r->told++;
    r->last_told = report->verdict;
    r->until_ms = until_ms;
}

static void the_beginning_each_change_and_the_end_are_told(void **state)
{
    char command[512];
    struct room *r = room_new();
    snprintf(command, sizeof command,
             "cd %s && { test -e n2 && exit 0; test -e n1 && touch n2; touch n1; exit 75; }",
             (const char *)*state);
    add(r, "late", command)->interval_ms = 5000;
    r->changed = note;
    r->config.confirm_deadline_ms = 600000;
    uint64_t began_ms = r->clock.base.ops->boottime_ms(&r->clock.base);
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.results[0].tries, 3);
    // What was known within a second of the beginning is told with the next.
    assert_int_equal(r->told, 4);
    assert_int_equal(r->last_told, HEALTH_GOOD);
    assert_in_range(r->until_ms, began_ms + 600000, began_ms + 605000);
    room_free(r);
}

static void a_bad_verdict_is_told_with_its_reason(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "api", "exit 3");
    r->changed = note;
    decide(r, HEALTH_BAD, "check api: exit status 3");
    assert_int_equal(r->last_told, HEALTH_BAD);
    room_free(r);
}

static void without_checks_nobody_is_told(void **state)
{
    (void)state;
    struct room *r = room_new();
    r->changed = note;
    decide(r, HEALTH_GOOD, "");
    assert_int_equal(r->told, 0);
    room_free(r);
}

// --- what failed before -------------------------------------------------------------------------

static void what_failed_before_counts_as_wanted_and_this_is_told(void **state)
{
    (void)state;
    char old[] = "old";
    char *failing[] = {old};
    struct room *r = room_new();
    r->before = (struct baseline){1, failing};
    add(r, "old", "exit 1");
    add(r, "api", "sleep 0.05")->successes = 2;
    decide(r, HEALTH_GOOD, "");
    assert_false(r->report.results[0].required);
    assert_int_equal(r->report.results[0].verdict, CHECK_UNHEALTHY);
    assert_contains(talk_text(&r->talk),
                    "warning: check old failed before the update already: it is not counted\n");
    room_free(r);
}

// --- once ---------------------------------------------------------------------------------------

static void once_asks_every_check_one_time(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "one", "exit 0")->successes = 5;
    add(r, "two", "exit 0")->interval_ms = 1;
    once(r, HEALTH_GOOD, "");
    assert_int_equal(r->report.results[0].tries, 1);
    assert_int_equal(r->report.results[1].tries, 1);
    assert_int_equal(r->report.results[0].verdict, CHECK_HEALTHY);
    assert_string_equal(talk_text(&r->talk) == NULL ? "" : talk_text(&r->talk), "");
    room_free(r);
}

static void once_has_no_patience_with_failures(void **state)
{
    (void)state;
    struct room *r = room_new();
    struct config_check *c = add(r, "api", "echo down; exit 1");
    c->retries = 10;
    c->start_period_ms = 3600000;
    add(r, "nice", "exit 1")->required = false;
    once(r, HEALTH_BAD, "check api: down");
    assert_int_equal(r->report.results[0].verdict, CHECK_UNHEALTHY);
    assert_int_equal(r->report.results[1].verdict, CHECK_UNHEALTHY);
    room_free(r);
}

static void once_a_wanted_check_does_not_count(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "api", "exit 0");
    add(r, "nice", "exit 1")->required = false;
    once(r, HEALTH_GOOD, "");
    room_free(r);
}

static void once_not_yet_is_not_healthy(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "late", "echo loading; exit 75");
    once(r, HEALTH_BAD, "check late: not yet healthy: loading");
    assert_int_equal(r->report.results[0].verdict, CHECK_STARTING);
    room_free(r);
}

static void once_every_check_has_its_own_time(void **state)
{
    (void)state;
    struct room *r = room_new();
    add(r, "slow", "sleep 60")->timeout_ms = 100;
    add(r, "api", "exit 0");
    r->config.confirm_deadline_ms = 1; // not for this
    once(r, HEALTH_BAD, "check slow: no answer within 100 ms");
    assert_int_equal(r->report.results[1].verdict, CHECK_HEALTHY);
    room_free(r);
}

static void once_without_checks_is_good_with_a_warning(void **state)
{
    (void)state;
    struct room *r = room_new();
    once(r, HEALTH_GOOD, "");
    assert_contains(talk_text(&r->talk), "warning: no health checks are configured\n");
    room_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_checks_the_system_is_good_with_a_warning),
        cmocka_unit_test(with_wanted_checks_only_it_is_good_with_a_warning),
        cmocka_unit_test(all_required_checks_healthy_is_good),
        cmocka_unit_test(one_required_check_unhealthy_is_bad_and_named),
        cmocka_unit_test(an_unhealthy_check_is_not_outweighed_by_time),
        cmocka_unit_test_setup_teardown(the_beginning_each_change_and_the_end_are_told,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test(a_bad_verdict_is_told_with_its_reason),
        cmocka_unit_test(without_checks_nobody_is_told),
        cmocka_unit_test(what_failed_before_counts_as_wanted_and_this_is_told),
        cmocka_unit_test(a_wanted_check_is_told_and_not_counted),
        cmocka_unit_test_setup_teardown(a_check_that_says_not_yet_is_asked_again, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(retries_are_so_many_failures, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test(a_hung_check_ends_at_the_deadline),
        cmocka_unit_test(a_check_that_never_gets_ready_ends_at_the_deadline),
        cmocka_unit_test(a_start_period_longer_than_the_deadline_does_not_move_it),
        cmocka_unit_test(a_timeout_is_a_failure_of_its_check),
        cmocka_unit_test(stable_for_is_waited_out_and_asked_at_its_end),
        cmocka_unit_test_setup_teardown(what_breaks_within_stable_for_is_bad, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(stable_for_begins_when_the_last_check_is_healthy,
                                        temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(
            a_failure_at_the_end_of_stable_for_is_tried_again_after_its_interval, temp_dir_make,
            temp_dir_remove),
        cmocka_unit_test(a_stable_for_that_does_not_fit_into_the_deadline_is_bad),
        cmocka_unit_test(once_asks_every_check_one_time),
        cmocka_unit_test(once_has_no_patience_with_failures),
        cmocka_unit_test(once_a_wanted_check_does_not_count),
        cmocka_unit_test(once_not_yet_is_not_healthy),
        cmocka_unit_test(once_every_check_has_its_own_time),
        cmocka_unit_test(once_without_checks_is_good_with_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
