// SPDX-License-Identifier: Apache-2.0
#include "updater/mark.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/trial.h"

#include <stdlib.h>

static const enum contract contracts[] = {CONTRACT_ORDER, CONTRACT_BOOTCOUNT};

#define EACH_CONTRACT(i)                                                                           \
    size_t i = 0;                                                                                  \
    i < sizeof contracts / sizeof contracts[0];                                                    \
    i++

static struct trial_bench *trial_running(enum contract contract)
{
    struct trial_bench *t = trial_bench_new(contract);
    assert_int_equal(trial_boot(t), SLOT_B);
    return t;
}

// 2.0 in slot b and 3.0 in slot a, both confirmed; slot a runs.
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

static void mark(struct trial_bench *t, enum mark_word word, int slot)
{
    struct error e;
    assert_ok(mark_run(t->device, word, slot, &e));
}

static void expect_refused(struct trial_bench *t, enum mark_word word, int slot,
                           const char *sentence)
{
    struct error e;
    struct journal before = t->device->journal;
    struct journal kept;
    unsigned stores = trial_stores(t);
    assert_ok(journal_save(t->device->state, &before, &e));
    assert_fails(ERR_NOT_NOW, sentence, mark_run(t->device, word, slot, &e));
    assert_int_equal(trial_stores(t), stores);
    assert_memory_equal(&t->device->journal, &before, sizeof before);
    assert_ok(journal_load(t->device->state, &kept, &e));
    assert_int_equal(kept.slots[slot].content, before.slots[slot].content);
    assert_int_equal(kept.last.outcome, before.last.outcome);
    assert_int_equal(kept.step, before.step);
}

// --- words --------------------------------------------------------------------------------------

static void there_are_three_words(void **state)
{
    (void)state;
    struct error e;
    enum mark_word word;
    assert_ok(mark_word_parse("good", &word, &e));
    assert_int_equal(word, MARK_GOOD);
    assert_ok(mark_word_parse("bad", &word, &e));
    assert_int_equal(word, MARK_BAD);
    assert_ok(mark_word_parse("active", &word, &e));
    assert_int_equal(word, MARK_ACTIVE);
    assert_fails(ERR_USAGE, "'Good' is none of good, bad and active",
                 mark_word_parse("Good", &word, &e));
    assert_fails(ERR_USAGE, "''", mark_word_parse("", &word, &e));
}

static void a_slot_is_meant_by_name_or_by_word(void **state)
{
    (void)state;
    struct error e;
    int slot;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_ok(mark_slot_parse(t->device, MARK_GOOD, NULL, &slot, &e));
    assert_int_equal(slot, SLOT_A);
    assert_ok(mark_slot_parse(t->device, MARK_BAD, NULL, &slot, &e));
    assert_int_equal(slot, SLOT_A);
    assert_ok(mark_slot_parse(t->device, MARK_ACTIVE, NULL, &slot, &e));
    assert_int_equal(slot, SLOT_B);
    assert_ok(mark_slot_parse(t->device, MARK_GOOD, "b", &slot, &e));
    assert_int_equal(slot, SLOT_B);
    assert_fails(ERR_USAGE, "there is no slot 'c', the slots are a and b",
                 mark_slot_parse(t->device, MARK_BAD, "c", &slot, &e));
    assert_fails(ERR_USAGE, "there is no slot 'B'",
                 mark_slot_parse(t->device, MARK_BAD, "B", &slot, &e));
    trial_bench_free(t);
}

// --- good ---------------------------------------------------------------------------------------

static void good_confirms_the_running_trial_without_checks(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        trial_check(t, "exit 1");
        mark(t, MARK_GOOD, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_CONFIRMED);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void good_is_for_the_running_slot_only(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        expect_refused(t, MARK_GOOD, SLOT_B, "only the running slot a can be marked good");
        assert_int_equal(trial_boot_state(t).trial, SLOT_B);
        trial_bench_free(t);
    }
}

static void good_without_a_trial_puts_attempts_right(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    env_sim_put(&t->bench->env.sim, "BOOT_B_LEFT", "1");
    mark(t, MARK_GOOD, SLOT_B);
    assert_int_equal(trial_boot_state(t).slots[SLOT_B].attempts_left, 3);
    mark(t, MARK_GOOD, SLOT_B);
    assert_int_equal(trial_stores(t), 1);
    trial_bench_free(t);
}

