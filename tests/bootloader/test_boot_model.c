// SPDX-License-Identifier: Apache-2.0
#include "bootloader/boot_model.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

static struct boot_setup setup_of(enum contract contract, unsigned attempts)
{
    return (struct boot_setup){
        .contract = contract,
        .slot_var = "rpipart",
        .attempts = attempts,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
}

struct order_vars {
    const char *order, *a_left, *b_left, *trial;
};

static void start_order(struct env_sim *sim, const struct order_vars *vars)
{
    env_sim_init(sim);
    env_sim_put(sim, "BOOT_ORDER", vars->order);
    env_sim_put(sim, "BOOT_A_LEFT", vars->a_left);
    env_sim_put(sim, "BOOT_B_LEFT", vars->b_left);
    env_sim_put(sim, "vv_trial", vars->trial);
    env_sim_put(sim, "bootcmd", "run it");
}

static void check_order(const struct env_sim *sim, const struct order_vars *want)
{
    const char *const names[] = {"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT", "vv_trial"};
    const char *const values[] = {want->order, want->a_left, want->b_left, want->trial};
    for (size_t i = 0; i < 4; i++) {
        const char *got = env_sim_stored(sim, names[i]);
        if (values[i] == NULL) {
            assert_null(got);
        } else {
            assert_non_null(got);
            assert_string_equal(got, values[i]);
        }
    }
    assert_string_equal(env_sim_stored(sim, "bootcmd"), "run it");
}

// `context` points to one bool a slot.
static bool listed_can_start(void *context, int slot)
{
    const bool *can = context;
    return can[slot];
}

static struct boot_outcome power_on(const struct boot_setup *setup, struct env_sim *sim,
                                    bool a_starts, bool b_starts)
{
    struct error e;
    bool can[] = {a_starts, b_starts};
    struct boot_outcome out;
    assert_ok(boot_model_run(setup, &sim->base, listed_can_start, can, &out, &e));
    return out;
}

// --- contract order ---------------------------------------------------------------------------

static void the_first_name_with_attempts_left_boots_and_is_counted(void **state)
{
    (void)state;
    static const struct {
        struct order_vars before;
        int slot;
        struct order_vars after;
    } rows[] = {
        {{"A B", "3", "3", NULL}, 0, {"A B", "2", "3", NULL}},
        {{"B A", "3", "3", NULL}, 1, {"B A", "3", "2", NULL}},
        {{"B A", "3", "0", "b"}, 0, {"B A", "2", "0", "b"}},
        {{"B A", "3", "1", "b"}, 1, {"B A", "3", "0", "b"}},
        {{"A", "1", "0", NULL}, 0, {"A", "0", "0", NULL}},
        {{"R A", "1", "3", NULL}, 0, {"R A", "0", "3", NULL}},
        {{"A B", "10", "3", NULL}, 0, {"A B", "f", "3", NULL}},
        {{"A B", "zz", "3", NULL}, 1, {"A B", "zz", "2", NULL}},
        {{NULL, NULL, NULL, NULL}, 0, {"A B", "2", "3", NULL}},
        {{NULL, "0", NULL, NULL}, 1, {"A B", "0", "2", NULL}},
    };
    struct boot_setup setup = setup_of(CONTRACT_ORDER, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_order(&sim, &rows[i].before);
        struct boot_outcome out = power_on(&setup, &sim, true, true);
        assert_int_equal(out.slot, rows[i].slot);
        assert_int_equal(out.resets, 0);
        assert_int_equal(sim.stores, 1);
        check_order(&sim, &rows[i].after);
        env_sim_free(&sim);
    }
}

static void a_slot_that_cannot_start_costs_an_attempt_and_the_next_one_is_tried(void **state)
{
    (void)state;
    struct boot_setup setup = setup_of(CONTRACT_ORDER, 3);
    struct env_sim sim;
    start_order(&sim, &(struct order_vars){"B A", "3", "3", "b"});
    struct boot_outcome out = power_on(&setup, &sim, true, false);
    assert_int_equal(out.slot, 0);
    assert_int_equal(out.resets, 0);
    assert_int_equal(sim.stores, 2);
    check_order(&sim, &(struct order_vars){"B A", "2", "2", "b"});
    env_sim_free(&sim);
}

static void used_up_attempts_are_given_back_but_not_to_the_trial(void **state)
{
    (void)state;
    static const struct {
        struct order_vars before;
        int slot;
        struct order_vars after;
    } rows[] = {
        {{"A B", "0", "0", NULL}, 0, {"A B", "2", "3", NULL}},
        {{"B A", "0", "0", "b"}, 0, {"A", "2", "0", "b"}},
        {{"B R A", "0", "0", "b"}, 0, {"R A", "2", "0", "b"}},
        {{"A", "0", "0", "b"}, 0, {"A", "2", "0", "b"}},
    };
    struct boot_setup setup = setup_of(CONTRACT_ORDER, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_order(&sim, &rows[i].before);
        struct boot_outcome out = power_on(&setup, &sim, true, true);
        assert_int_equal(out.slot, rows[i].slot);
        assert_int_equal(out.resets, 1);
        assert_int_equal(sim.stores, 2);
        check_order(&sim, &rows[i].after);
        env_sim_free(&sim);
    }
}

static void without_a_slot_to_fall_back_to_the_script_stops_and_stores_nothing(void **state)
{
    (void)state;
    static const struct order_vars rows[] = {
        {"B", "3", "0", "b"}, {"B R", "3", "0", "b"}, {"R", "3", "3", NULL}};
    struct boot_setup setup = setup_of(CONTRACT_ORDER, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_order(&sim, &rows[i]);
        struct boot_outcome out = power_on(&setup, &sim, true, true);
        assert_int_equal(out.slot, SLOT_NONE);
        assert_contains(out.reason, "BOOT_ORDER names no slot that may be tried again");
        assert_int_equal(sim.stores, 0);
        check_order(&sim, &rows[i]);
        env_sim_free(&sim);
    }
}

static void the_model_gives_up_after_three_resets(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract, 3);
        struct env_sim sim;
        env_sim_init(&sim);
        struct boot_outcome out = power_on(&setup, &sim, false, false);
        assert_int_equal(out.slot, SLOT_NONE);
        assert_int_equal(out.resets, 3);
        assert_contains(out.reason, "no slot could be started");
        assert_int_equal(sim.loads, 4);
        // And as soon as one can be started again, it is.
        assert_int_equal(power_on(&setup, &sim, false, true).slot, 1);
        env_sim_free(&sim);
    }
}

