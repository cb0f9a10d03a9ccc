// SPDX-License-Identifier: Apache-2.0
// confirm_run() when the journal is about to try the running slot and the environment knows of no
// trial: was it confirmed, and the journal is behind? Or was the environment lost, and the trial
// forgotten? vv_floor tells.
#include "updater/confirm.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/activate.h"
#include "updater/mark.h"
#include "updater/rollback.h"
#include "updater/trial.h"

#include <stdlib.h>

struct scene {
    enum contract contract;
    bool healthy;
    enum journal_step step; // that the journal got to
};

#define EACH_SCENE(s)                                                                              \
    struct scene s = {CONTRACT_ORDER, false, STEP_ACTIVATING};                                     \
    s.contract <= CONTRACT_BOOTCOUNT;                                                              \
    s = next_scene(s)

static struct scene next_scene(struct scene s)
{
    if (s.step == STEP_ACTIVATING) {
        s.step = STEP_TRIAL;
    } else if (!s.healthy) {
        s = (struct scene){s.contract, true, STEP_ACTIVATING};
    } else {
        s = (struct scene){s.contract + 1, false, STEP_ACTIVATING};
    }
    return s;
}

static void set_step(struct trial_bench *t, enum journal_step step)
{
    t->device->journal.step = step;
    trial_put_journal(t, &t->device->journal);
    trial_restart(t);
}

// U-Boot started with its built-in environment, and saved it.
static void lose_environment(struct trial_bench *t)
{
    static const char *const ours[] = {"BOOT_ORDER",        "BOOT_A_LEFT", "BOOT_B_LEFT",
                                       "rpipart",           "bootcount",   "bootlimit",
                                       "upgrade_available", "vv_trial",    "vv_floor"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        env_sim_put(&t->bench->env.sim, ours[i], NULL);
    }
}

// 2.0 in slot b is confirmed, 3.0 in slot a on trial; then the environment is lost. Without it the
// boot loader starts slot a.
static struct trial_bench *after_the_loss(const struct scene *s)
{
    struct trial_bench *t = trial_bench_new(s->contract);
    trial_check(t, s->healthy ? "true" : "echo no camera; exit 1");
    trial_confirmed(t);
    trial_install_next(t);
    assert_int_equal(trial_boot(t), SLOT_A);
    set_step(t, s->step);
    lose_environment(t);
    assert_int_equal(trial_boot(t), SLOT_A);
    return t;
}

static void expect_confirmed(struct trial_bench *t)
{
    struct error e;
    enum confirm_outcome outcome;
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
    assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
    assert_true(trial_boot_state(t).floor_stored);
    assert_int_equal(t->device->journal.slots[t->device->running].content, CONTENT_CONFIRMED);
}

static void expect_rejected(struct trial_bench *t, const char *reason)
{
    struct error e;
    enum confirm_outcome outcome = CONFIRM_NOT_ON_TRIAL;
    int given_up = t->device->running;
    assert_fails(ERR_HEALTH, reason, confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_REJECTED);
    assert_int_equal(t->bench->reboots, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(trial_boot(t), other_slot(given_up));
        assert_ok(confirm_run(t->device, &outcome, &e));
        assert_int_equal(outcome, CONFIRM_NOT_ON_TRIAL);
    }
    assert_int_equal(t->device->journal.last.outcome, OUTCOME_ROLLED_BACK);
    assert_int_equal(t->device->journal.slots[given_up].content, CONTENT_REJECTED);
}

static void expect_decided_by_the_checks(struct trial_bench *t, const struct scene *s)
{
    if (s->healthy) {
        expect_confirmed(t);
    } else {
        expect_rejected(t, "check api: no camera");
    }
}

static void after_a_loss_of_the_environment_the_checks_decide(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        struct trial_bench *t = after_the_loss(&s);
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        expect_decided_by_the_checks(t, &s);
        trial_bench_free(t);
    }
}

static void a_confirmation_after_the_loss_brings_the_floor_back(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        if (!s.healthy) {
            continue;
        }
        struct trial_bench *t = after_the_loss(&s);
        expect_confirmed(t);
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        // From now on it is a confirmation that is told by the floor: no check is asked again.
        struct error e;
        enum confirm_outcome outcome;
        trial_check(t, "exit 1");
        assert_ok(confirm_run(t->device, &outcome, &e));
        assert_int_equal(outcome, CONFIRM_NOT_ON_TRIAL);
        trial_bench_free(t);
    }
}

