// SPDX-License-Identifier: Apache-2.0
#include "bootloader/contract.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

static const struct boot_setup setup = {
    .contract = CONTRACT_BOOTCOUNT,
    .slot_var = "rpipart",
    .attempts = 3,
    .slots = {{.name = "a", .bootvalue = "2"}, {.name = "b", .bootvalue = "3"}},
};

struct vars {
    const char *rpipart, *upgrade_available, *bootcount, *bootlimit;
};

static void start_with(struct env_sim *sim, const struct vars *vars)
{
    struct error e;
    env_sim_init(sim);
    env_sim_put(sim, "rpipart", vars->rpipart);
    env_sim_put(sim, "upgrade_available", vars->upgrade_available);
    env_sim_put(sim, "bootcount", vars->bootcount);
    env_sim_put(sim, "bootlimit", vars->bootlimit);
    assert_ok(bootenv_load(&sim->base, &e));
}

static void numbers_are_read_as_u_boot_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {{NULL, 0}, {"", 0},   {"0", 0},   {"3", 3},     {"10", 10}, {"x", 0},
                {"2x", 2}, {"-1", 0}, {"0x2", 2}, {"0X1f", 31}, {"08", 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_with(&sim, &(struct vars){.bootcount = rows[i].text});
        assert_int_equal(bootcount_number(&sim.base, "bootcount"), rows[i].want);
        env_sim_free(&sim);
    }
}

static void boots_are_counted_while_upgrade_available_is_a_number_other_than_0(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool want;
    } rows[] = {{NULL, false}, {"", false},           {"0", false},
                {"1", true},   {"2", true},           {"0x1", true},
                {"-1", false}, {"4294967296", false}, {"4294967297", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_with(&sim, &(struct vars){.upgrade_available = rows[i].text});
        assert_int_equal(bootcount_counting(&sim.base), rows[i].want);
        env_sim_free(&sim);
    }
}

static void the_slot_variable_names_a_slot_by_its_whole_value(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int want;
    } rows[] = {{"2", 0}, {"3", 1}, {"23", SLOT_NONE}, {"", SLOT_NONE}, {NULL, SLOT_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_with(&sim, &(struct vars){.rpipart = rows[i].value});
        assert_int_equal(bootcount_named(&setup, &sim.base), rows[i].want);
        env_sim_free(&sim);
    }
}

static void the_other_slot_is_tried_for_a_trial_and_a_lost_environment_only(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int trial, chosen;
        bool both;
    } rows[] = {
        {"3", SLOT_NONE, 1, false}, // a rejected slot a is not started again
        {"3", 0, 1, false},           {"3", 1, 1, true},  {NULL, SLOT_NONE, 0, true},
        {"boot", SLOT_NONE, 0, true}, {NULL, 1, 0, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_with(&sim, &(struct vars){.rpipart = rows[i].value});
        bool both;
        assert_int_equal(bootcount_chosen(&setup, &sim.base, rows[i].trial, &both), rows[i].chosen);
        assert_int_equal(both, rows[i].both);
        env_sim_free(&sim);
    }
}

static void the_limit_is_exceeded_by_more_boots_than_it_says(void **state)
{
    (void)state;
    struct env_sim sim;
    start_with(&sim, &(struct vars){.bootlimit = "3"});
    assert_false(bootcount_exceeded(&sim.base, 3));
    assert_true(bootcount_exceeded(&sim.base, 4));
    env_sim_free(&sim);
    start_with(&sim, &(struct vars){.bootlimit = "0"});
    assert_false(bootcount_exceeded(&sim.base, 1000));
    env_sim_free(&sim);
}

static void the_state_follows_the_variables(void **state)
{
    (void)state;
    static const struct {
        struct vars vars;
        int trial, next;
        bool bootable[2];
        unsigned left[2];
    } rows[] = {
        {{"2", "0", "0", "3"}, SLOT_NONE, 0, {true, false}, {3, 0}},
        {{"3", NULL, NULL, NULL}, SLOT_NONE, 1, {false, true}, {0, 3}},
        {{"3", "1", "0", "3"}, 1, 1, {true, true}, {3, 3}},
        {{"3", "1", "2", "3"}, 1, 1, {true, true}, {3, 1}},
        {{"3", "1", "3", "3"}, 1, 0, {true, false}, {3, 0}},
        {{"3", "1", "99", "3"}, 1, 0, {true, false}, {3, 0}},
        {{"2", "0", "0", "3"}, 1, 0, {true, false}, {3, 0}}, // the boot loader fell back
        {{"3", "1", "5", NULL}, 1, 1, {true, true}, {3, 3}}, // no limit: no end
        {{"3", "1", "0", "99"}, 1, 1, {true, true}, {3, 9}},
        {{NULL, NULL, NULL, NULL}, SLOT_NONE, 0, {true, true}, {3, 3}},
        {{"3", "1", "3", "3"}, SLOT_NONE, 1, {false, true}, {0, 3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_sim sim;
        start_with(&sim, &rows[i].vars);
        struct boot_state got = {.next = SLOT_NONE, .trial = rows[i].trial};
        assert_ok(contract_bootcount.read(&setup, &sim.base, &got, &e));
        assert_int_equal(got.next, rows[i].next);
        for (int s = 0; s < SLOT_COUNT; s++) {
            assert_int_equal(got.slots[s].bootable, rows[i].bootable[s]);
            assert_int_equal(got.slots[s].attempts_left, rows[i].left[s]);
        }
        env_sim_free(&sim);
    }
}

static void another_slot_variable_is_used_when_named(void **state)
{
    (void)state;
    struct error e;
    struct boot_setup named = setup;
    named.slot_var = "active_system";
    named.slots[1].bootvalue = "linux_b";
    struct env_sim sim;
    start_with(&sim, &(struct vars){.rpipart = "2"});
    assert_ok(contract_bootcount.activate(&named, &sim.base, 1, &e));
    assert_string_equal(bootenv_get(&sim.base, "active_system"), "linux_b");
    assert_string_equal(bootenv_get(&sim.base, "rpipart"), "2");
    env_sim_free(&sim);
}

static void confirming_names_the_running_slot(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    // As after a lost environment, where the script went on to slot b.
    start_with(&sim, &(struct vars){.rpipart = NULL});
    assert_ok(contract_bootcount.confirm(&setup, &sim.base, 1, false, &e));
    assert_string_equal(bootenv_get(&sim.base, "rpipart"), "3");
    assert_string_equal(bootenv_get(&sim.base, "upgrade_available"), "0");
    env_sim_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_u_boot_reads_them),
        cmocka_unit_test(boots_are_counted_while_upgrade_available_is_a_number_other_than_0),
        cmocka_unit_test(the_slot_variable_names_a_slot_by_its_whole_value),
        cmocka_unit_test(the_other_slot_is_tried_for_a_trial_and_a_lost_environment_only),
        cmocka_unit_test(the_limit_is_exceeded_by_more_boots_than_it_says),
        cmocka_unit_test(the_state_follows_the_variables),
        cmocka_unit_test(another_slot_variable_is_used_when_named),
        cmocka_unit_test(confirming_names_the_running_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