static void the_kernel_learns_its_slot(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract, 3);
        struct env_sim sim;
        env_sim_init(&sim);
        struct boot_outcome out = power_on(&setup, &sim, true, true);
        assert_string_equal(out.cmdline, "root=PARTLABEL=rootfs-a vv.slot=a rauc.slot=A");
        out = power_on(&setup, &sim, false, true);
        assert_string_equal(out.cmdline, "root=PARTLABEL=rootfs-b vv.slot=b rauc.slot=B");
        env_sim_put(&sim, "vv_trial", "a");
        out = power_on(&setup, &sim, true, true);
        assert_string_equal(out.cmdline, "root=PARTLABEL=rootfs-a vv.slot=a rauc.slot=A vv.trial");
        env_sim_free(&sim);
    }
}

// --- contract bootcount -----------------------------------------------------------------------

struct count_vars {
    const char *rpipart, *upgrade_available, *bootcount, *bootlimit, *trial;
};

static void start_count(struct env_sim *sim, const struct count_vars *vars)
{
    env_sim_init(sim);
    env_sim_put(sim, "rpipart", vars->rpipart);
    env_sim_put(sim, "upgrade_available", vars->upgrade_available);
    env_sim_put(sim, "bootcount", vars->bootcount);
    env_sim_put(sim, "bootlimit", vars->bootlimit);
    env_sim_put(sim, "vv_trial", vars->trial);
}

