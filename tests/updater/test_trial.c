// SPDX-License-Identifier: Apache-2.0
#include "updater/trial.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/slot_record.h"

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

// --- what a slot holds --------------------------------------------------------------------------

static void a_release_is_known_from_the_journal_or_the_record(void **state)
{
    (void)state;
    char text[TRIAL_TEXT_SIZE];
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_string_equal(trial_release(t->device, SLOT_B).version, "2.0");
    t->device->journal.slots[SLOT_B].release = (struct release_id){0};
    assert_int_equal(trial_release(t->device, SLOT_B).release_index, 2);
    assert_string_equal(trial_text(t->device, SLOT_B, text), "release 2.0 in slot b");
    state_mem_forget(&t->bench->state, "slot-b");
    assert_int_equal(trial_release(t->device, SLOT_B).release_index, 0);
    assert_string_equal(trial_text(t->device, SLOT_B, text), "slot b");
    trial_bench_free(t);
}

static void a_partly_written_slot_holds_no_release(void **state)
{
    (void)state;
    char text[TRIAL_TEXT_SIZE];
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
    assert_string_equal(trial_text(t->device, SLOT_B, text), "slot b");
    // Of an unknown one the record tells, and nothing else.
    t->device->journal.slots[SLOT_B].content = CONTENT_UNKNOWN;
    snprintf(t->device->journal.slots[SLOT_B].release.version, NAME_MAX_LEN, "9.9");
    assert_string_equal(trial_text(t->device, SLOT_B, text), "release 2.0 in slot b");
    trial_bench_free(t);
}

static void a_trial_waits_whatever_attempts_are_configured_now(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        struct boot_state boot = trial_boot_state(t);
        t->bench->config.boot.attempts = 5;
        assert_true(trial_is_pending(t->device, &boot));
        assert_int_equal(trial_attempts(t->device, &boot), 3);
        t->bench->config.boot.attempts = 2;
        assert_true(trial_is_pending(t->device, &boot));
        (void)trial_boot(t);
        boot = trial_boot_state(t);
        assert_false(trial_is_pending(t->device, &boot)); // two of three are left
        // Without a journal there is only the configuration.
        t->device->journal.attempts = 0;
        assert_int_equal(trial_attempts(t->device, &boot), 2);
        trial_bench_free(t);
    }
}

static void a_trial_is_pending_until_its_first_boot(void **state)
{
    (void)state;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        struct boot_state boot = trial_boot_state(t);
        assert_true(trial_is_pending(t->device, &boot));
        (void)trial_boot(t);
        boot = trial_boot_state(t);
        assert_false(trial_is_pending(t->device, &boot));
        trial_bench_free(t);
    }
}

static void without_a_trial_nothing_is_pending(void **state)
{
    (void)state;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    struct boot_state boot = trial_boot_state(t);
    assert_false(trial_is_pending(t->device, &boot));
    trial_bench_free(t);
}

// --- keep ---------------------------------------------------------------------------------------

static void keeping_is_one_store_and_one_record(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        t->bench->seam.tracing = true;
        assert_ok(trial_keep(t->device, &e));
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->bench->state.replaced, 1);
        // The environment first.
        trial_expect_order(t, "env ", "journal idle");
        struct boot_state boot = trial_boot_state(t);
        assert_int_equal(boot.next, SLOT_B);
        assert_int_equal(boot.trial, SLOT_NONE);
        const struct journal *j = &t->device->journal;
        assert_int_equal(j->step, STEP_IDLE);
        assert_int_equal(j->slot, SLOT_NONE);
        assert_int_equal(j->slots[SLOT_B].content, CONTENT_CONFIRMED);
        assert_string_equal(j->slots[SLOT_B].release.version, "2.0");
        assert_int_equal(j->last.outcome, OUTCOME_CONFIRMED);
        assert_int_equal(j->last.slot, SLOT_B);
        assert_string_equal(j->last.release.version, "2.0");
        trial_bench_free(t);
    }
}

