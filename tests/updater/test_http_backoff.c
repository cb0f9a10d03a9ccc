// SPDX-License-Identifier: Apache-2.0
#include "updater/http_backoff.h"

#include "tests/support/expect.h"

static const uint32_t middle = UINT32_MAX / 2;

static void assert_near(uint64_t value, uint64_t wanted)
{
    assert_in_range(value, wanted - 1, wanted + 1);
}

static void each_failure_doubles_the_wait_from_one_second(void **state)
{
    (void)state;
    static const uint64_t wanted_s[] = {1, 2, 4, 8, 16, 32};
    for (unsigned i = 0; i < sizeof wanted_s / sizeof wanted_s[0]; i++) {
        assert_near(http_backoff_ms(i + 1, 0, middle), wanted_s[i] * 1000);
    }
}

static void the_wait_never_grows_past_a_minute(void **state)
{
    (void)state;
    assert_near(http_backoff_ms(7, 0, middle), 60000);
    assert_near(http_backoff_ms(8, 0, middle), 60000);
    assert_near(http_backoff_ms(1000, 0, middle), 60000);
    assert_near(http_backoff_ms(UINT32_MAX, 0, middle), 60000);
}

static void no_failure_waits_like_the_first(void **state)
{
    (void)state;
    assert_near(http_backoff_ms(0, 0, middle), 1000);
}

static void jitter_spreads_each_wait_by_a_quarter_to_both_sides(void **state)
{
    (void)state;
    assert_int_equal(http_backoff_ms(1, 0, 0), 750);
    assert_int_equal(http_backoff_ms(1, 0, UINT32_MAX), 1250);
    assert_int_equal(http_backoff_ms(7, 0, 0), 45000);
    assert_int_equal(http_backoff_ms(7, 0, UINT32_MAX), 75000);
}

static void jitter_uses_the_range_between(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t wait = http_backoff_ms(3, 0, i << 28);
        assert_true(wait > last);
        last = wait;
    }
}

static void a_server_that_asks_for_more_time_gets_it_and_a_spread_on_top(void **state)
{
    (void)state;
    static const struct {
        uint64_t asked_s, least_s, most_s;
    } cases[] = {
        {2, 2, 4}, {30, 30, 60}, {60, 60, 120}, {120, 120, 180}, {1800, 1800, 1860},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t asked_ms = cases[i].asked_s * 1000;
        assert_int_equal(http_backoff_ms(1, asked_ms, 0), cases[i].least_s * 1000);
        assert_int_equal(http_backoff_ms(1, asked_ms, UINT32_MAX), cases[i].most_s * 1000);
    }
}

// 6000 that were told the same moment, and learned of it at different times.
static void who_is_told_one_moment_does_not_come_in_one_second(void **state)
{
    (void)state;
    enum { DEVICES = 6000, MOMENT_S = 300, MOST_A_SECOND = 2 * DEVICES / 60 };
    unsigned came[2 * MOMENT_S] = {0};
    for (uint32_t i = 0; i < DEVICES; i++) {
        uint64_t told_ms = i % 200 * 1000;
        uint32_t random = i * UINT32_C(2654435761); // Knuth: all of the range, in no order
        uint64_t wait_ms = http_backoff_ms(1, MOMENT_S * 1000 - told_ms, random);
        uint64_t second = (told_ms + wait_ms) / 1000;
        assert_in_range(second, MOMENT_S, 2 * MOMENT_S - 1);
        came[second]++;
    }
    for (size_t i = 0; i < sizeof came / sizeof came[0]; i++) {
        assert_in_range(came[i], 0, MOST_A_SECOND);
    }
}

static void a_server_that_asks_for_less_does_not_shorten_the_wait(void **state)
{
    (void)state;
    assert_near(http_backoff_ms(6, 1000, middle), 32000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_doubles_the_wait_from_one_second),
        cmocka_unit_test(the_wait_never_grows_past_a_minute),
        cmocka_unit_test(no_failure_waits_like_the_first),
        cmocka_unit_test(jitter_spreads_each_wait_by_a_quarter_to_both_sides),
        cmocka_unit_test(jitter_uses_the_range_between),
        cmocka_unit_test(a_server_that_asks_for_more_time_gets_it_and_a_spread_on_top),
        cmocka_unit_test(who_is_told_one_moment_does_not_come_in_one_second),
        cmocka_unit_test(a_server_that_asks_for_less_does_not_shorten_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
