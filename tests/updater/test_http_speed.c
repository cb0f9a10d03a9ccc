// SPDX-License-Identifier: Apache-2.0
#include "updater/http_speed.h"

#include "tests/support/expect.h"

static void a_window_with_enough_bytes_is_fast_enough(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000, 30000, 0);
    for (int window = 0; window < 3; window++) {
        assert_true(http_speed_add(&s, 29999, 30000));
        assert_true(http_speed_add(&s, 1, 0));
    }
}

static void a_window_with_a_byte_too_few_is_too_slow(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000, 30000, 0);
    assert_true(http_speed_add(&s, 29999, 29999));
    assert_false(http_speed_add(&s, 1, 0));
}

static void nothing_is_decided_before_the_window_is_full(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000000, 500, 0);
    for (int i = 0; i < 499; i++) {
        assert_true(http_speed_add(&s, 1, 0));
    }
    assert_false(http_speed_add(&s, 1, 0));
}

static void bytes_of_one_window_do_not_count_for_the_next(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(100, 1000, 0);
    assert_true(http_speed_add(&s, 1000, 1000000));
    assert_false(http_speed_add(&s, 1000, 99));
}

static void time_that_was_not_waited_does_not_count(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(100, 1000, 0);
    for (int i = 0; i < 10000; i++) {
        assert_true(http_speed_add(&s, 0, 0));
    }
}

static void a_rate_or_window_of_zero_switches_the_rule_off(void **state)
{
    (void)state;
    struct http_speed no_rate = http_speed_begin(0, 1000, 0);
    struct http_speed no_window = http_speed_begin(1000, 0, 0);
    assert_true(http_speed_add(&no_rate, UINT32_MAX, 0));
    assert_true(http_speed_add(&no_window, UINT32_MAX, 0));
    assert_int_equal(http_speed_left_ms(&no_rate, 700), 700);
}

static void a_rate_whose_product_overflows_is_out_of_reach_and_not_small(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(UINT64_MAX, 1000, 0);
    assert_false(http_speed_add(&s, 1000, UINT64_MAX - 1));
}

static void silence_is_too_slow_for_the_lowest_rate(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1, 200, 0);
    assert_true(http_speed_add(&s, 200, 1));
    assert_false(http_speed_add(&s, 200, 0));
}

static void our_own_rate_limit_is_not_taken_for_a_slow_server(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000000, 30000, 10000);
    assert_int_equal(s.bytes_per_s, 5000);
    assert_true(http_speed_add(&s, 30000, 150000));
    assert_false(http_speed_add(&s, 30000, 149999));
}

static void a_rate_limit_above_twice_the_lowest_rate_changes_nothing(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000, 30000, 1000000);
    assert_int_equal(s.bytes_per_s, 1000);
    assert_true(http_speed_add(&s, 30000, 30000));
    assert_false(http_speed_add(&s, 30000, 29999));
}

static void rests_under_a_rate_limit_do_not_close_a_window(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(1000, 200, 10000);
    assert_true(http_speed_add(&s, 4999, 0));
    assert_true(http_speed_add(&s, 1, 5000));
    assert_int_equal(http_speed_left_ms(&s, 6000), 5000);
}

static void a_wait_ends_with_the_window(void **state)
{
    (void)state;
    struct http_speed s = http_speed_begin(100, 1000, 0);
    assert_int_equal(http_speed_left_ms(&s, 700), 700);
    assert_int_equal(http_speed_left_ms(&s, 5000), 1000);
    assert_true(http_speed_add(&s, 400, 0));
    assert_int_equal(http_speed_left_ms(&s, 700), 600);
    assert_int_equal(http_speed_left_ms(&s, 100), 100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_with_enough_bytes_is_fast_enough),
        cmocka_unit_test(a_window_with_a_byte_too_few_is_too_slow),
        cmocka_unit_test(nothing_is_decided_before_the_window_is_full),
        cmocka_unit_test(bytes_of_one_window_do_not_count_for_the_next),
        cmocka_unit_test(time_that_was_not_waited_does_not_count),
        cmocka_unit_test(a_rate_or_window_of_zero_switches_the_rule_off),
        cmocka_unit_test(a_rate_whose_product_overflows_is_out_of_reach_and_not_small),
        cmocka_unit_test(silence_is_too_slow_for_the_lowest_rate),
        cmocka_unit_test(our_own_rate_limit_is_not_taken_for_a_slow_server),
        cmocka_unit_test(a_rate_limit_above_twice_the_lowest_rate_changes_nothing),
        cmocka_unit_test(rests_under_a_rate_limit_do_not_close_a_window),
        cmocka_unit_test(a_wait_ends_with_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
