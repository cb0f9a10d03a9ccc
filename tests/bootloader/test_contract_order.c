// SPDX-License-Identifier: Apache-2.0
#include "bootloader/contract.h"

#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

static const struct boot_setup setup = {
    .contract = CONTRACT_ORDER,
    .attempts = 3,
    .slots = {{.name = "a", .bootname = "A"}, {.name = "b", .bootname = "B"}},
};

// An environment with these two variables, loaded.
static void start_with(struct env_sim *sim, const char *order, const char *a_left)
{
    struct error e;
    env_sim_init(sim);
    env_sim_put(sim, "BOOT_ORDER", order);
    env_sim_put(sim, "BOOT_A_LEFT", a_left);
    assert_ok(bootenv_load(&sim->base, &e));
}

static void attempts_are_read_as_the_script_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {NULL, 3},
        {"", 3},
        {"0", 0},
        {"1", 1},
        {"9", 9},
        {"a", 10},
        {"F", 15},
        {"10", 16}, // hexadecimal: sixteen
        {"3x", 3},
        {"x3", 0},
        {"-1", 0},
        {" 3", 0},
        {"0x3", 0},
        {"good", 0},
        {"7fffffffffffffff", INT64_MAX},
        {"8000000000000000", 0}, // `test -gt` is signed
        {"10000000000000002", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct env_sim sim;
        start_with(&sim, NULL, rows[i].text);
        assert_int_equal(order_attempts(&setup, &sim.base, 0), rows[i].want);
        env_sim_free(&sim);
    }
}

static void boot_order_is_cut_at_blanks(void **state)
{
    (void)state;
    const char *text = "  A \t B\nrescue ";
    static const char *const want[] = {"A", "B", "rescue"};
    const char *word;
    size_t len;
    for (size_t i = 0; i < 3; i++) {
        assert_true(order_next_word(&text, &word, &len));
        assert_int_equal(len, strlen(want[i]));
        assert_memory_equal(word, want[i], len);
    }
    assert_false(order_next_word(&text, &word, &len));
    assert_false(order_next_word(&text, &word, &len));
}

static void a_word_is_a_slot_only_as_a_whole(void **state)
{
    (void)state;
    assert_int_equal(order_slot_of(&setup, "A", 1), 0);
    assert_int_equal(order_slot_of(&setup, "B rest", 1), 1);
    assert_int_equal(order_slot_of(&setup, "AB", 2), SLOT_NONE);
    assert_int_equal(order_slot_of(&setup, "a", 1), SLOT_NONE);
    assert_int_equal(order_slot_of(&setup, "", 0), SLOT_NONE);
}

static void the_attempts_variable_carries_the_boot_name(void **state)
{
    (void)state;
    struct boot_setup named = setup;
    named.slots[1].bootname = "system1";
    char name[ORDER_VARIABLE_SIZE];
    order_left_name(&named, 1, name);
    assert_string_equal(name, "BOOT_system1_LEFT");
}

static void a_missing_boot_order_lists_every_slot(void **state)
{
    (void)state;
    struct env_sim sim;
    start_with(&sim, NULL, NULL);
    CLEANUP(cleanup_free) char *text = order_text(&setup, &sim.base);
    assert_string_equal(text, "A B");
    env_sim_free(&sim);
}

static void the_state_follows_order_and_attempts(void **state)
{
    (void)state;
    static const struct {
        const char *order, *a_left;
        int trial, next;
        bool bootable[2];
        unsigned a_attempts;
    } rows[] = {
        {"A B", "3", SLOT_NONE, 0, {true, true}, 3},
        {"B A", "3", SLOT_NONE, 1, {true, true}, 3},
        {"A B", "0", SLOT_NONE, 1, {false, true}, 0},
        {"A", "2", SLOT_NONE, 0, {true, false}, 2},
        {"R B A", "f", SLOT_NONE, 1, {true, true}, 9},
        {NULL, NULL, SLOT_NONE, 0, {true, true}, 3},
        // Nothing has attempts left: they are given back to all but the trial.
        {"A", "0", SLOT_NONE, 0, {true, false}, 0},
        {"A", "0", 1, 0, {true, false}, 0},
        {"A", "0", 0, SLOT_NONE, {false, false}, 0},
        {"R", "3", SLOT_NONE, SLOT_NONE, {false, false}, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_sim sim;
        start_with(&sim, rows[i].order, rows[i].a_left);
        struct boot_state got = {.next = SLOT_NONE, .trial = rows[i].trial};
        assert_ok(contract_order.read(&setup, &sim.base, &got, &e));
        assert_int_equal(got.next, rows[i].next);
        assert_int_equal(got.slots[0].bootable, rows[i].bootable[0]);
        assert_int_equal(got.slots[1].bootable, rows[i].bootable[1]);
        assert_int_equal(got.slots[0].attempts_left, rows[i].a_attempts);
        env_sim_free(&sim);
    }
}

static void foreign_names_stay_behind_ours_and_keep_their_attempts(void **state)
{
    (void)state;
    struct error e;
    struct env_sim sim;
    start_with(&sim, "R A  net B", "1");
    env_sim_put(&sim, "BOOT_R_LEFT", "7");
    assert_ok(bootenv_load(&sim.base, &e));
    assert_ok(contract_order.activate(&setup, &sim.base, 1, &e));
    assert_string_equal(bootenv_get(&sim.base, "BOOT_ORDER"), "B A R net");
    assert_ok(contract_order.keep_only(&setup, &sim.base, 0, &e));
    assert_string_equal(bootenv_get(&sim.base, "BOOT_ORDER"), "A R net");
    assert_ok(contract_order.confirm(&setup, &sim.base, 0, true, &e));
    assert_string_equal(bootenv_get(&sim.base, "BOOT_ORDER"), "A B R net");
    assert_string_equal(bootenv_get(&sim.base, "BOOT_R_LEFT"), "7");
    env_sim_free(&sim);
}

static void confirming_without_a_trial_does_not_bring_the_other_slot_back(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } rows[] = {{"A", "A"}, {"A B", "A B"}, {"B A", "A B"}, {NULL, "A B"}, {"R", "A R"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error e;
        struct env_sim sim;
        start_with(&sim, rows[i].before, "1");
        assert_ok(contract_order.confirm(&setup, &sim.base, 0, false, &e));
        assert_string_equal(bootenv_get(&sim.base, "BOOT_ORDER"), rows[i].after);
        assert_string_equal(bootenv_get(&sim.base, "BOOT_A_LEFT"), "3");
        assert_null(bootenv_get(&sim.base, "BOOT_B_LEFT"));
        env_sim_free(&sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_read_as_the_script_reads_them),
        cmocka_unit_test(boot_order_is_cut_at_blanks),
        cmocka_unit_test(a_word_is_a_slot_only_as_a_whole),
        cmocka_unit_test(the_attempts_variable_carries_the_boot_name),
        cmocka_unit_test(a_missing_boot_order_lists_every_slot),
        cmocka_unit_test(the_state_follows_order_and_attempts),
        cmocka_unit_test(foreign_names_stay_behind_ours_and_keep_their_attempts),
        cmocka_unit_test(confirming_without_a_trial_does_not_bring_the_other_slot_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