static void a_boot_is_counted_during_a_trial_only(void **state)
{
    (void)state;
    static const struct {
        struct count_vars before;
        int slot;
        const char *rpipart, *upgrade_available, *bootcount;
        unsigned stores;
    } rows[] = {
        {{"2", "0", "0", "3", NULL}, 0, "2", "0", "0", 0},
        {{"3", "0", "7", "3", NULL}, 1, "3", "0", "7", 0},
        {{"3", "1", "0", "3", "b"}, 1, "3", "1", "1", 1},
        {{"3", "1", "2", "3", "b"}, 1, "3", "1", "3", 1},
        // More boots than the limit: altbootcmd. Its store and that of the counter.
        {{"3", "1", "3", "3", "b"}, 0, "2", "0", "0", 2},
        {{"2", "1", "3", "3", "a"}, 1, "3", "0", "0", 2},
        // It names the slot that is not on trial and never toggles.
        {{"2", "1", "3", "3", "b"}, 0, "2", "0", "0", 2},
        // Without a trial it ends the counting and stays.
        {{"3", "1", "3", "3", NULL}, 1, "3", "0", "0", 2},
        {{"3", "1", "3", NULL, "b"}, 1, "3", "1", "4", 1},
        {{"3", "yes", "3", "3", "b"}, 1, "3", "yes", "3", 0},
        // U-Boot keeps the number in an int: this one is 0.
        {{"3", "4294967296", "3", "3", "b"}, 1, "3", "4294967296", "3", 0},
        {{"3", "1", "junk", "3", "b"}, 1, "3", "1", "1", 1},
    };
    struct boot_setup setup = setup_of(CONTRACT_BOOTCOUNT, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_count(&sim, &rows[i].before);
        struct boot_outcome out = power_on(&setup, &sim, true, true);
        assert_int_equal(out.slot, rows[i].slot);
        assert_int_equal(sim.stores, rows[i].stores);
        assert_string_equal(env_sim_stored(&sim, "rpipart"), rows[i].rpipart);
        assert_string_equal(env_sim_stored(&sim, "upgrade_available"), rows[i].upgrade_available);
        assert_string_equal(env_sim_stored(&sim, "bootcount"), rows[i].bootcount);
        const char *trial = env_sim_stored(&sim, "vv_trial");
        assert_true((trial == NULL) == (rows[i].before.trial == NULL));
        env_sim_free(&sim);
    }
}

static void a_trial_that_cannot_start_gives_way_at_once(void **state)
{
    (void)state;
    struct boot_setup setup = setup_of(CONTRACT_BOOTCOUNT, 3);
    struct env_sim sim;
    start_count(&sim, &(struct count_vars){"3", "1", "0", "3", "b"});
    struct boot_outcome out = power_on(&setup, &sim, true, false);
    assert_int_equal(out.slot, 0);
    assert_int_equal(out.resets, 0);
    assert_string_equal(env_sim_stored(&sim, "vv_trial"), "b");
    env_sim_free(&sim);
}

static void a_rejected_slot_is_not_started_again(void **state)
{
    (void)state;
    struct boot_setup setup = setup_of(CONTRACT_BOOTCOUNT, 3);
    struct env_sim sim;
    start_count(&sim, &(struct count_vars){"2", "0", "0", "3", NULL});
    struct boot_outcome out = power_on(&setup, &sim, false, true);
    assert_int_equal(out.slot, SLOT_NONE);
    env_sim_free(&sim);
}

static void a_lost_environment_boots_the_slot_that_can_start(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        for (int whole = 0; whole < SLOT_COUNT; whole++) {
            struct boot_setup setup = setup_of((enum contract)contract, 3);
            struct env_sim sim;
            env_sim_init(&sim); // the built-in environment: none of our variables
            struct boot_outcome out = power_on(&setup, &sim, whole == 0, whole == 1);
            assert_int_equal(out.slot, whole);
            env_sim_free(&sim);
        }
    }
}

// --- the life of a trial, both contracts ------------------------------------------------------

static void decide(const struct boot_setup *setup, struct env_sim *sim, enum decision d, int slot,
                   unsigned want_stores)
{
    struct error e;
    bool stored;
    unsigned before = sim->stores;
    assert_ok(boot_decide(setup, &sim->base, d, slot, 0, &stored, &e));
    assert_int_equal(sim->stores - before, want_stores);
}

static void without_confirm_the_old_slot_runs_after_n_boots(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= ATTEMPTS_MAX; n++) {
        for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
            for (int t = 0; t < SLOT_COUNT; t++) {
                struct boot_setup setup = setup_of((enum contract)contract, n);
                struct env_sim sim;
                env_sim_init(&sim);
                decide(&setup, &sim, DECIDE_INVALIDATE, t, 1);
                decide(&setup, &sim, DECIDE_ACTIVATE, t, 1);
                for (unsigned boot = 0; boot < n; boot++) {
                    assert_int_equal(power_on(&setup, &sim, true, true).slot, t);
                    decide(&setup, &sim, DECIDE_SETTLE, t, 0);
                }
                assert_int_equal(power_on(&setup, &sim, true, true).slot, 1 - t);
                assert_string_equal(env_sim_stored(&sim, "vv_trial"), setup.slots[t].name);

                // Linux on the old slot sees the fallback and stores its reject once.
                decide(&setup, &sim, DECIDE_REJECT, t, 1);
                for (unsigned boot = 0; boot < 25; boot++) {
                    assert_int_equal(power_on(&setup, &sim, true, true).slot, 1 - t);
                    decide(&setup, &sim, DECIDE_REJECT, t, contract == CONTRACT_ORDER ? 1 : 0);
                }
                env_sim_free(&sim);
            }
        }
    }
}

