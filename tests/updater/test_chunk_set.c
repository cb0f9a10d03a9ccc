// SPDX-License-Identifier: Apache-2.0
#include "updater/chunk_set.h"

#include "tests/support/expect.h"

static void a_new_set_is_empty(void **state)
{
    (void)state;
    struct error e;
    struct chunk_set *s = NULL;
    assert_ok(chunk_set_new(1000, &s, &e));
    for (uint32_t i = 0; i < 1000; i++) {
        assert_false(chunk_set_has(s, i));
    }
    assert_int_equal(chunk_set_size(s), 0);
    chunk_set_free(s);
}

static void it_has_what_was_added_and_counts_it_once(void **state)
{
    (void)state;
    struct error e;
    struct chunk_set *s = NULL;
    assert_ok(chunk_set_new(65536, &s, &e));
    const uint32_t added[] = {0, 7, 8, 9, 4095, 65535, 8};
    for (size_t i = 0; i < sizeof added / sizeof added[0]; i++) {
        chunk_set_add(s, added[i]);
    }
    assert_int_equal(chunk_set_size(s), 6);
    for (uint32_t i = 0; i < 65536; i++) {
        bool expected = i == 0 || (i >= 7 && i <= 9) || i == 4095 || i == 65535;
        assert_int_equal(chunk_set_has(s, i), expected);
    }
    chunk_set_free(s);
}

static void cleared_it_is_empty_again(void **state)
{
    (void)state;
    struct error e;
    struct chunk_set *s = NULL;
    assert_ok(chunk_set_new(9, &s, &e));
    chunk_set_add(s, 0);
    chunk_set_add(s, 8);
    chunk_set_clear(s);
    assert_int_equal(chunk_set_size(s), 0);
    assert_false(chunk_set_has(s, 0));
    assert_false(chunk_set_has(s, 8));
    chunk_set_free(s);
}

static void no_set_is_freed_without_harm(void **state)
{
    (void)state;
    chunk_set_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_set_is_empty),
        cmocka_unit_test(it_has_what_was_added_and_counts_it_once),
        cmocka_unit_test(cleared_it_is_empty_again),
        cmocka_unit_test(no_set_is_freed_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