static void keeping_raises_both_floors_and_the_time(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
    assert_int_equal(t->device->journal.floor, TRIAL_FLOOR);
    assert_int_equal(t->device->journal.time_floor_s, TRIAL_CREATED_S);
    trial_bench_free(t);
}

static void no_floor_is_ever_lowered(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    env_sim_put(&t->bench->env.sim, "vv_floor", "7");
    t->device->journal.floor = 8;
    t->device->journal.time_floor_s = TRIAL_CREATED_S + 1;
    assert_ok(trial_keep(t->device, &e));
    // The floor in force goes into both copies.
    assert_int_equal(trial_boot_state(t).floor, 8);
    assert_int_equal(t->device->journal.floor, 8);
    assert_int_equal(t->device->journal.time_floor_s, TRIAL_CREATED_S + 1);
    trial_bench_free(t);
}

static void the_newest_release_ever_confirmed_is_remembered(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(t->device->journal.confirmed_max, 2);
    t->device->journal.confirmed_max = 10;
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(t->device->journal.confirmed_max, 10);
    trial_bench_free(t);
}

static void a_floor_from_before_a_lost_journal_stays_in_force(void **state)
{
    (void)state;
    struct error e;
    uint64_t newest = 0;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    env_sim_put(&t->bench->env.sim, "vv_floor", "7");
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(trial_boot_state(t).floor, 7);
    assert_int_equal(t->device->journal.floor, 7);
    assert_true(journal_newest_confirmed(&t->device->journal, SLOT_B, &newest));
    assert_int_equal(newest, 7); // else 7 would look damaged from now on
    trial_bench_free(t);
}

static void a_damaged_floor_is_not_taken_over(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    t->device->journal.confirmed_max = 2;
    env_sim_put(&t->bench->env.sim, "vv_floor", "70");
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(t->device->journal.floor, TRIAL_FLOOR);
    assert_int_equal(t->device->journal.confirmed_max, 2);
    trial_bench_free(t);
}

static void a_factory_slot_that_is_kept_stays_a_factory_slot(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        t->device->running = SLOT_A;
        assert_ok(trial_keep(t->device, &e));
        assert_int_equal(t->device->journal.slots[SLOT_A].content, CONTENT_UNKNOWN);
        assert_int_equal(t->device->journal.confirmed_max, 0);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_CONFIRMED);
        assert_int_equal(t->device->journal.last.slot, SLOT_A);
        assert_int_equal(trial_boot_state(t).next, SLOT_A);
        trial_bench_free(t);
    }
}

static void a_certificate_that_ended_meanwhile_does_not_matter(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    t->device->journal.time_floor_s = 4000000000; // long after the end of the signer's
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(trial_boot_state(t).floor, TRIAL_FLOOR);
    assert_string_equal(trial_talk(t), "");
    trial_bench_free(t);
}

// A record as no install would leave it: created after the end of the certificate that signed it.
static void put_record_created(struct trial_bench *t, uint64_t created_s)
{
    struct error e;
    struct image *image = NULL;
    struct image_recipe r = bench_recipe("2.0", 2);
    r.manifest.created = created_s;
    image_recipe_add(&r, "rootfs", t->content, sizeof t->content);
    bench_serve(t->bench, &r);
    assert_ok(image_open_prefix(t->bench->image.bytes, t->bench->image.len, &accept_all_verifier,
                                t->device->hasher, &image, &e));
    assert_ok(slot_record_save(t->device->state, "b", image, &e));
    image_free(image);
}

static void the_time_floor_never_passes_the_end_of_the_signers_certificate(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    put_record_created(t, 4000000000);
    assert_ok(trial_keep(t->device, &e));
    // 2046-01-01, see tests/support/test_certs.h.
    assert_int_equal(t->device->journal.time_floor_s, 2398377600);
    trial_bench_free(t);
}

static void expect_kept_without_floor(struct trial_bench *t, const char *warning)
{
    struct error e;
    assert_ok(trial_keep(t->device, &e));
    assert_int_equal(trial_boot_state(t).next, SLOT_B);
    assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
    assert_int_equal(trial_boot_state(t).floor, 0);
    assert_int_equal(t->device->journal.floor, 0);
    assert_int_equal(t->device->journal.time_floor_s, 0);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    assert_contains(trial_talk(t), warning);
    assert_contains(trial_talk(t), "the release floor is not raised");
    trial_bench_free(t);
}

