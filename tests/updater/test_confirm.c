// SPDX-License-Identifier: Apache-2.0
#include "updater/confirm.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/trial.h"

#include <stdlib.h>

static const enum contract contracts[] = {CONTRACT_ORDER, CONTRACT_BOOTCOUNT};

#define EACH_CONTRACT(i)                                                                           \
    size_t i = 0;                                                                                  \
    i < sizeof contracts / sizeof contracts[0];                                                    \
    i++

static struct trial_bench *bench_with(enum contract contract, const char *command)
{
    struct trial_bench *t = trial_bench_new(contract);
    trial_check(t, command);
    return t;
}

// 2.0 in slot b runs, on trial.
static struct trial_bench *trial_running(enum contract contract, const char *command)
{
    struct trial_bench *t = bench_with(contract, command);
    assert_int_equal(trial_boot(t), SLOT_B);
    return t;
}

static void expect_outcome(struct trial_bench *t, enum confirm_outcome want)
{
    struct error e;
    enum confirm_outcome got;
    assert_ok(confirm_run(t->device, &got, &e));
    assert_int_equal(got, want);
}

static void expect_health_error(struct trial_bench *t, enum confirm_outcome want,
                                const char *sentence)
{
    struct error e;
    enum confirm_outcome got = CONFIRM_NOT_ON_TRIAL;
    assert_fails(ERR_HEALTH, sentence, confirm_run(t->device, &got, &e));
    assert_int_equal(got, want);
}

// Nothing is left to do: another run changes nothing.
static void expect_settled(struct trial_bench *t, int slot)
{
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trial_boot(t), slot);
        expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
        // The script takes one attempt per boot, which is given back.
        unsigned allowed = t->bench->config.boot.contract == CONTRACT_ORDER ? 1 : 0;
        assert_int_equal(trial_stores(t), allowed);
        assert_int_equal(t->bench->state.replaced, 0);
        expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
        assert_int_equal(trial_stores(t), allowed);
    }
}

static void expect_rolled_back(struct trial_bench *t, const char *reason)
{
    expect_settled(t, SLOT_A);
    const struct journal *j = &t->device->journal;
    assert_int_equal(j->last.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(j->last.slot, SLOT_B);
    assert_contains(j->last.reason, reason);
    assert_int_equal(j->slots[SLOT_B].content, CONTENT_REJECTED);
    assert_int_equal(j->step, STEP_IDLE);
}

// --- the running slot is on trial ---------------------------------------------------------------

static void a_healthy_trial_is_confirmed_by_one_store(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "true");
        expect_outcome(t, CONFIRM_CONFIRMED);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->bench->reboots, 0);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_CONFIRMED);
        expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
        assert_int_equal(trial_stores(t), 1);
        expect_settled(t, SLOT_B);
        trial_bench_free(t);
    }
}

static void without_checks_a_trial_is_confirmed_with_a_warning(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_int_equal(trial_boot(t), SLOT_B);
    expect_outcome(t, CONFIRM_CONFIRMED);
    assert_contains(trial_talk(t), "kept unchecked");
    expect_settled(t, SLOT_B);
    trial_bench_free(t);
}

static void an_unhealthy_trial_is_rejected_by_one_store_and_rebooted(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "echo no camera; exit 1");
        t->bench->seam.tracing = true;
        expect_health_error(t, CONFIRM_REJECTED,
                            "release 2.0 in slot b is not healthy: check api: no camera; rolled "
                            "back to slot a");
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->bench->reboots, 1);
        // The reason is on the medium before the slot is given up.
        trial_expect_order(t, "journal idle", "env ");
        expect_rolled_back(t, "check api: no camera");
        trial_bench_free(t);
    }
}

static enum err broken_reboot(struct device *d, struct error *e)
{
    (void)d;
    return fail(e, ERR_IO, 0, "reboot_command 'false' failed with exit status 1");
}

static void a_reboot_command_that_fails_is_told_and_the_slot_is_rejected(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER, "exit 1");
    struct error e;
    enum confirm_outcome got = CONFIRM_NOT_ON_TRIAL;
    t->device->reboot = broken_reboot;
    assert_fails(ERR_IO, "rolled back to slot a, but the reboot failed: reboot_command 'false'",
                 confirm_run(t->device, &got, &e));
    assert_int_equal(got, CONFIRM_REJECTED);
    expect_rolled_back(t, "check api: exit status 1");
    trial_bench_free(t);
}

