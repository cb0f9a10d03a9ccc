// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_vars.h"

#include "tests/support/expect.h"

static void put(struct env_vars *vars, const char *name, const char *value)
{
    struct error e;
    assert_ok(env_vars_set(vars, name, value, &e));
}

static void an_empty_list_knows_no_name(void **state)
{
    (void)state;
    struct env_vars vars = {0};
    assert_null(env_vars_get(&vars, "a"));
    put(&vars, "a", NULL);
    assert_int_equal(vars.count, 0);
    env_vars_clear(&vars);
}

static void names_are_kept_once_and_sorted(void **state)
{
    (void)state;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    static const char *const names[] = {"m", "c", "x", "a", "", "c", "zz", "ab"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        put(&vars, names[i], "1");
    }
    assert_int_equal(vars.count, 7);
    for (size_t i = 1; i < vars.count; i++) {
        assert_true(strcmp(vars.items[i - 1].name, vars.items[i].name) < 0);
    }
}

static void a_value_is_replaced_and_deleted(void **state)
{
    (void)state;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    put(&vars, "a", "1");
    put(&vars, "b", "");
    put(&vars, "c", "3");
    put(&vars, "a", "a much longer value than before");
    assert_string_equal(env_vars_get(&vars, "a"), "a much longer value than before");
    assert_string_equal(env_vars_get(&vars, "b"), "");
    put(&vars, "b", NULL);
    assert_null(env_vars_get(&vars, "b"));
    assert_string_equal(env_vars_get(&vars, "c"), "3");
    assert_int_equal(vars.count, 2);
}

static void the_strings_are_copied(void **state)
{
    (void)state;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    char name[] = "name";
    char value[] = "value";
    put(&vars, name, value);
    name[0] = 'x';
    value[0] = 'x';
    assert_string_equal(env_vars_get(&vars, "name"), "value");
}

static void a_value_may_be_replaced_by_itself(void **state)
{
    (void)state;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    put(&vars, "a", "value");
    put(&vars, "a", env_vars_get(&vars, "a"));
    assert_string_equal(env_vars_get(&vars, "a"), "value");
}

static void a_copy_is_equal_and_on_its_own(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", (i * 7919) % 300);
        put(&vars, name, name);
    }
    CLEANUP(env_vars_clear) struct env_vars copy = {0};
    assert_ok(env_vars_copy(&vars, &copy, &e));
    assert_int_equal(copy.count, 300);
    assert_null(env_vars_difference(&vars, &copy));
    put(&vars, "v7", "changed");
    assert_string_equal(env_vars_get(&copy, "v7"), "v7");
    assert_string_equal(env_vars_difference(&vars, &copy), "v7");
}

static void a_difference_is_named_whichever_list_has_it(void **state)
{
    (void)state;
    CLEANUP(env_vars_clear) struct env_vars a = {0};
    CLEANUP(env_vars_clear) struct env_vars b = {0};
    put(&a, "k", "1");
    put(&b, "k", "1");
    assert_null(env_vars_difference(&a, &b));

    put(&b, "z", "1");
    assert_string_equal(env_vars_difference(&a, &b), "z");
    assert_string_equal(env_vars_difference(&b, &a), "z");
    put(&a, "c", "1");
    assert_string_equal(env_vars_difference(&a, &b), "c");
    assert_string_equal(env_vars_difference(&b, &a), "c");
    put(&b, "c", "1");
    put(&a, "z", "1 ");
    assert_string_equal(env_vars_difference(&a, &b), "z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_knows_no_name),
        cmocka_unit_test(names_are_kept_once_and_sorted),
        cmocka_unit_test(a_value_is_replaced_and_deleted),
        cmocka_unit_test(the_strings_are_copied),
        cmocka_unit_test(a_value_may_be_replaced_by_itself),
        cmocka_unit_test(a_copy_is_equal_and_on_its_own),
        cmocka_unit_test(a_difference_is_named_whichever_list_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