static void a_confirmation_that_raised_no_floor_is_no_loss(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        struct error e;
        bool stored;
        struct trial_bench *t = trial_bench_new(s.contract);
        trial_check(t, "exit 1"); // not asked
        assert_int_equal(trial_boot(t), SLOT_B);
        assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_CONFIRM,
                              SLOT_B, 0, &stored, &e));
        assert_string_equal(env_sim_stored(&t->bench->env.sim, "vv_floor"), "0");
        set_step(t, s.step);
        expect_confirmed(t);
        trial_bench_free(t);
    }
}

// Somebody deleted vv_trial with fw_setenv during the first update, or an updater that left no
// floor confirmed and was cut. Asking the checks once more is right then too.
static void a_first_trial_that_was_taken_out_by_hand_is_decided_by_the_checks(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        struct trial_bench *t = trial_bench_new(s.contract);
        trial_check(t, s.healthy ? "true" : "echo no camera; exit 1");
        assert_int_equal(trial_boot(t), SLOT_B);
        env_sim_put(&t->bench->env.sim, "vv_trial", NULL);
        set_step(t, s.step);
        assert_int_equal(trial_boot_state(t).next, SLOT_B);
        expect_decided_by_the_checks(t, &s);
        trial_bench_free(t);
    }
}

static void a_worn_out_slot_without_a_floor_is_decided_by_the_checks(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        if (s.contract == CONTRACT_BOOTCOUNT) {
            continue; // has no attempts outside a trial
        }
        struct trial_bench *t = trial_bench_new(s.contract);
        trial_check(t, s.healthy ? "true" : "echo no camera; exit 1");
        assert_int_equal(trial_boot(t), SLOT_B);
        env_sim_put(&t->bench->env.sim, "vv_trial", NULL);
        env_sim_put(&t->bench->env.sim, "BOOT_B_LEFT", "0");
        set_step(t, s.step);
        expect_decided_by_the_checks(t, &s);
        trial_bench_free(t);
    }
}

// The rejection gets as far as the journal, and the next boot is of the same slot.
static void reject_into_the_journal_only(struct trial_bench *t)
{
    struct error e;
    enum confirm_outcome outcome;
    t->bench->env.sim.fail_at = 2; // the state is read, the decision's load fails
    assert_int_equal(confirm_run(t->device, &outcome, &e), ERR_IO);
    assert_int_equal(trial_boot(t), SLOT_A);
    assert_int_equal(t->device->journal.slots[SLOT_A].content, CONTENT_REJECTED);
}

// The checks would pass by now.
static void expect_still_rejected(struct trial_bench *t)
{
    trial_check(t, "true");
    expect_rejected(t, "check api: no camera");
}

// The environment that was lost knows nothing of it.
static void a_rejection_after_the_loss_stands_after_a_cut(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        if (s.healthy) {
            continue;
        }
        struct trial_bench *t = after_the_loss(&s);
        reject_into_the_journal_only(t);
        expect_still_rejected(t);
        trial_bench_free(t);
    }
}

// The built-in environment names slot a. That slot b does not boot next says nothing about slot b.
static void a_rejection_stands_where_the_slot_variable_came_back(void **state)
{
    (void)state;
    const struct scene s = {CONTRACT_BOOTCOUNT, false, STEP_TRIAL};
    struct trial_bench *t = after_the_loss(&s);
    env_sim_put(&t->bench->env.sim, "rpipart", "2");
    reject_into_the_journal_only(t);
    expect_rejected(t, "check api: no camera");
    trial_bench_free(t);
}

// Somebody asks for an update between the boot and the decision, as an agent may.
static void expect_no_install(struct trial_bench *t, const char *sentence)
{
    struct error e;
    struct install_report report;
    bench_restart(t->bench);
    assert_fails(ERR_NOT_NOW, sentence, bench_install(t->bench, &report, &e));
    assert_int_equal(t->bench->source.range_count, 0);
    assert_int_equal(trial_stores(t), 0);
}

static void what_is_on_trial_after_the_loss_installs_nothing_over_the_other_slot(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        struct trial_bench *t = after_the_loss(&s);
        expect_no_install(t, "the running slot a is still on trial");
        expect_decided_by_the_checks(t, &s);
        trial_bench_free(t);
    }
}

static void a_rejection_outlives_an_install_that_is_refused(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        if (s.healthy) {
            continue;
        }
        struct trial_bench *t = after_the_loss(&s);
        reject_into_the_journal_only(t);
        expect_no_install(t, "the running slot a is still on trial");
        // The same with a trial that is not forgotten.
        env_sim_put(&t->bench->env.sim, "vv_trial", "a");
        expect_no_install(t, "the running slot a is still on trial");
        expect_still_rejected(t);
        trial_bench_free(t);
    }
}