static void a_journal_that_cannot_be_written_does_not_keep_a_bad_system(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "exit 1");
        t->bench->state.read_only = true;
        expect_health_error(t, CONFIRM_REJECTED, "check api: exit status 1");
        assert_int_equal(t->bench->reboots, 1);
        t->bench->state.read_only = false;
        // The old system sees that it was given up, and no more than that.
        assert_int_equal(trial_boot(t), SLOT_A);
        expect_outcome(t, CONFIRM_FELL_BACK);
        expect_rolled_back(t, "why was not recorded");
        trial_bench_free(t);
    }
}

static void a_rejection_decided_before_a_restart_stands(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "exit 1");
        enum confirm_outcome outcome;
        struct journal j = t->device->journal;
        j.step = STEP_IDLE;
        j.slot = SLOT_NONE;
        j.slots[SLOT_B].content = CONTENT_REJECTED;
        j.last.outcome = OUTCOME_ROLLED_BACK;
        j.last.slot = SLOT_B;
        snprintf(j.last.reason, sizeof j.last.reason, "check api: was down");
        trial_put_journal(t, &j);
        trial_restart(t);
        trial_check(t, "true"); // healthy by now
        assert_fails(ERR_HEALTH, "check api: was down", confirm_run(t->device, &outcome, &e));
        assert_int_equal(t->bench->reboots, 1);
        assert_int_equal(t->bench->state.replaced, 0);
        expect_rolled_back(t, "check api: was down");
        trial_bench_free(t);
    }
}

// Slot b on trial, unhealthy; slot a is not whole.
static struct trial_bench *above_a_partial_slot(enum contract contract)
{
    struct trial_bench *t = trial_running(contract, "echo no camera; exit 1");
    t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
    trial_put_journal(t, &t->device->journal);
    return t;
}

static void expect_alone(struct trial_bench *t)
{
    expect_health_error(t, CONFIRM_LAST_SLOT,
                        "release 2.0 in slot b is not healthy: check api: no camera; it goes on, "
                        "because it is the last bootable slot: install a release into slot a");
    struct boot_state boot = trial_boot_state(t);
    assert_int_equal(t->bench->reboots, 0);
    assert_int_equal(boot.trial, SLOT_NONE);
    assert_int_equal(boot.next, SLOT_B);
    assert_false(boot.slots[SLOT_A].bootable);
    assert_int_equal(boot.floor, 0);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
    assert_int_equal(t->device->journal.last.outcome, OUTCOME_FAILED);
    assert_string_equal(t->device->journal.last.reason, "check api: no camera");
}

static void the_last_bootable_slot_goes_on_alone(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = above_a_partial_slot(contracts[i]);
        expect_alone(t);
        expect_alone(t);
        assert_int_equal(trial_stores(t), 1); // the older copy names a slot that is whole
        // However often it is started and found unhealthy: it starts.
        for (int n = 0; n < 6; n++) {
            assert_int_equal(trial_boot(t), SLOT_B);
            expect_alone(t);
        }
        // Healthy at last.
        trial_check(t, "true");
        expect_outcome(t, CONFIRM_CONFIRMED);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        trial_bench_free(t);
    }
}

static void a_wrong_mark_on_the_running_slot_is_put_right(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = bench_with(contracts[i], "true");
        trial_confirmed(t);
        t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
        trial_put_journal(t, &t->device->journal);
        expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        trial_restart(t);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        trial_bench_free(t);
    }
}

// Confirmed, the journal behind, and started so often without confirm that it has none left.
static void a_worn_out_slot_was_not_given_up(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER, "exit 1");
    env_sim_put(&t->bench->env.sim, "vv_trial", NULL);
    env_sim_put(&t->bench->env.sim, "vv_floor", "2");
    env_sim_put(&t->bench->env.sim, "BOOT_B_LEFT", "0");
    expect_outcome(t, CONFIRM_CONFIRMED);
    assert_int_equal(t->bench->reboots, 0);
    assert_int_equal(trial_boot_state(t).next, SLOT_B);
    trial_bench_free(t);
}

