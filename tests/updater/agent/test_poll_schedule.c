// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/poll_schedule.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <inttypes.h>
#include <stdlib.h>

#define MIN_MS UINT64_C(60000)
#define HOUR_MS (60 * MIN_MS)
#define DAY_MS (24 * HOUR_MS)

static const struct poll_rules five_minutes = {.interval_ms = 5 * MIN_MS, .jitter_percent = 10};
static const struct poll_rules a_day = {.interval_ms = DAY_MS, .jitter_percent = 10};
static const struct poll_result done = {.answer = POLL_DONE};
static const struct poll_result busy = {.answer = POLL_BUSY};
static const struct poll_result failed = {.answer = POLL_FAILED};
static const struct poll_result unreachable = {.answer = POLL_UNREACHABLE};
static const struct poll_result refused = {.answer = POLL_REFUSED};

static const uint64_t boot_ms = 40000;

// A schedule whose server answered once, and the time of that.
static struct poll_schedule running(const struct poll_rules *rules, uint64_t *ret_now_ms)
{
    struct poll_schedule s;
    poll_schedule_begin(&s, rules, boot_ms, 0);
    poll_schedule_started(&s);
    poll_schedule_ended(&s, &done, boot_ms, 0);
    *ret_now_ms = poll_schedule_next_ms(&s);
    return s;
}

// One poll at `now_ms`; the wait after it.
static uint64_t poll(struct poll_schedule *s, const struct poll_result *result, uint64_t now_ms,
                     uint32_t random)
{
    poll_schedule_started(s);
    poll_schedule_ended(s, result, now_ms, random);
    return poll_schedule_next_ms(s) - now_ms;
}

// `s` is polled once more with `result`: the least and the greatest wait, and one between.
static void assert_wait(const struct poll_schedule *s, const struct poll_result *result,
                        uint64_t now_ms, uint64_t low_ms, uint64_t high_ms)
{
    struct poll_schedule a = *s;
    struct poll_schedule b = *s;
    struct poll_schedule c = *s;
    assert_int_equal(poll(&a, result, now_ms, 0), low_ms);
    assert_int_equal(poll(&b, result, now_ms, UINT32_MAX), high_ms);
    assert_in_range(poll(&c, result, now_ms, UINT32_MAX / 2), (low_ms + high_ms) / 2 - 1,
                    (low_ms + high_ms) / 2);
}

// --- the table --------------------------------------------------------------------------------

static void the_first_poll_is_spread_over_five_minutes_or_the_interval(void **state)
{
    (void)state;
    static const struct {
        uint64_t interval_ms;
        uint64_t spread_ms;
    } table[] = {{1000, 1000}, {30000, 30000}, {5 * MIN_MS, 5 * MIN_MS}, {DAY_MS, 5 * MIN_MS}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct poll_rules rules = {.interval_ms = table[i].interval_ms, .jitter_percent = 10};
        struct poll_schedule s;
        poll_schedule_begin(&s, &rules, boot_ms, 0);
        assert_int_equal(poll_schedule_next_ms(&s), boot_ms);
        poll_schedule_begin(&s, &rules, boot_ms, UINT32_MAX);
        assert_int_equal(poll_schedule_next_ms(&s), boot_ms + table[i].spread_ms);
        poll_schedule_begin(&s, &rules, boot_ms, UINT32_MAX / 4);
        assert_in_range(poll_schedule_next_ms(&s), boot_ms + table[i].spread_ms / 4 - 1,
                        boot_ms + table[i].spread_ms / 4);
    }
}

static void an_answer_is_followed_by_the_interval_with_jitter(void **state)
{
    (void)state;
    static const struct {
        unsigned percent;
        uint64_t low_ms;
        uint64_t high_ms;
    } table[] = {{0, 300000, 300000}, {10, 270000, 330000}, {50, 150000, 450000}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct poll_rules rules = {5 * MIN_MS, table[i].percent};
        uint64_t now;
        struct poll_schedule s = running(&rules, &now);
        assert_wait(&s, &done, now, table[i].low_ms, table[i].high_ms);
    }
}