static void a_fallback_that_is_never_answered_still_boots_the_old_slot(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract, 3);
        struct env_sim sim;
        env_sim_init(&sim);
        decide(&setup, &sim, DECIDE_ACTIVATE, 1, 1);
        for (unsigned boot = 0; boot < 3; boot++) {
            assert_int_equal(power_on(&setup, &sim, true, true).slot, 1);
        }
        for (unsigned boot = 0; boot < 50; boot++) {
            assert_int_equal(power_on(&setup, &sim, true, true).slot, 0);
        }
        env_sim_free(&sim);
    }
}

static void with_confirm_the_new_slot_runs(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= ATTEMPTS_MAX; n++) {
        for (unsigned boots_before = 1; boots_before <= n; boots_before++) {
            for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
                struct boot_setup setup = setup_of((enum contract)contract, n);
                struct env_sim sim;
                env_sim_init(&sim);
                decide(&setup, &sim, DECIDE_INVALIDATE, 1, 1);
                decide(&setup, &sim, DECIDE_ACTIVATE, 1, 1);
                for (unsigned boot = 0; boot < boots_before; boot++) {
                    assert_int_equal(power_on(&setup, &sim, true, true).slot, 1);
                }
                decide(&setup, &sim, DECIDE_CONFIRM, 1, 1);
                for (unsigned boot = 0; boot < 25; boot++) {
                    assert_int_equal(power_on(&setup, &sim, true, true).slot, 1);
                    decide(&setup, &sim, DECIDE_SETTLE, 1, contract == CONTRACT_ORDER ? 1 : 0);
                }
                env_sim_free(&sim);
            }
        }
    }
}

static void a_half_written_slot_never_boots(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract, 3);
        struct env_sim sim;
        env_sim_init(&sim);
        decide(&setup, &sim, DECIDE_INVALIDATE, 1, 1);
        for (unsigned boot = 0; boot < 10; boot++) {
            assert_int_equal(power_on(&setup, &sim, true, false).slot, 0);
        }
        env_sim_free(&sim);
    }
}

static void an_environment_that_fails_is_an_error(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        enum err r = ERR_IO;
        for (unsigned n = 1; r != OK; n++) {
            struct error e = {0};
            struct boot_setup setup = setup_of((enum contract)contract, 1);
            struct env_sim sim;
            env_sim_init(&sim);
            decide(&setup, &sim, DECIDE_ACTIVATE, 1, 1);
            assert_int_equal(power_on(&setup, &sim, true, true).slot, 1);
            sim.calls = 0;
            sim.fail_at = n;
            struct boot_outcome out;
            r = boot_model_run(&setup, &sim.base, NULL, NULL, &out, &e);
            assert_true(r == OK || r == ERR_IO);
            assert_true(n < 30);
            env_sim_free(&sim);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_name_with_attempts_left_boots_and_is_counted),
        cmocka_unit_test(a_slot_that_cannot_start_costs_an_attempt_and_the_next_one_is_tried),
        cmocka_unit_test(used_up_attempts_are_given_back_but_not_to_the_trial),
        cmocka_unit_test(without_a_slot_to_fall_back_to_the_script_stops_and_stores_nothing),
        cmocka_unit_test(the_model_gives_up_after_three_resets),
        cmocka_unit_test(the_kernel_learns_its_slot),
        cmocka_unit_test(a_boot_is_counted_during_a_trial_only),
        cmocka_unit_test(a_trial_that_cannot_start_gives_way_at_once),
        cmocka_unit_test(a_rejected_slot_is_not_started_again),
        cmocka_unit_test(a_lost_environment_boots_the_slot_that_can_start),
        cmocka_unit_test(without_confirm_the_old_slot_runs_after_n_boots),
        cmocka_unit_test(a_fallback_that_is_never_answered_still_boots_the_old_slot),
        cmocka_unit_test(with_confirm_the_new_slot_runs),
        cmocka_unit_test(a_half_written_slot_never_boots),
        cmocka_unit_test(an_environment_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
