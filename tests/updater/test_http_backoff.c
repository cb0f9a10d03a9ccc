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

static void a_server_that_asks_for_more_time_gets_it(void **state)
{
    (void)state;
    assert_int_equal(http_backoff_ms(1, 120 * 1000, middle), 120 * 1000);
    assert_int_equal(http_backoff_ms(1, 120 * 1000, UINT32_MAX), 120 * 1000);
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
        cmocka_unit_test(a_server_that_asks_for_more_time_gets_it),
        cmocka_unit_test(a_server_that_asks_for_less_does_not_shorten_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