static void rules_outside_the_limits_are_taken_as_the_limit(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&(struct poll_rules){0, 0}, &now);
    assert_wait(&s, &done, now, POLL_INTERVAL_MIN_MS, POLL_INTERVAL_MIN_MS);
    s = running(&(struct poll_rules){UINT64_MAX, 1000}, &now);
    assert_wait(&s, &done, now, 7 * DAY_MS / 2, 7 * DAY_MS * 3 / 2);
}

static void failures_in_a_row_double_the_wait_up_to_a_bound(void **state)
{
    (void)state;
    // Half a row's figure is the least wait.
    static const struct {
        uint64_t interval_ms;
        uint64_t full_ms[7];
    } table[] = {
        {30000, {60000, 120000, 240000, 480000, 960000, 960000, 960000}},
        {5 * MIN_MS,
         {10 * MIN_MS, 20 * MIN_MS, 40 * MIN_MS, 80 * MIN_MS, 160 * MIN_MS, 160 * MIN_MS,
          160 * MIN_MS}},
        {HOUR_MS,
         {2 * HOUR_MS, 4 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS, 6 * HOUR_MS,
          6 * HOUR_MS}},
        {DAY_MS,
         {2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS, 2 * DAY_MS}},
    };
    static const struct poll_result *const kinds[] = {&failed, &unreachable, &busy};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
            struct poll_rules rules = {table[i].interval_ms, 10};
            uint64_t now;
            struct poll_schedule s = running(&rules, &now);
            for (size_t k = 0; k < 7; k++) {
                assert_wait(&s, kinds[kind], now, table[i].full_ms[k] / 2, table[i].full_ms[k]);
                now += poll(&s, kinds[kind], now, 0);
                assert_int_equal(s.failures, k + 1);
            }
        }
    }
}

static void a_refusal_starts_two_steps_higher(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    assert_wait(&s, &refused, now, 20 * MIN_MS, 40 * MIN_MS);
    now += poll(&s, &refused, now, 0);
    assert_wait(&s, &refused, now, 40 * MIN_MS, 80 * MIN_MS);
    now += poll(&s, &refused, now, 0);
    assert_wait(&s, &failed, now, 20 * MIN_MS, 40 * MIN_MS);
}

static void an_answer_ends_the_back_off(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    for (int i = 0; i < 9; i++) {
        now += poll(&s, &unreachable, now, 0);
    }
    now += poll(&s, &done, now, 0);
    assert_int_equal(s.failures, 0);
    assert_wait(&s, &done, now, 270000, 330000);
    assert_wait(&s, &failed, now, 5 * MIN_MS, 10 * MIN_MS);
}

static void no_count_of_failures_is_too_many(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    s.failures = UINT32_MAX;
    assert_wait(&s, &refused, now, 80 * MIN_MS, 160 * MIN_MS);
    assert_int_equal(poll(&s, &failed, now, 0), 80 * MIN_MS);
    assert_int_equal(s.failures, UINT32_MAX);
}

// What the server asked for is the least wait, and the interval is; an interval is added at most.
static void a_busy_server_is_given_the_time_it_asks_for(void **state)
{
    (void)state;
    static const struct {
        uint64_t asked_ms;
        uint64_t low_ms;
    } table[] = {{1, 5 * MIN_MS},     {10000, 5 * MIN_MS}, {5 * MIN_MS, 5 * MIN_MS},
                 {HOUR_MS, HOUR_MS},  {DAY_MS, DAY_MS},    {DAY_MS + 1, DAY_MS},
                 {UINT64_MAX, DAY_MS}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t now;
        struct poll_schedule s = running(&five_minutes, &now);
        for (int k = 0; k < 3; k++) {
            struct poll_result asks = {.answer = POLL_BUSY, .retry_after_ms = table[i].asked_ms};
            assert_wait(&s, &asks, now, table[i].low_ms, table[i].low_ms + 5 * MIN_MS);
            now += poll(&s, &asks, now, 0);
        }
    }
}

