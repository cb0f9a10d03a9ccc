// SPDX-License-Identifier: Apache-2.0
// The state machine and the model of the boot loader in every state of a small world: all
// combinations of a few values, odd ones among them, of each variable.
#include "bootloader/boot_model.h"
#include "tests/support/env_sim.h"
#include "tests/support/expect.h"

#include <ctype.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct boot_setup setup_of(enum contract contract)
{
    return (struct boot_setup){
        .contract = contract,
        .slot_var = "rpipart",
        .attempts = 3,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
}

static const char *const lefts[] = {NULL, "0", "1", "3", "f", "zz", "10"};
static const char *const orders[] = {NULL, "A", "B", "A B", "B A", "R B", "x", "B B"};
static const char *const trials[] = {NULL, "a", "b", "z"};
static const char *const values[] = {NULL, "2", "3", "boot"};
static const char *const counts[] = {NULL, "0", "2", "3", "4", "x"};
static const char *const flags[] = {NULL, "0", "1", "y"};
static const char *const limits[] = {NULL, "0", "3", "12"};

enum { ORDER_STATES = 8 * 7 * 7 * 4, BOOTCOUNT_STATES = 4 * 6 * 4 * 4 * 4 };

static const char *pick(unsigned *n, const char *const *list, size_t count)
{
    const char *value = list[*n % count];
    *n /= (unsigned)count;
    return value;
}

// State number `n` of the world of a contract; false behind the last one.
static bool make_state(enum contract contract, unsigned n, struct env_sim *sim)
{
    env_sim_init(sim);
    if (n >= (contract == CONTRACT_ORDER ? ORDER_STATES : BOOTCOUNT_STATES)) {
        return false;
    }
    env_sim_put(sim, "vv_trial", pick(&n, trials, COUNT(trials)));
    if (contract == CONTRACT_ORDER) {
        env_sim_put(sim, "BOOT_ORDER", pick(&n, orders, COUNT(orders)));
        env_sim_put(sim, "BOOT_A_LEFT", pick(&n, lefts, COUNT(lefts)));
        env_sim_put(sim, "BOOT_B_LEFT", pick(&n, lefts, COUNT(lefts)));
        return true;
    }
    env_sim_put(sim, "rpipart", pick(&n, values, COUNT(values)));
    env_sim_put(sim, "bootcount", pick(&n, counts, COUNT(counts)));
    env_sim_put(sim, "upgrade_available", pick(&n, flags, COUNT(flags)));
    env_sim_put(sim, "bootlimit", pick(&n, limits, COUNT(limits)));
    return true;
}

static void what_is_said_to_boot_next_is_what_the_boot_loader_boots(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract);
        struct env_sim sim;
        unsigned n = 0;
        for (; make_state((enum contract)contract, n, &sim); n++) {
            struct error e;
            struct boot_state said;
            assert_ok(boot_state_read(&setup, &sim.base, &said, &e));
            struct boot_outcome booted;
            assert_ok(boot_model_run(&setup, &sim.base, NULL, NULL, &booted, &e));
            if (said.next != booted.slot) {
                fail_msg("contract %d state %u: said %d, booted %d", contract, n, said.next,
                         booted.slot);
            }
            assert_true(said.next == SLOT_NONE || said.slots[said.next].bootable);
            env_sim_free(&sim);
        }
        print_message("contract %d: %u states\n", contract, n);
    }
}

static bool is_one_digit(const struct env_sim *sim, const char *name)
{
    const char *text = env_sim_stored(sim, name);
    return text != NULL && isdigit((unsigned char)text[0]) && text[1] == '\0';
}

static const char *const names[] = {"invalidate", "activate", "confirm", "reject"};

static void check_after(const struct boot_setup *setup, struct env_sim *sim, enum decision d,
                        int slot, unsigned n)
{
    struct error e;
    struct boot_outcome booted;
    assert_ok(boot_model_run(setup, &sim->base, NULL, NULL, &booted, &e));
    bool keeps = d == DECIDE_INVALIDATE || d == DECIDE_REJECT;
    int want = keeps ? 1 - slot : slot;
    if (booted.slot != want) {
        fail_msg("contract %d state %u: after %s %d slot %d boots", (int)setup->contract, n,
                 names[d], slot, booted.slot);
    }
}

static void after_every_decision_in_every_state_the_right_slot_boots(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        struct boot_setup setup = setup_of((enum contract)contract);
        for (unsigned i = 0;; i++) {
            enum decision d = (enum decision)(i % 4); // settle moves nothing
            int slot = (int)(i / 4 % 2);
            struct env_sim sim;
            if (!make_state((enum contract)contract, i / 8, &sim)) {
                break;
            }
            struct error e;
            bool stored;
            assert_ok(boot_decide(&setup, &sim.base, d, slot, 1, &stored, &e));
            assert_true(sim.stores <= 1);
            if (contract == CONTRACT_ORDER && d != DECIDE_CONFIRM) {
                assert_true(is_one_digit(&sim, "BOOT_A_LEFT"));
                assert_true(is_one_digit(&sim, "BOOT_B_LEFT"));
            } else if (contract == CONTRACT_BOOTCOUNT) {
                assert_true(is_one_digit(&sim, "bootcount"));
            }
            check_after(&setup, &sim, d, slot, i / 8);
            env_sim_free(&sim);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_to_boot_next_is_what_the_boot_loader_boots),
        cmocka_unit_test(after_every_decision_in_every_state_the_right_slot_boots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