// --- the floor ----------------------------------------------------------------------------------

static void expect_nothing_to_confirm(struct trial_bench *t, unsigned stores, unsigned replaced)
{
    struct error e;
    enum confirm_outcome outcome;
    trial_restart(t);
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_NOT_ON_TRIAL);
    assert_int_equal(trial_stores(t), stores);
    assert_int_equal(t->bench->state.replaced, replaced);
}

static void a_floor_that_one_place_has_lost_comes_back_from_the_other(void **state)
{
    (void)state;
    for (enum contract c = CONTRACT_ORDER; c <= CONTRACT_BOOTCOUNT; c++) {
        struct trial_bench *t = trial_bench_new(c);
        trial_confirmed(t);
        expect_nothing_to_confirm(t, 0, 0);
        env_sim_put(&t->bench->env.sim, "vv_floor", NULL);
        expect_nothing_to_confirm(t, 1, 0);
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        t->device->journal.floor = 0;
        trial_put_journal(t, &t->device->journal);
        expect_nothing_to_confirm(t, 0, 1);
        assert_int_equal(t->device->journal.floor, TRIAL_FLOOR);
        expect_nothing_to_confirm(t, 0, 0);
        trial_bench_free(t);
    }
}

// That none is there tells the next boot that a flip was forgotten.
static void no_floor_comes_back_while_a_flip_may_have_been_forgotten(void **state)
{
    (void)state;
    for (enum contract c = CONTRACT_ORDER; c <= CONTRACT_BOOTCOUNT; c++) {
        struct trial_bench *t = trial_bench_new(c);
        trial_confirmed(t);
        env_sim_put(&t->bench->env.sim, "vv_floor", NULL);
        t->device->journal.slot = SLOT_A;
        set_step(t, STEP_ACTIVATING);
        expect_nothing_to_confirm(t, 0, 0);
        assert_false(trial_boot_state(t).floor_stored);
        trial_bench_free(t);
    }
}

// What does not tell the environment's floor apart from a mistake does not take it over.
static void a_floor_of_no_known_release_stays_where_it_is(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    state_mem_forget(&t->bench->state, "journal");
    expect_nothing_to_confirm(t, 0, 0);
    assert_int_equal(t->device->journal.floor, 0);
    trial_bench_free(t);
}

static void a_floor_that_cannot_be_recorded_is_warned_about(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    t->device->journal.floor = 0;
    trial_put_journal(t, &t->device->journal);
    t->bench->state.read_only = true;
    expect_nothing_to_confirm(t, 0, 0);
    assert_contains(trial_talk(t), "the release floor 2 is not recorded");
    trial_bench_free(t);
}