static void what_a_busy_server_asked_for_stands_after_a_trigger_that_failed(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    poll(&s, &(struct poll_result){.answer = POLL_BUSY, .retry_after_ms = 2 * HOUR_MS}, now, 0);
    poll_schedule_trigger(&s, now + MIN_MS);
    assert_true(poll_schedule_due(&s, now + MIN_MS));
    // Not all of those who were asked at the same time at the same moment.
    assert_wait(&s, &failed, now + MIN_MS, 2 * HOUR_MS - MIN_MS, 2 * HOUR_MS + 4 * MIN_MS);
    // And until it answered.
    assert_int_equal(poll(&s, &done, now + MIN_MS, 0), 5 * MIN_MS / 2);
    assert_wait(&s, &failed, now + 4 * MIN_MS, 5 * MIN_MS, 10 * MIN_MS);
}

static void any_failure_may_say_how_long_to_wait(void **state)
{
    (void)state;
    static const enum poll_answer kinds[] = {POLL_BUSY, POLL_FAILED, POLL_REFUSED};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint64_t now;
        struct poll_schedule s = running(&five_minutes, &now);
        struct poll_result asks = {.answer = kinds[i], .retry_after_ms = HOUR_MS};
        assert_wait(&s, &asks, now, HOUR_MS, HOUR_MS + 5 * MIN_MS);
    }
}

static void the_server_may_give_another_interval_within_bounds(void **state)
{
    (void)state;
    static const struct {
        uint64_t given_ms;
        uint64_t interval_ms;
    } table[] = {{1, 30000},       {30000, 30000},       {HOUR_MS, HOUR_MS},
                 {DAY_MS, DAY_MS}, {DAY_MS + 1, DAY_MS}, {UINT64_MAX, DAY_MS}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t now;
        uint64_t interval = table[i].interval_ms;
        struct poll_schedule s = running(&five_minutes, &now);
        struct poll_result given = {.answer = POLL_DONE, .interval_ms = table[i].given_ms};
        assert_wait(&s, &given, now, interval - interval / 10, interval + interval / 10);
        now += poll(&s, &given, now, 0);
        assert_int_equal(poll_schedule_interval_ms(&s), interval);
        // It holds through failures, and until an answer without one.
        assert_int_equal(poll(&s, &failed, now, 0), interval);
        assert_int_equal(poll(&s, &done, now, 0), 270000);
        assert_int_equal(poll_schedule_interval_ms(&s), 5 * MIN_MS);
    }
}

static void each_answer_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(poll_answer_name(POLL_DONE), "done");
    assert_string_equal(poll_answer_name(POLL_BUSY), "busy");
    assert_string_equal(poll_answer_name(POLL_FAILED), "failed");
    assert_string_equal(poll_answer_name(POLL_UNREACHABLE), "unreachable");
    assert_string_equal(poll_answer_name(POLL_REFUSED), "refused");
}

// --- the start --------------------------------------------------------------------------------

static void a_device_whose_network_comes_late_does_not_wait_a_day(void **state)
{
    (void)state;
    struct poll_schedule s;
    poll_schedule_begin(&s, &a_day, boot_ms, 0);
    static const uint64_t full_min[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 2880, 2880};
    uint64_t now = boot_ms;
    unsigned sooner = 0;
    for (size_t i = 0; i < sizeof full_min / sizeof full_min[0]; i++) {
        assert_wait(&s, &unreachable, now, full_min[i] * MIN_MS / 2, full_min[i] * MIN_MS);
        uint64_t wait = poll(&s, &unreachable, now, 0);
        sooner += wait < DAY_MS;
        now += wait;
    }
    assert_in_range(sooner, 1, POLL_START_TRIES_MAX);
}