static void good_leaves_a_pending_trial_of_the_other_slot(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        mark(t, MARK_GOOD, SLOT_A);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void good_records_a_confirmation_that_was_not_recorded(void **state)
{
    (void)state;
    struct error e;
    bool stored;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    assert_ok(boot_decide(&t->bench->config.boot, &t->bench->env.sim.base, DECIDE_CONFIRM, SLOT_B,
                          TRIAL_FLOOR, &stored, &e));
    mark(t, MARK_GOOD, SLOT_B);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    trial_bench_free(t);
}

static void good_does_not_undo_a_rejection(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        expect_refused(t, MARK_GOOD, SLOT_B,
                       "the running slot b was given up and slot a boots next: reboot first");
        trial_bench_free(t);
    }
}

// --- bad ----------------------------------------------------------------------------------------

static void bad_takes_the_other_slot_out(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        mark(t, MARK_BAD, SLOT_B);
        assert_false(trial_boot_state(t).slots[SLOT_B].bootable);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
        // What happened last is still told.
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_CONFIRMED);
        unsigned stores = trial_stores(t);
        unsigned replaced = t->bench->state.replaced;
        mark(t, MARK_BAD, SLOT_B);
        assert_int_equal(trial_stores(t), stores);
        assert_int_equal(t->bench->state.replaced, replaced);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void bad_ends_a_pending_trial_and_says_why(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        mark(t, MARK_BAD, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_ROLLED_BACK);
        assert_string_equal(t->device->journal.last.reason, "marked bad by the operator");
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void bad_does_not_take_the_last_slot_away_when_the_journal_is_lost(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        assert_int_equal(trial_boot(t), SLOT_B);
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        state_mem_forget(&t->bench->state, "journal");
        trial_restart(t);
        assert_fails(ERR_NOT_NOW, "slot a cannot be marked bad: it is the last bootable slot",
                     mark_run(t->device, MARK_BAD, SLOT_A, &e));
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void good_keeps_a_slot_that_went_on_alone(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_int_equal(trial_boot(t), SLOT_B);
    assert_ok(trial_go_on_alone(t->device, "too loud", &e));
    mark(t, MARK_GOOD, SLOT_B);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
    trial_bench_free(t);
}

static void bad_leaves_a_partly_written_slot_called_that(void **state)
{
    (void)state;
    struct trial_bench *t = two_releases(CONTRACT_ORDER);
    t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
    mark(t, MARK_BAD, SLOT_B);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_PARTIAL);
    trial_bench_free(t);
}

static void bad_does_not_take_away_what_a_running_trial_falls_back_to(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        expect_refused(t, MARK_BAD, SLOT_A, "the running slot b is on trial and falls back to it");
        trial_bench_free(t);
    }
}

static void bad_does_not_take_away_the_slot_that_a_rejection_left(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        expect_refused(t, MARK_BAD, SLOT_A, "it is the last bootable slot, slot b was given up");
        trial_bench_free(t);
    }
}

static void bad_rejects_a_running_trial(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        mark(t, MARK_BAD, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_string_equal(t->device->journal.last.reason, "marked bad by the operator");
        mark(t, MARK_BAD, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void bad_holds_for_a_rejected_slot_that_a_lost_environment_names_again(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    struct error e;
    assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
    env_sim_put(&t->bench->env.sim, "BOOT_ORDER", "A B");
    env_sim_put(&t->bench->env.sim, "BOOT_B_LEFT", "3");
    assert_true(trial_boot_state(t).slots[SLOT_B].bootable);
    mark(t, MARK_BAD, SLOT_B);
    assert_false(trial_boot_state(t).slots[SLOT_B].bootable);
    unsigned stores = trial_stores(t);
    mark(t, MARK_BAD, SLOT_B);
    assert_int_equal(trial_stores(t), stores);
    trial_bench_free(t);
}

static void bad_rejects_the_running_slot_when_the_other_one_is_proven(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        mark(t, MARK_BAD, SLOT_A);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->device->journal.slots[SLOT_A].content, CONTENT_REJECTED);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void bad_is_refused_for_the_last_bootable_slot(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        mark(t, MARK_BAD, SLOT_B);
        expect_refused(t, MARK_BAD, SLOT_A,
                       "slot a cannot be marked bad: it is the last bootable slot: slot b was "
                       "never confirmed, or was given up since");
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void bad_is_refused_when_a_byte_of_the_other_slot_is_wrong(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        t->bench->slots[SLOT_B][0].data[1000] ^= 1;
        expect_refused(t, MARK_BAD, SLOT_A, "slot b holds no verified release");
        trial_bench_free(t);
    }
}

static void bad_is_refused_while_a_trial_that_was_never_tried_is_all_there_is(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    expect_refused(t, MARK_BAD, SLOT_A, "slot b was never confirmed");
    trial_bench_free(t);
}

// --- active -------------------------------------------------------------------------------------

static void active_boots_the_other_slot_on_trial(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        mark(t, MARK_ACTIVE, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot_state(t).trial, SLOT_B);
        mark(t, MARK_ACTIVE, SLOT_B);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot(t), SLOT_B);
        trial_bench_free(t);
    }
}

static void active_reads_the_whole_slot_first(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = two_releases(contracts[i]);
        t->bench->slots[SLOT_B][0].data[1000] ^= 1;
        expect_refused(t, MARK_ACTIVE, SLOT_B, "slot b holds no verified release");
        trial_bench_free(t);
    }
}