// 3.0 in slot a is rejected, the environment is lost, and slot a does not start once: slot b runs,
// and must not take the last sign from slot a that it was given up.
static void a_floor_comes_back_together_with_a_rejection(void **state)
{
    (void)state;
    for (enum contract c = CONTRACT_ORDER; c <= CONTRACT_BOOTCOUNT; c++) {
        struct error e;
        enum confirm_outcome outcome;
        const struct scene s = {c, false, STEP_TRIAL};
        struct trial_bench *t = after_the_loss(&s);
        assert_int_equal(confirm_run(t->device, &outcome, &e), ERR_HEALTH);
        lose_environment(t);
        t->bench->device.running = SLOT_B;
        expect_nothing_to_confirm(t, 1, 0);
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        assert_int_equal(trial_boot_state(t).next, SLOT_B);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void a_floor_comes_back_when_a_trial_is_rejected_or_taken_back(void **state)
{
    (void)state;
    for (enum contract c = CONTRACT_ORDER; c <= CONTRACT_BOOTCOUNT; c++) {
        struct error e;
        for (int reject = 0; reject < 2; reject++) {
            struct trial_bench *t = trial_bench_new(c);
            trial_confirmed(t);
            trial_install_next(t);
            env_sim_put(&t->bench->env.sim, "vv_floor", NULL);
            struct boot_state boot = trial_boot_state(t);
            t->device->journal.slots[SLOT_A].content = CONTENT_CONFIRMED; // was gone back to
            assert_ok(reject ? trial_reject(t->device, SLOT_A, "too loud", &e)
                             : trial_take_back(t->device, &boot, &e));
            assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
            trial_bench_free(t);
        }
    }
}

static void the_other_verbs_see_a_forgotten_trial_too(void **state)
{
    (void)state;
    for (EACH_SCENE(s)) {
        struct error e;
        enum rollback_outcome rolled;
        struct trial_bench *t = after_the_loss(&s);
        assert_fails(ERR_NOT_NOW, "slot a is on trial",
                     activate_slot(t->device, SLOT_B, ACTIVATE_VERIFY, &e));
        assert_fails(ERR_NOT_NOW, "is on trial and falls back",
                     mark_run(t->device, MARK_BAD, SLOT_B, &e));
        assert_int_equal(trial_stores(t), 0);
        assert_ok(rollback_run(t->device, &rolled, &e));
        assert_int_equal(rolled, ROLLBACK_REJECTED);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

// --- a slot that boots again ---------------------------------------------------------------------

// The first update is rejected in slot b, the environment lost, and slot a hangs by now: it has
// used up its attempts when the boot loader falls back to slot b.
static struct trial_bench *back_in_the_rejected_slot(bool healthy)
{
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER); // the one that counts after the loss
    trial_check(t, "echo no camera; exit 1");
    assert_int_equal(trial_boot(t), SLOT_B);
    assert_int_equal(confirm_run(t->device, &outcome, &e), ERR_HEALTH);
    assert_int_equal(outcome, CONFIRM_REJECTED);
    lose_environment(t);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(trial_boot(t), SLOT_A);
    }
    assert_int_equal(trial_boot(t), SLOT_B);
    trial_check(t, healthy ? "true" : "echo no network; exit 1");
    return t;
}

static void expect_slot_b_to_stay(struct trial_bench *t)
{
    assert_int_equal(t->bench->reboots, 0);
    for (int i = 0; i < 5; i++) {
        struct error e;
        enum confirm_outcome outcome;
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_check(t, "true");
        assert_ok(confirm_run(t->device, &outcome, &e));
    }
}

static void a_rejected_slot_is_kept_when_the_other_one_stopped_booting(void **state)
{
    (void)state;
    struct trial_bench *t = back_in_the_rejected_slot(true);
    expect_confirmed(t);
    assert_int_equal(trial_boot_state(t).next, SLOT_B);
    expect_slot_b_to_stay(t);
    trial_bench_free(t);
}

static void a_rejected_slot_goes_on_unhealthy_when_the_other_one_stopped_booting(void **state)
{
    (void)state;
    struct error e;
    enum confirm_outcome outcome = CONFIRM_NOT_ON_TRIAL;
    struct trial_bench *t = back_in_the_rejected_slot(false);
    assert_fails(ERR_HEALTH, "check api: no network; it goes on",
                 confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_LAST_SLOT);
    assert_int_equal(trial_boot_state(t).next, SLOT_B);
    expect_slot_b_to_stay(t);
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_loss_of_the_environment_the_checks_decide),
        cmocka_unit_test(a_confirmation_after_the_loss_brings_the_floor_back),
        cmocka_unit_test(a_confirmation_that_raised_no_floor_is_no_loss),
        cmocka_unit_test(a_first_trial_that_was_taken_out_by_hand_is_decided_by_the_checks),
        cmocka_unit_test(a_worn_out_slot_without_a_floor_is_decided_by_the_checks),
        cmocka_unit_test(a_rejection_after_the_loss_stands_after_a_cut),
        cmocka_unit_test(a_rejection_stands_where_the_slot_variable_came_back),
        cmocka_unit_test(what_is_on_trial_after_the_loss_installs_nothing_over_the_other_slot),
        cmocka_unit_test(a_rejection_outlives_an_install_that_is_refused),
        cmocka_unit_test(a_floor_that_one_place_has_lost_comes_back_from_the_other),
        cmocka_unit_test(no_floor_comes_back_while_a_flip_may_have_been_forgotten),
        cmocka_unit_test(a_floor_of_no_known_release_stays_where_it_is),
        cmocka_unit_test(a_floor_that_cannot_be_recorded_is_warned_about),
        cmocka_unit_test(a_floor_comes_back_together_with_a_rejection),
        cmocka_unit_test(a_floor_comes_back_when_a_trial_is_rejected_or_taken_back),
        cmocka_unit_test(the_other_verbs_see_a_forgotten_trial_too),
        cmocka_unit_test(a_rejected_slot_is_kept_when_the_other_one_stopped_booting),
        cmocka_unit_test(a_rejected_slot_goes_on_unhealthy_when_the_other_one_stopped_booting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
