// SPDX-License-Identifier: Apache-2.0
#include "updater/byte_budget.h"

#include "tests/support/expect.h"

#include <pthread.h>

static void without_a_limit_any_number_of_bytes_is_left(void **state)
{
    struct error e;
    struct byte_budget b = {0};
    (void)state;
    byte_budget_count(&b, 5);
    assert_int_equal(byte_budget_used(&b), 5);
    assert_true(byte_budget_left(&b) == UINT64_MAX);
    assert_ok(byte_budget_check(&b, UINT64_MAX, &e));
}

static void no_budget_is_one_without_a_limit(void **state)
{
    struct error e;
    (void)state;
    byte_budget_count(NULL, 5);
    assert_int_equal(byte_budget_used(NULL), 0);
    assert_true(byte_budget_left(NULL) == UINT64_MAX);
    assert_ok(byte_budget_check(NULL, UINT64_MAX, &e));
}

static void what_came_in_is_not_left(void **state)
{
    struct byte_budget b = {.limit_bytes = 100};
    (void)state;
    assert_int_equal(byte_budget_left(&b), 100);
    byte_budget_count(&b, 30);
    assert_int_equal(byte_budget_left(&b), 70);
    byte_budget_count(&b, 70);
    assert_int_equal(byte_budget_left(&b), 0);
    byte_budget_count(&b, 1); // was in flight
    assert_int_equal(byte_budget_left(&b), 0);
    assert_int_equal(byte_budget_used(&b), 101);
}

static void more_than_is_left_is_refused_with_the_figures(void **state)
{
    struct error e;
    struct byte_budget b = {.limit_bytes = 10 << 20, .used_bytes = 6 << 20};
    (void)state;
    assert_ok(byte_budget_check(&b, 4 << 20, &e));
    assert_fails(ERR_NOT_NOW,
                 "does not allow 5.0 MiB more: 6.0 MiB of 10.0 MiB came in for it; raise "
                 "byte_budget of [network], or use 'vv-update install --again' to count anew",
                 byte_budget_check(&b, 5 << 20, &e));
}

enum { THREADS = 4, ROUNDS = 100000 };

static void *count_many(void *budget)
{
    for (int i = 0; i < ROUNDS; i++) {
        byte_budget_count(budget, 3);
    }
    return NULL;
}

static void no_byte_is_lost_between_threads(void **state)
{
    struct byte_budget b = {0};
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, &b), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(byte_budget_used(&b), (uint64_t)3 * THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_any_number_of_bytes_is_left),
        cmocka_unit_test(no_budget_is_one_without_a_limit),
        cmocka_unit_test(what_came_in_is_not_left),
        cmocka_unit_test(more_than_is_left_is_refused_with_the_figures),
        cmocka_unit_test(no_byte_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
