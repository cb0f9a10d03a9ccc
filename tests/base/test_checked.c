// SPDX-License-Identifier: Apache-2.0
#include "base/checked.h"

#include "tests/support/expect.h"

static void a_sum_that_fits_is_given(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(u64_add(UINT64_MAX - 1, 1, &v));
    assert_true(v == UINT64_MAX);
}

static void a_sum_that_wraps_is_refused(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_false(u64_add(UINT64_MAX, 1, &v));
}

static void a_product_that_wraps_is_refused(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(u64_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &v));
    assert_false(u64_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
}

static void rounding_up_stops_at_the_last_multiple(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(u64_align_up(0, 4096, &v));
    assert_int_equal(v, 0);
    assert_true(u64_align_up(1, 4096, &v));
    assert_int_equal(v, 4096);
    assert_true(u64_align_up(4096, 4096, &v));
    assert_int_equal(v, 4096);
    v = 7;
    assert_false(u64_align_up(UINT64_MAX - 4094, 4096, &v));
    assert_int_equal(v, 7);
}

static void rounding_down_takes_the_multiple_below(void **state)
{
    (void)state;
    assert_int_equal(u64_align_down(4095, 4096), 0);
    assert_int_equal(u64_align_down(8191, 4096), 4096);
}

static void a_size_of_memory_is_converted(void **state)
{
    (void)state;
    size_t v = 0;
    assert_true(u64_to_size(123, &v));
    assert_int_equal(v, 123);
    assert_int_equal(u64_to_size(UINT64_MAX, &v), sizeof(size_t) == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_that_fits_is_given),
        cmocka_unit_test(a_sum_that_wraps_is_refused),
        cmocka_unit_test(a_product_that_wraps_is_refused),
        cmocka_unit_test(rounding_up_stops_at_the_last_multiple),
        cmocka_unit_test(rounding_down_takes_the_multiple_below),
        cmocka_unit_test(a_size_of_memory_is_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