static void the_longest_interval_is_reached_after_so_many_tries(void **state)
{
    (void)state;
    struct poll_schedule s;
    struct poll_rules rules = {POLL_INTERVAL_MAX_MS, 10};
    poll_schedule_begin(&s, &rules, boot_ms, 0);
    uint64_t now = boot_ms;
    for (int i = 0; i < POLL_START_TRIES_MAX; i++) {
        now += poll(&s, &unreachable, now, 0);
    }
    assert_wait(&s, &unreachable, now, 7 * DAY_MS, 14 * DAY_MS);
}

static void any_answer_since_the_start_makes_the_interval_the_base(void **state)
{
    (void)state;
    static const struct poll_result *const kinds[] = {&done, &busy, &failed, &refused};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct poll_schedule s;
        poll_schedule_begin(&s, &a_day, boot_ms, 0);
        uint64_t now = boot_ms + poll(&s, kinds[i], boot_ms, 0);
        assert_wait(&s, &unreachable, now, DAY_MS, 2 * DAY_MS);
    }
}

// --- what comes between -----------------------------------------------------------------------

static void after_a_suspend_one_poll_is_due(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    assert_false(poll_schedule_due(&s, now - 1));
    assert_true(poll_schedule_due(&s, now));
    now += 9 * HOUR_MS;
    assert_true(poll_schedule_due(&s, now));
    assert_wait(&s, &done, now, 270000, 330000);
    poll(&s, &done, now, 0);
    assert_false(poll_schedule_due(&s, now));
    assert_false(poll_schedule_due(&s, now + 270000 - 1));
}

static void none_is_due_while_one_is_under_way(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    poll_schedule_started(&s);
    assert_int_equal(poll_schedule_next_ms(&s), UINT64_MAX);
    assert_false(poll_schedule_due(&s, now + DAY_MS));
    poll_schedule_trigger(&s, now + 1);
    poll_schedule_set_rules(&s, &a_day, now + 1, 0);
    assert_false(poll_schedule_due(&s, now + DAY_MS));
    poll_schedule_ended(&s, &done, now + DAY_MS, UINT32_MAX);
    assert_int_equal(poll_schedule_next_ms(&s), now + DAY_MS + DAY_MS * 11 / 10);
}

static void a_trigger_polls_now_and_the_next_is_drawn_from_a_whole_interval(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    now -= 2 * MIN_MS;
    assert_false(poll_schedule_due(&s, now));
    poll_schedule_trigger(&s, now);
    assert_true(poll_schedule_due(&s, now));
    assert_wait(&s, &done, now, 150000, 450000);
    now += poll(&s, &done, now, 0);
    assert_wait(&s, &done, now, 270000, 330000);
}

static void a_trigger_does_not_put_off_what_is_due(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    poll_schedule_trigger(&s, now + HOUR_MS);
    assert_int_equal(poll_schedule_next_ms(&s), now);
    poll_schedule_begin(&s, &five_minutes, 100, UINT32_MAX);
    poll_schedule_trigger(&s, 200);
    assert_int_equal(poll_schedule_next_ms(&s), 200);
}

static void triggers_that_fail_are_no_steps_of_the_back_off(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    for (int i = 0; i < 5; i++) {
        now += MIN_MS;
        poll_schedule_trigger(&s, now);
        assert_true(poll_schedule_due(&s, now));
        assert_wait(&s, &unreachable, now, 5 * MIN_MS, 10 * MIN_MS);
        poll(&s, &unreachable, now, 0);
    }
    assert_int_equal(s.failures, 1);
}

static void triggers_without_end_are_served_once_a_second(void **state)
{
    (void)state;
    uint64_t start;
    struct poll_schedule s = running(&five_minutes, &start);
    unsigned polls = 0;
    for (uint64_t now = start; now < start + 10000; now++) {
        poll_schedule_trigger(&s, now);
        if (poll_schedule_due(&s, now)) {
            poll(&s, polls % 2 == 0 ? &done : &failed, now, 0);
            polls++;
        }
    }
    assert_int_equal(polls, 10);
}

