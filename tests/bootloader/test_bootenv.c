// SPDX-License-Identifier: Apache-2.0
#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

static void every_call_goes_to_the_back_end(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    env_sim_init(&sim);
    env_sim_put(&sim, "bootcmd", "run me");
    struct bootenv *env = &sim.base;

    assert_ok(bootenv_load(env, &e));
    assert_string_equal(bootenv_get(env, "bootcmd"), "run me");
    assert_ok(bootenv_set(env, "vv_trial", "b", &e));
    bool stored = false;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_true(stored);
    assert_string_equal(env_sim_stored(&sim, "vv_trial"), "b");
    assert_int_equal(sim.loads, 1);
    assert_int_equal(sim.stores, 1);
    env_sim_free(&sim);
}

static void an_error_of_the_back_end_is_handed_on(void **state)
{
    (void)state;
    struct error e;
    bool stored = false;
    for (unsigned n = 1; n <= 3; n++) {
        struct env_sim sim;
        env_sim_init(&sim);
        sim.fail_at = n;
        if (n == 1) {
            assert_fails(ERR_IO, "failure of load", bootenv_load(&sim.base, &e));
        } else {
            assert_ok(bootenv_load(&sim.base, &e));
        }
        if (n == 2) {
            assert_fails(ERR_IO, "failure of set", bootenv_set(&sim.base, "a", "1", &e));
        }
        if (n == 3) {
            assert_ok(bootenv_set(&sim.base, "a", "1", &e));
            assert_fails(ERR_IO, "failure of commit", bootenv_commit(&sim.base, &stored, &e));
        }
        assert_int_equal(sim.stores, 0);
        env_sim_free(&sim);
    }
}

static void a_commit_without_a_change_stores_nothing(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    env_sim_init(&sim);
    env_sim_put(&sim, "a", "1");
    assert_ok(bootenv_load(&sim.base, &e));
    assert_ok(bootenv_set(&sim.base, "a", "1", &e));
    bool stored = true;
    assert_ok(bootenv_commit(&sim.base, &stored, &e));
    assert_false(stored);
    assert_int_equal(sim.stores, 0);
    env_sim_free(&sim);
}

static void both_copies_is_a_wish_for_one_commit(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    bool stored;
    env_sim_init(&sim);
    struct bootenv *env = &sim.base;
    assert_ok(bootenv_load(env, &e));
    assert_ok(bootenv_set(env, "a", "1", &e));
    assert_ok(bootenv_commit(env, &stored, &e)); // the other copy says nothing of it

    env->both_copies = true;
    assert_ok(bootenv_load(env, &e));
    assert_false(env->both_copies);
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_false(stored);

    assert_ok(bootenv_load(env, &e));
    env->both_copies = true;
    sim.fail_at = sim.calls + 1;
    assert_fails(ERR_IO, "failure of commit", bootenv_commit(env, &stored, &e));
    assert_false(env->both_copies);

    assert_ok(bootenv_load(env, &e));
    env->both_copies = true;
    assert_ok(bootenv_commit(env, &stored, &e));
    assert_true(stored);
    assert_false(env->both_copies);
    assert_int_equal(sim.stores, 2);
    env_sim_free(&sim);
}

static void a_scope_closes_its_environment(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    env_sim_init(&sim);
    {
        CLEANUP(cleanup_bootenv) struct bootenv *env = &sim.base;
        assert_ok(bootenv_load(env, &e));
        assert_true(sim.loaded);
    }
    assert_false(sim.loaded);
    CLEANUP(cleanup_bootenv) struct bootenv *none = NULL;
    assert_null(none);
    env_sim_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_goes_to_the_back_end),
        cmocka_unit_test(an_error_of_the_back_end_is_handed_on),
        cmocka_unit_test(a_commit_without_a_change_stores_nothing),
        cmocka_unit_test(both_copies_is_a_wish_for_one_commit),
        cmocka_unit_test(a_scope_closes_its_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
