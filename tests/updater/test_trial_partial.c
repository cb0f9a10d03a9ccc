// SPDX-License-Identifier: Apache-2.0
// A trial next to a slot that is partly written, or that the journal takes for one.
#include "updater/trial.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"

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

static void a_slot_that_is_only_called_partly_written_is_fallen_back_to(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_bench_new(contracts[i]);
        trial_confirmed(t);
        trial_install_next(t);
        assert_int_equal(trial_boot(t), SLOT_A);
        // A cut between steps 3 and 4 of an install that was never run again.
        t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
        assert_ok(trial_reject(t->device, SLOT_A, "too loud", &e));
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        assert_string_equal(t->device->journal.slots[SLOT_B].release.version, "2.0");
        assert_int_equal(trial_boot(t), SLOT_B);
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
        // With one byte that differs it is partly written indeed.
        t->bench->slots[SLOT_A][0].data[1000] ^= 1;
        t->device->journal.slots[SLOT_A].content = CONTENT_PARTIAL;
        assert_fails(ERR_NOT_NOW, "slot b is the last bootable slot: slot a is only partly written",
                     trial_reject(t->device, SLOT_B, "too loud", &e));
        trial_bench_free(t);
    }
}

static void a_running_slot_is_never_partly_written(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    struct journal *j = &t->device->journal;
    for (int whole = 1; whole >= 0; whole--) {
        t->bench->slots[SLOT_B][0].data[1000] ^= whole ? 0 : 1;
        j->step = STEP_INSTALLING;
        j->slot = SLOT_B;
        j->slots[SLOT_B].content = CONTENT_PARTIAL;
        trial_correct_running(t->device);
        trial_restart(t);
        assert_int_equal(j->slots[SLOT_B].content, whole ? CONTENT_INSTALLED : CONTENT_UNKNOWN);
        assert_string_equal(j->slots[SLOT_B].release.version, whole ? "2.0" : "");
        assert_int_equal(j->step, STEP_IDLE);
    }
    t->bench->seam.tracing = true;
    trial_correct_running(t->device);
    assert_string_equal(t->bench->seam.trace, "");
    trial_bench_free(t);
}

static void a_journal_that_cannot_be_put_right_is_told(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running(CONTRACT_ORDER);
    t->device->journal.slots[SLOT_B].content = CONTENT_PARTIAL;
    t->bench->state.read_only = true;
    trial_correct_running(t->device);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_INSTALLED);
    assert_contains(trial_talk(t), "the journal still has slot b as partly written");
    trial_bench_free(t);
}

static void going_on_alone_is_one_record_and_one_store(void **state)
{
    (void)state;
    struct error e;
    for (EACH_CONTRACT(i)) {
        struct trial_bench *t = trial_running(contracts[i]);
        t->bench->seam.tracing = true;
        assert_ok(trial_go_on_alone(t->device, "too loud", &e));
        assert_int_equal(trial_stores(t), 1);
        assert_int_equal(t->bench->state.replaced, 1);
        trial_expect_order(t, "journal idle", "env ");
        assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
        assert_false(trial_is_rejected(t->device, SLOT_B)); // it was not left
        assert_int_equal(trial_boot_state(t).trial, SLOT_NONE);
        assert_false(trial_boot_state(t).slots[SLOT_A].bootable);
        t->bench->state.read_only = true;
        assert_ok(trial_go_on_alone(t->device, "too loud", &e));
        assert_contains(trial_talk(t), "that slot b is not healthy is not kept");
        trial_bench_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_that_is_only_called_partly_written_is_fallen_back_to),
        cmocka_unit_test(a_running_slot_is_never_partly_written),
        cmocka_unit_test(a_journal_that_cannot_be_put_right_is_told),
        cmocka_unit_test(going_on_alone_is_one_record_and_one_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