// --- the other slot is on trial -----------------------------------------------------------------

static void a_pending_trial_is_left_alone(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = bench_with(contracts[i], "exit 1");
        expect_outcome(t, CONFIRM_TRIAL_PENDING);
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(t->bench->state.replaced, 0);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void check_never_confirms(enum contract contract, unsigned attempts, const char *reason)
{
    struct trial_bench *t = bench_with(contract, "true");
    t->bench->config.boot.attempts = attempts;
    trial_install_next(t);
    for (unsigned boot = 0; boot < attempts; boot++) {
        assert_int_equal(trial_boot(t), SLOT_B);
    }
    assert_int_equal(trial_boot(t), SLOT_A);
    t->bench->seam.tracing = true;
    expect_outcome(t, CONFIRM_FELL_BACK);
    assert_int_equal(trial_stores(t), 1);
    assert_int_equal(t->bench->reboots, 0);
    trial_expect_order(t, "journal idle", "env ");
    expect_rolled_back(t, reason);
    trial_bench_free(t);
}

static void a_trial_that_never_confirms_ends_in_the_old_slot_which_records_it(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        check_never_confirms(contracts[i], 3, "slot b did not confirm within 3 boots: the boot");
        check_never_confirms(contracts[i], 1, "slot b did not confirm within 1 boot: the boot");
    }
}

static void a_trial_that_could_not_start_is_given_up_at_once(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = bench_with(contracts[i], "true");
        (void)trial_boot(t);
        t->device->running = SLOT_A; // the script went on to the other slot
        expect_outcome(t, CONFIRM_FELL_BACK);
        expect_rolled_back(t, "slot b did not start: the boot loader fell back");
        trial_bench_free(t);
    }
}

static void the_reason_of_the_checks_outlives_the_fallback_of_the_boot_loader(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER, "echo no camera; exit 1");
    enum confirm_outcome outcome;
    // No decision can be stored, so that attempts run down.
    for (int boot = 0; boot < 3; boot++) {
        t->bench->env.sim.fail_at = 2; // the state is read, the decision's load fails
        assert_int_equal(confirm_run(t->device, &outcome, &e), ERR_IO);
        assert_int_equal(trial_boot(t), boot < 2 ? SLOT_B : SLOT_A);
    }
    expect_outcome(t, CONFIRM_FELL_BACK);
    expect_rolled_back(t, "check api: no camera");
    trial_bench_free(t);
}

// --- nothing is on trial ------------------------------------------------------------------------

static void attempts_are_put_right_only_if_they_differ(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    env_sim_put(&t->bench->env.sim, "BOOT_B_LEFT", "1");
    expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
    assert_string_equal(env_sim_stored(&t->bench->env.sim, "BOOT_B_LEFT"), "3");
    assert_int_equal(trial_stores(t), 1);
    expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
    assert_int_equal(trial_stores(t), 1);
    assert_int_equal(t->bench->state.replaced, 0);
    trial_bench_free(t);
}

static void a_confirmed_trial_that_was_not_recorded_is_recorded(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "exit 1"); // not asked again
        bool stored;
        assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_CONFIRM,
                              SLOT_B, TRIAL_FLOOR, &stored, &e));
        trial_restart(t);
        expect_outcome(t, CONFIRM_CONFIRMED);
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_CONFIRMED);
        assert_int_equal(t->device->journal.floor, TRIAL_FLOOR);
        expect_settled(t, SLOT_B);
        trial_bench_free(t);
    }
}

// As above, and the journal as a reject leaves it, or not.
static struct trial_bench *rejected_and_still_running(enum contract contract, bool recorded)
{
    struct error e;
    bool stored;
    struct trial_bench *t = trial_running(contract, "true");
    if (recorded) {
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
    } else {
        assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_REJECT,
                              SLOT_B, 0, &stored, &e));
    }
    trial_restart(t);
    return t;
}

static void a_rejected_slot_that_still_runs_is_left_by_the_reboot_command(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = rejected_and_still_running(contracts[i], true);
        expect_health_error(t, CONFIRM_REJECTED, "too loud; rolled back to slot a");
        assert_int_equal(t->bench->reboots, 1);
        assert_int_equal(trial_stores(t), 0);
        expect_rolled_back(t, "too loud");
        trial_bench_free(t);
    }
}