static void a_lost_record_costs_the_floor_and_not_the_system(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    state_mem_forget(&t->bench->state, "slot-b");
    expect_kept_without_floor(t, "warning: slot b holds no verified release");
}

static void a_record_that_does_not_verify_costs_the_floor_and_not_the_system(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    state_mem_spoil(&t->bench->state, "slot-b");
    expect_kept_without_floor(t, "warning: slot b: its stored record");
}

// --- reject -------------------------------------------------------------------------------------

static void rejecting_is_one_record_and_one_store(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        t->bench->seam.tracing = true;
        assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->bench->state.replaced, 1);
        // The journal first.
        trial_expect_order(t, "journal idle", "env ");
        struct boot_state boot = trial_boot_state(t);
        assert_int_equal(boot.next, SLOT_A);
        assert_int_equal(boot.trial, SLOT_NONE);
        assert_false(boot.slots[SLOT_B].bootable);
        const struct journal *j = &t->device->journal;
        assert_int_equal(j->step, STEP_IDLE);
        assert_int_equal(j->slots[SLOT_B].content, CONTENT_REJECTED);
        assert_int_equal(j->last.outcome, OUTCOME_ROLLED_BACK);
        assert_int_equal(j->last.slot, SLOT_B);
        assert_string_equal(j->last.release.version, "2.0");
        assert_string_equal(j->last.reason, "too loud");
        assert_true(trial_is_rejected(t->device, SLOT_B));
        assert_false(trial_is_rejected(t->device, SLOT_A));
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void the_first_reason_stays(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
    assert_ok(trial_reject(t->device, SLOT_B, "gave up", &e));
    assert_string_equal(t->device->journal.last.reason, "too loud");
    assert_int_equal(trial_stores(t), 1);
    trial_bench_free(t);
}

// The boot loader's older copy of the environment had it on trial.
static void a_partly_written_slot_that_is_rejected_stays_partly_written(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
    assert_ok(trial_reject(t->device, SLOT_B, "it did not start", &e));
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_PARTIAL);
    assert_int_equal(t->device->journal.last.outcome, OUTCOME_ROLLED_BACK);
    assert_false(trial_boot_state(t).slots[SLOT_B].bootable);
    trial_bench_free(t);
}

static void a_journal_that_cannot_be_written_does_not_keep_a_bad_system(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    t->bench->state.read_only = true;
    assert_ok(trial_reject(t->device, SLOT_B, "too loud", &e));
    assert_int_equal(trial_boot_state(t).next, SLOT_A);
    assert_contains(trial_talk(t), "warning: ");
    assert_contains(trial_talk(t), "why slot b is given up is not kept");
    trial_bench_free(t);
}

static void the_last_bootable_slot_is_not_rejected(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        struct journal before;
        t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
        before = t->device->journal;
        assert_fails(ERR_NOT_NOW, "slot b is the last bootable slot: slot a is only partly written",
                     trial_reject(t->device, SLOT_B, "too loud", &e));
        assert_int_equal(trial_stores(t), 0);
        assert_int_equal(t->bench->state.replaced, 0);
        assert_memory_equal(&t->device->journal, &before, sizeof before);
        trial_bench_free(t);
    }
}

// --- take back ----------------------------------------------------------------------------------

