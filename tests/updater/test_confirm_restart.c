// SPDX-License-Identifier: Apache-2.0
// confirm_run() with every call of a seam going wrong, once: after a restart of the process or of
// the device it ends as if nothing had happened.
#include "updater/confirm.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/trial.h"

#include <stdlib.h>

enum fault {
    FAULT_ERROR,      // the call fails, and those after it do not
    FAULT_CUT_BEFORE, // the power goes away, before the call did anything
    FAULT_CUT_AFTER,  // ... after a record was replaced
    FAULT_ENV_AFTER,  // the environment was stored, and the call fails
    FAULTS,
};

struct scene {
    enum contract contract;
    bool healthy;
    enum fault fault;
    bool reboot; // the device starts again, not only the process
};

static void arm(struct trial_bench *t, enum fault fault, unsigned n)
{
    t->bench->state.cut_after = fault == FAULT_CUT_AFTER;
    if (fault == FAULT_ENV_AFTER) {
        t->bench->env.sim.fail_at = n;
        t->bench->env.sim.cut = ENV_SIM_CUT_AFTER;
        return;
    }
    t->bench->seam.fail_at = n;
    t->bench->seam.power_cut = fault != FAULT_ERROR;
}

static bool was_hit(const struct trial_bench *t, enum fault fault, unsigned n)
{
    return (fault == FAULT_ENV_AFTER ? t->bench->env.sim.calls : t->bench->seam.calls) >= n;
}

static void disarm(struct trial_bench *t)
{
    t->bench->state.cut_after = false;
    t->bench->env.sim.cut = ENV_SIM_CUT_BEFORE;
}

// Boots and runs confirm until there is nothing left to do.
static void recover(struct trial_bench *t, const struct scene *s)
{
    struct error e;
    enum confirm_outcome outcome;
    for (int i = 0; i < 8; i++) {
        if (s->reboot || t->bench->reboots > 0 || i > 1) {
            (void)trial_boot(t);
        } else {
            trial_restart(t);
        }
        enum err err = confirm_run(t->device, &outcome, &e);
        if (err != OK && err != ERR_HEALTH) {
            fail_msg("expected recovery, got: %s", e.msg);
        }
    }
}

static void expect_end(struct trial_bench *t, const struct scene *s, bool floor_known)
{
    struct boot_state boot = trial_boot_state(t);
    const struct journal *j = &t->device->journal;
    int slot = s->healthy ? SLOT_B : SLOT_A;
    assert_int_equal(t->device->running, slot);
    assert_int_equal(boot.next, slot);
    assert_int_equal(boot.trial, SLOT_NONE);
    assert_int_equal(j->step, STEP_IDLE);
    assert_int_equal(j->last.slot, SLOT_B);
    if (s->healthy) {
        assert_int_equal(j->slots[SLOT_B].content, CONTENT_CONFIRMED);
        assert_int_equal(j->last.outcome, OUTCOME_CONFIRMED);
        if (floor_known) {
            assert_int_equal(boot.floor, TRIAL_FLOOR);
            assert_int_equal(j->floor, TRIAL_FLOOR);
        }
    } else {
        assert_int_equal(j->slots[SLOT_B].content, CONTENT_REJECTED);
        assert_int_equal(j->last.outcome, OUTCOME_ROLLED_BACK);
        assert_int_equal(boot.floor, 0);
        assert_false(boot.slots[SLOT_B].bootable);
    }
}

// False when the n-th call is past the end.
static bool run_with_fault(const struct scene *s, unsigned n)
{
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(s->contract);
    trial_check(t, s->healthy ? "true" : "exit 1");
    assert_int_equal(trial_boot(t), SLOT_B);
    arm(t, s->fault, n);
    enum err err = confirm_run(t->device, &outcome, &e);
    bool hit = was_hit(t, s->fault, n);
    // A record of the slot that cannot be read costs the floor, not the system.
    bool floor_known = err != OK || strstr(trial_talk(t), "floor is not raised") == NULL;
    disarm(t);
    recover(t, s);
    expect_end(t, s, floor_known);
    bench_expect_running_untouched(t->bench);
    trial_bench_free(t);
    return hit;
}

static void run_scenes(bool healthy, bool reboot, unsigned least)
{
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        for (int fault = 0; fault < FAULTS; fault++) {
            struct scene s = {(enum contract)contract, healthy, (enum fault)fault, reboot};
            unsigned n = 1;
            while (run_with_fault(&s, n)) {
                n++;
            }
            // Loads, the store, records: each was once the one that failed.
            assert_true(n > least);
        }
    }
}

static void a_healthy_trial_is_kept_whatever_call_fails_before_a_restart(void **state)
{
    (void)state;
    run_scenes(true, false, 4);
}

static void a_healthy_trial_is_kept_whatever_call_fails_before_a_reboot(void **state)
{
    (void)state;
    run_scenes(true, true, 4);
}

static void an_unhealthy_trial_is_rejected_whatever_call_fails_before_a_restart(void **state)
{
    (void)state;
    run_scenes(false, false, 3);
}

static void an_unhealthy_trial_is_rejected_whatever_call_fails_before_a_reboot(void **state)
{
    (void)state;
    run_scenes(false, true, 3);
}

// Slot a is partly written, so that slot b has to go on. What is not in the journal may be lost;
// the device starts, and from the only slot that can.
static bool go_on_with_fault(enum contract contract, enum fault fault, unsigned n)
{
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(contract);
    trial_check(t, "exit 1");
    assert_int_equal(trial_boot(t), SLOT_B);
    t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
    trial_put_journal(t, &t->device->journal);
    trial_restart(t);
    arm(t, fault, n);
    (void)!confirm_run(t->device, &outcome, &e);
    bool hit = was_hit(t, fault, n);
    disarm(t);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trial_boot(t), SLOT_B);
        (void)!confirm_run(t->device, &outcome, &e);
        assert_false(trial_boot_state(t).slots[SLOT_A].bootable);
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        assert_int_equal(t->bench->reboots, 0);
    }
    trial_bench_free(t);
    return hit;
}

static void the_last_bootable_slot_goes_on_whatever_call_fails(void **state)
{
    (void)state;
    for (int contract = CONTRACT_ORDER; contract <= CONTRACT_BOOTCOUNT; contract++) {
        for (int fault = 0; fault < FAULTS; fault++) {
            unsigned n = 1;
            while (go_on_with_fault((enum contract)contract, (enum fault)fault, n)) {
                n++;
            }
            assert_true(n > 3);
        }
    }
}

// Storage that is full is no fault of the release: it is kept, and the next confirm records it.
static void a_journal_that_cannot_be_written_keeps_no_release_from_being_kept(void **state)
{
    (void)state;
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_check(t, "true");
    assert_int_equal(trial_boot(t), SLOT_B);
    t->bench->state.read_only = true;
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
    assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
    assert_contains(trial_talk(t), "that slot b is confirmed is not recorded yet");
    t->bench->state.read_only = false;
    trial_restart(t);
    assert_true(trial_end_is_unrecorded(t->device));
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_that_cannot_be_written_keeps_no_release_from_being_kept),
        cmocka_unit_test(a_healthy_trial_is_kept_whatever_call_fails_before_a_restart),
        cmocka_unit_test(a_healthy_trial_is_kept_whatever_call_fails_before_a_reboot),
        cmocka_unit_test(an_unhealthy_trial_is_rejected_whatever_call_fails_before_a_restart),
        cmocka_unit_test(an_unhealthy_trial_is_rejected_whatever_call_fails_before_a_reboot),
        cmocka_unit_test(the_last_bootable_slot_goes_on_whatever_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