static void a_rejection_that_was_not_recorded_is_not_taken_for_a_confirmation(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = rejected_and_still_running(contracts[i], false);
        expect_health_error(t, CONFIRM_REJECTED, "the reason was not kept; rolled back to slot a");
        assert_int_equal(t->bench->reboots, 1);
        expect_rolled_back(t, "the reason was not kept");
        trial_bench_free(t);
    }
}

static void a_rejection_that_was_not_recorded_is_recorded_by_the_old_system(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = rejected_and_still_running(contracts[i], false);
        assert_int_equal(trial_boot(t), SLOT_A);
        expect_outcome(t, CONFIRM_FELL_BACK);
        expect_rolled_back(t, "why was not recorded");
        trial_bench_free(t);
    }
}

static void a_flip_that_was_never_stored_is_no_rollback(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = bench_with(contracts[i], "true");
        bool stored;
        assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_INVALIDATE,
                              SLOT_B, 0, &stored, &e));
        struct journal j = t->device->journal;
        j.step = STEP_ACTIVATING;
        trial_put_journal(t, &j);
        assert_int_equal(trial_boot(t), SLOT_A);
        expect_outcome(t, CONFIRM_NOT_ON_TRIAL);
        assert_int_equal(t->device->journal.step, STEP_ACTIVATING);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        trial_bench_free(t);
    }
}

static void a_lost_journal_leaves_the_decision_to_the_environment(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i], "true");
        state_mem_spoil(&t->bench->state, "journal");
        trial_restart(t);
        assert_true(t->device->journal.lost);
        expect_outcome(t, CONFIRM_CONFIRMED);
        // From the record of the slot.
        assert_string_equal(t->device->journal.slots[SLOT_B].release.version, "2.0");
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        expect_settled(t, SLOT_B);
        trial_bench_free(t);
    }
}

static void a_lost_environment_is_an_error_and_nothing_is_changed(void **state)
{
    (void)state;
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_running(CONTRACT_ORDER, "true");
    t->bench->env.sim.lost = true;
    assert_fails(ERR_IO, "both copies", confirm_run(t->device, &outcome, &e));
    assert_int_equal(trial_stores(t), 0);
    assert_int_equal(t->bench->state.replaced, 0);
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_trial_is_confirmed_by_one_store),
        cmocka_unit_test(without_checks_a_trial_is_confirmed_with_a_warning),
        cmocka_unit_test(an_unhealthy_trial_is_rejected_by_one_store_and_rebooted),
        cmocka_unit_test(a_reboot_command_that_fails_is_told_and_the_slot_is_rejected),
        cmocka_unit_test(a_journal_that_cannot_be_written_does_not_keep_a_bad_system),
        cmocka_unit_test(a_rejection_decided_before_a_restart_stands),
        cmocka_unit_test(the_last_bootable_slot_goes_on_alone),
        cmocka_unit_test(a_wrong_mark_on_the_running_slot_is_put_right),
        cmocka_unit_test(a_worn_out_slot_was_not_given_up),
        cmocka_unit_test(a_pending_trial_is_left_alone),
        cmocka_unit_test(a_trial_that_never_confirms_ends_in_the_old_slot_which_records_it),
        cmocka_unit_test(a_trial_that_could_not_start_is_given_up_at_once),
        cmocka_unit_test(the_reason_of_the_checks_outlives_the_fallback_of_the_boot_loader),
        cmocka_unit_test(attempts_are_put_right_only_if_they_differ),
        cmocka_unit_test(a_confirmed_trial_that_was_not_recorded_is_recorded),
        cmocka_unit_test(a_rejected_slot_that_still_runs_is_left_by_the_reboot_command),
        cmocka_unit_test(a_rejection_that_was_not_recorded_is_not_taken_for_a_confirmation),
        cmocka_unit_test(a_rejection_that_was_not_recorded_is_recorded_by_the_old_system),
        cmocka_unit_test(a_flip_that_was_never_stored_is_no_rollback),
        cmocka_unit_test(a_lost_journal_leaves_the_decision_to_the_environment),
        cmocka_unit_test(a_lost_environment_is_an_error_and_nothing_is_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