static void active_does_not_trust_a_factory_slot(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    expect_refused(t, MARK_ACTIVE, SLOT_A, "slot a holds no verified release");
    trial_bench_free(t);
}

static void active_for_the_running_slot_takes_a_pending_trial_back(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        mark(t, MARK_ACTIVE, SLOT_A);
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void active_for_what_boots_next_anyway_stores_nothing(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct error e;
        struct trial_bench *t = two_releases(contracts[i]);
        mark(t, MARK_ACTIVE, SLOT_A);
        trial_bench_free(t);
        t = trial_running(contracts[i]);
        mark(t, MARK_ACTIVE, SLOT_B);
        assert_int_equal(trial_boot_state(t).trial, SLOT_B);
        assert_int_equal(trial_stores(t), 0);
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        mark(t, MARK_ACTIVE, SLOT_A);
        assert_int_equal(trial_stores(t), 1);
        trial_bench_free(t);
    }
}

static void active_does_not_undo_a_rejection(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        expect_refused(t, MARK_ACTIVE, SLOT_B, "slot b was given up");
        trial_bench_free(t);
    }
}

static void active_for_the_other_slot_waits_for_the_end_of_a_running_trial(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        expect_refused(t, MARK_ACTIVE, SLOT_A, "on trial itself");
        trial_bench_free(t);
    }
}

static void a_lost_environment_is_an_error(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    t->bench->env.sim.lost = true;
    for (int word = MARK_GOOD; word <= MARK_ACTIVE; word++) {
        assert_fails(ERR_IO, "both copies", mark_run(t->device, (enum mark_word)word, SLOT_A, &e));
    }
    assert_int_equal(trial_stores(t), 0);
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_three_words),
        cmocka_unit_test(a_slot_is_meant_by_name_or_by_word),
        cmocka_unit_test(good_confirms_the_running_trial_without_checks),
        cmocka_unit_test(good_is_for_the_running_slot_only),
        cmocka_unit_test(good_without_a_trial_puts_attempts_right),
        cmocka_unit_test(good_leaves_a_pending_trial_of_the_other_slot),
        cmocka_unit_test(good_records_a_confirmation_that_was_not_recorded),
        cmocka_unit_test(good_does_not_undo_a_rejection),
        cmocka_unit_test(bad_takes_the_other_slot_out),
        cmocka_unit_test(bad_ends_a_pending_trial_and_says_why),
        cmocka_unit_test(bad_does_not_take_the_last_slot_away_when_the_journal_is_lost),
        cmocka_unit_test(good_keeps_a_slot_that_went_on_alone),
        cmocka_unit_test(bad_leaves_a_partly_written_slot_called_that),
        cmocka_unit_test(bad_does_not_take_away_what_a_running_trial_falls_back_to),
        cmocka_unit_test(bad_does_not_take_away_the_slot_that_a_rejection_left),
        cmocka_unit_test(bad_rejects_a_running_trial),
        cmocka_unit_test(bad_holds_for_a_rejected_slot_that_a_lost_environment_names_again),
        cmocka_unit_test(bad_rejects_the_running_slot_when_the_other_one_is_proven),
        cmocka_unit_test(bad_is_refused_for_the_last_bootable_slot),
        cmocka_unit_test(bad_is_refused_when_a_byte_of_the_other_slot_is_wrong),
        cmocka_unit_test(bad_is_refused_while_a_trial_that_was_never_tried_is_all_there_is),
        cmocka_unit_test(active_boots_the_other_slot_on_trial),
        cmocka_unit_test(active_reads_the_whole_slot_first),
        cmocka_unit_test(active_does_not_trust_a_factory_slot),
        cmocka_unit_test(active_for_the_running_slot_takes_a_pending_trial_back),
        cmocka_unit_test(active_for_what_boots_next_anyway_stores_nothing),
        cmocka_unit_test(active_does_not_undo_a_rejection),
        cmocka_unit_test(active_for_the_other_slot_waits_for_the_end_of_a_running_trial),
        cmocka_unit_test(a_lost_environment_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