static void a_trial_taken_back_before_its_first_boot_is_not_bad(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        struct boot_state boot = trial_boot_state(t);
        assert_ok(trial_take_back(t->device, &boot, &e));
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        assert_int_equal(t->device->journal.step, STEP_IDLE);
        assert_int_equal(t->device->journal.last.outcome, OUTCOME_ROLLED_BACK);
        assert_contains(t->device->journal.last.reason, "taken back by the operator");
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void
a_release_that_worked_before_is_fallen_back_to_after_its_trial_is_taken_back(void **state)
{
    (void)state;
    struct error e;
    static const enum slot_content worked[] = {CONTENT_CONFIRMED, CONTENT_UNKNOWN};
    for (EACH_CONTRACT(i)) {
        for (size_t c = 0; c < 2; c++) {
            struct trial_bench *t = trial_bench_new(contracts[i]);
            t->device->journal.slots[SLOT_B].content = worked[c];
            struct boot_state boot = trial_boot_state(t);
            assert_ok(trial_take_back(t->device, &boot, &e));
            assert_int_equal(trial_stores(t), 1);
            boot = trial_boot_state(t);
            assert_int_equal(boot.trial, SLOT_NONE);
            assert_int_equal(boot.next, SLOT_A);
            // The other contract names one slot only, and keeps no list to be in.
            assert_int_equal(boot.slots[SLOT_B].bootable, contracts[i] == CONTRACT_ORDER);
            assert_int_equal(t->device->journal.slots[SLOT_B].content, worked[c]);
            assert_int_equal(trial_boot(t), SLOT_A);
            trial_bench_free(t);
        }
    }
}

static void a_trial_taken_back_after_it_failed_to_start_is_bad(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        (void)trial_boot(t);
        t->device->running = SLOT_A; // it did not come up
        struct boot_state boot = trial_boot_state(t);
        assert_ok(trial_take_back(t->device, &boot, &e));
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
        assert_int_equal(trial_boot(t), SLOT_A);
        trial_bench_free(t);
    }
}

static void an_end_without_a_record_is_seen_in_the_journal(void **state)
{
    (void)state;
    struct error e;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_false(trial_end_is_unrecorded(t->device)); // slot a runs
    (void)trial_boot(t);
    assert_true(trial_end_is_unrecorded(t->device));
    t->device->journal.step = STEP_ACTIVATING;
    assert_true(trial_end_is_unrecorded(t->device));
    assert_ok(trial_keep(t->device, &e));
    assert_false(trial_end_is_unrecorded(t->device));
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_known_from_the_journal_or_the_record),
        cmocka_unit_test(a_trial_is_pending_until_its_first_boot),
        cmocka_unit_test(without_a_trial_nothing_is_pending),
        cmocka_unit_test(keeping_is_one_store_and_one_record),
        cmocka_unit_test(keeping_raises_both_floors_and_the_time),
        cmocka_unit_test(no_floor_is_ever_lowered),
        cmocka_unit_test(a_certificate_that_ended_meanwhile_does_not_matter),
        cmocka_unit_test(the_time_floor_never_passes_the_end_of_the_signers_certificate),
        cmocka_unit_test(a_lost_record_costs_the_floor_and_not_the_system),
        cmocka_unit_test(a_record_that_does_not_verify_costs_the_floor_and_not_the_system),
        cmocka_unit_test(rejecting_is_one_record_and_one_store),
        cmocka_unit_test(the_first_reason_stays),
        cmocka_unit_test(a_partly_written_slot_that_is_rejected_stays_partly_written),
        cmocka_unit_test(a_journal_that_cannot_be_written_does_not_keep_a_bad_system),
        cmocka_unit_test(the_last_bootable_slot_is_not_rejected),
        cmocka_unit_test(a_trial_taken_back_before_its_first_boot_is_not_bad),
        cmocka_unit_test(
            a_release_that_worked_before_is_fallen_back_to_after_its_trial_is_taken_back),
        cmocka_unit_test(a_trial_taken_back_after_it_failed_to_start_is_bad),
        cmocka_unit_test(an_end_without_a_record_is_seen_in_the_journal),
        cmocka_unit_test(a_partly_written_slot_holds_no_release),
        cmocka_unit_test(a_trial_waits_whatever_attempts_are_configured_now),
        cmocka_unit_test(the_newest_release_ever_confirmed_is_remembered),
        cmocka_unit_test(a_floor_from_before_a_lost_journal_stays_in_force),
        cmocka_unit_test(a_damaged_floor_is_not_taken_over),
        cmocka_unit_test(a_factory_slot_that_is_kept_stays_a_factory_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