static void a_reload_with_another_interval_draws_anew(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&a_day, &now);
    poll(&s, &done, now, 0);
    poll_schedule_set_rules(&s, &five_minutes, now, UINT32_MAX);
    assert_int_equal(poll_schedule_next_ms(&s), now + 5 * MIN_MS);
    poll(&s, &failed, now, 0);
    poll_schedule_set_rules(&s, &a_day, now, 0);
    assert_int_equal(poll_schedule_next_ms(&s), now + DAY_MS);
    poll(&s, &(struct poll_result){.answer = POLL_BUSY, .retry_after_ms = HOUR_MS}, now, 0);
    poll_schedule_set_rules(&s, &five_minutes, now, UINT32_MAX);
    assert_int_equal(poll_schedule_next_ms(&s), now + HOUR_MS + 5 * MIN_MS);
    poll_schedule_begin(&s, &a_day, now, UINT32_MAX);
    poll_schedule_set_rules(&s, &(struct poll_rules){MIN_MS, 10}, now, UINT32_MAX);
    assert_int_equal(poll_schedule_next_ms(&s), now + MIN_MS);
}

static void a_reload_with_the_same_interval_changes_no_due_time(void **state)
{
    (void)state;
    uint64_t now;
    struct poll_schedule s = running(&five_minutes, &now);
    poll_schedule_set_rules(&s, &(struct poll_rules){5 * MIN_MS, 50}, now - MIN_MS, UINT32_MAX);
    assert_int_equal(poll_schedule_next_ms(&s), now);
    assert_wait(&s, &done, now, 150000, 450000);
    poll(&s, &(struct poll_result){.answer = POLL_DONE, .interval_ms = HOUR_MS}, now, 0);
    uint64_t next = poll_schedule_next_ms(&s);
    poll_schedule_set_rules(&s, &a_day, now, 0); // the server's holds
    assert_int_equal(poll_schedule_next_ms(&s), next);
    poll_schedule_trigger(&s, now + MIN_MS);
    poll(&s, &done, now + MIN_MS, 0);
    poll_schedule_trigger(&s, now + 2 * MIN_MS);
    poll_schedule_set_rules(&s, &five_minutes, now + 2 * MIN_MS, UINT32_MAX);
    assert_true(poll_schedule_due(&s, now + 2 * MIN_MS));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_poll_is_spread_over_five_minutes_or_the_interval),
        cmocka_unit_test(an_answer_is_followed_by_the_interval_with_jitter),
        cmocka_unit_test(rules_outside_the_limits_are_taken_as_the_limit),
        cmocka_unit_test(failures_in_a_row_double_the_wait_up_to_a_bound),
        cmocka_unit_test(a_refusal_starts_two_steps_higher),
        cmocka_unit_test(an_answer_ends_the_back_off),
        cmocka_unit_test(no_count_of_failures_is_too_many),
        cmocka_unit_test(a_busy_server_is_given_the_time_it_asks_for),
        cmocka_unit_test(what_a_busy_server_asked_for_stands_after_a_trigger_that_failed),
        cmocka_unit_test(any_failure_may_say_how_long_to_wait),
        cmocka_unit_test(the_server_may_give_another_interval_within_bounds),
        cmocka_unit_test(each_answer_has_its_name),
        cmocka_unit_test(a_device_whose_network_comes_late_does_not_wait_a_day),
        cmocka_unit_test(the_longest_interval_is_reached_after_so_many_tries),
        cmocka_unit_test(any_answer_since_the_start_makes_the_interval_the_base),
        cmocka_unit_test(after_a_suspend_one_poll_is_due),
        cmocka_unit_test(none_is_due_while_one_is_under_way),
        cmocka_unit_test(a_trigger_polls_now_and_the_next_is_drawn_from_a_whole_interval),
        cmocka_unit_test(a_trigger_does_not_put_off_what_is_due),
        cmocka_unit_test(triggers_that_fail_are_no_steps_of_the_back_off),
        cmocka_unit_test(triggers_without_end_are_served_once_a_second),
        cmocka_unit_test(a_reload_with_another_interval_draws_anew),
        cmocka_unit_test(a_reload_with_the_same_interval_changes_no_due_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
