// SPDX-License-Identifier: Apache-2.0
#include "updater/rollback.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/confirm.h"
#include "updater/trial.h"

#include <stdlib.h>

static const enum contract contracts[] = {CONTRACT_ORDER, CONTRACT_BOOTCOUNT};

#define EACH_CONTRACT(i)                                                                           \
    size_t i = 0;                                                                                  \
    i < sizeof contracts / sizeof contracts[0];                                                    \
    i++

static void roll_back(struct trial_bench *t, enum rollback_outcome want)
{
    struct error e;
    enum rollback_outcome got;
    assert_ok(rollback_run(t->device, &got, &e));
    assert_int_equal(got, want);
    assert_int_equal(t->bench->reboots, 0); // the verb's business
}

static void a_running_trial_is_rejected(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        assert_int_equal(trial_boot(t), SLOT_B);
        roll_back(t, ROLLBACK_REJECTED);
        assert_int_equal(trial_stores(t), 1);
        assert_string_equal(t->device->journal.last.reason, "rolled back by the operator");
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void a_running_trial_that_was_rejected_stays_rejected(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        assert_int_equal(trial_boot(t), SLOT_B);
        roll_back(t, ROLLBACK_REJECTED);
        roll_back(t, ROLLBACK_ALREADY);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void a_slot_given_up_stays_that_without_a_journal(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        assert_int_equal(trial_boot(t), SLOT_B);
        roll_back(t, ROLLBACK_REJECTED);
        state_mem_forget(&t->bench->state, "journal");
        trial_restart(t);
        roll_back(t, ROLLBACK_ALREADY);
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void a_factory_slot_is_gone_back_to_more_than_once(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        trial_confirmed(t);
        for (int n = 0; n < 3; n++) {
            roll_back(t, ROLLBACK_ACTIVATED);
            assert_int_equal(trial_boot(t), n % 2 == 0 ? SLOT_A : SLOT_B);
            assert_ok(trial_keep(t->device, &e));
            trial_restart(t);
        }
        trial_bench_free(t);
    }
}

static void a_running_trial_above_a_partly_written_slot_is_not_rejected(void **state)
{
    (void)state;
    struct error e;
    enum rollback_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_int_equal(trial_boot(t), SLOT_B);
    t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
    assert_fails(ERR_NOT_NOW, "slot b is the last bootable slot",
                 rollback_run(t->device, &outcome, &e));
    assert_int_equal(trial_stores(t), 0);
    trial_bench_free(t);
}

static void a_pending_trial_is_taken_back(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        roll_back(t, ROLLBACK_TAKEN_BACK);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void a_factory_slot_that_was_never_written_is_gone_back_to_on_trial(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        trial_confirmed(t);
        roll_back(t, ROLLBACK_ACTIVATED);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot_state(t).trial, SLOT_A);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

// 2.0 in slot b confirmed, 3.0 installed into slot a and confirmed: slot a runs.
static struct trial_bench *two_releases(enum contract contract)
{
    struct error e;
    struct trial_bench *t = trial_bench_new(contract);
    trial_confirmed(t);
    trial_install_next(t);
    assert_int_equal(trial_boot(t), SLOT_A);
    assert_ok(trial_keep(t->device, &e));
    trial_restart(t);
    return t;
}

static void the_release_before_is_gone_back_to_on_trial(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct error e;
        enum confirm_outcome outcome;
        struct trial_bench *t = two_releases(contracts[i]);
        roll_back(t, ROLLBACK_ACTIVATED);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_check(t, "true");
        assert_ok(confirm_run(t->device, &outcome, &e));
        assert_int_equal(outcome, CONFIRM_CONFIRMED);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void the_release_floor_does_not_keep_from_going_back(void **state)
{
    (void)state;
    struct trial_bench *t = two_releases(CONTRACT_ORDER);
    env_sim_put(&t->bench->env.sim, "vv_floor", "3");
    t->device->journal.floor = 3; // above 2.0, which has release index 2
    roll_back(t, ROLLBACK_ACTIVATED);
    assert_int_equal(trial_boot(t), SLOT_B);
    trial_bench_free(t);
}

static void going_back_that_is_not_healthy_ends_where_it_began(void **state)
{
    (void)state;
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = two_releases(CONTRACT_ORDER);
    roll_back(t, ROLLBACK_ACTIVATED);
    assert_int_equal(trial_boot(t), SLOT_B);
    trial_check(t, "exit 1");
    assert_fails(ERR_HEALTH, "rolled back to slot a", confirm_run(t->device, &outcome, &e));
    assert_int_equal(trial_boot(t), SLOT_A);
    trial_bench_free(t);
}

static void a_slot_with_a_changed_byte_is_not_gone_back_to(void **state)
{
    (void)state;
    struct error e;
    enum rollback_outcome outcome;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        t->bench->slots[SLOT_B][0].data[1000] ^= 1;
        assert_fails(ERR_NOT_NOW, "slot b holds no verified release",
                     rollback_run(t->device, &outcome, &e));
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void a_slot_that_was_written_in_part_is_no_factory_slot(void **state)
{
    (void)state;
    struct error e;
    enum rollback_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
    assert_fails(ERR_NOT_NOW, "slot a holds no verified release",
                 rollback_run(t->device, &outcome, &e));
    assert_int_equal(trial_stores(t), 0);
    trial_bench_free(t);
}

static void a_lost_environment_is_an_error(void **state)
{
    (void)state;
    struct error e;
    enum rollback_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    t->bench->env.sim.lost = true;
    assert_fails(ERR_IO, "both copies", rollback_run(t->device, &outcome, &e));
    trial_bench_free(t);
}

static void a_store_that_fails_is_an_error_and_the_next_run_does_it(void **state)
{
    (void)state;
    struct error e;
    enum rollback_outcome outcome;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        assert_int_equal(trial_boot(t), SLOT_B);
        t->bench->env.sim.fail_at = 2; // the load of the decision
        assert_fails(ERR_IO, "simulated failure", rollback_run(t->device, &outcome, &e));
        trial_restart(t);
        roll_back(t, ROLLBACK_REJECTED);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_trial_is_rejected),
        cmocka_unit_test(a_running_trial_that_was_rejected_stays_rejected),
        cmocka_unit_test(a_slot_given_up_stays_that_without_a_journal),
        cmocka_unit_test(a_factory_slot_is_gone_back_to_more_than_once),
        cmocka_unit_test(a_running_trial_above_a_partly_written_slot_is_not_rejected),
        cmocka_unit_test(a_pending_trial_is_taken_back),
        cmocka_unit_test(a_factory_slot_that_was_never_written_is_gone_back_to_on_trial),
        cmocka_unit_test(the_release_before_is_gone_back_to_on_trial),
        cmocka_unit_test(the_release_floor_does_not_keep_from_going_back),
        cmocka_unit_test(going_back_that_is_not_healthy_ends_where_it_began),
        cmocka_unit_test(a_slot_with_a_changed_byte_is_not_gone_back_to),
        cmocka_unit_test(a_slot_that_was_written_in_part_is_no_factory_slot),
        cmocka_unit_test(a_lost_environment_is_an_error),
        cmocka_unit_test(a_store_that_fails_is_an_error_and_the_next_run_does_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
