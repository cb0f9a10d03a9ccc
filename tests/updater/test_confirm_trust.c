// SPDX-License-Identifier: Apache-2.0
// A release whose trust directory cannot be used: the device gets rid of it, or keeps it, and
// believes no image until the directory is right again.
#include "updater/confirm.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/activate.h"
#include "updater/mark.h"
#include "updater/rollback.h"

static int make(void **state)
{
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_check(t, "true");
    assert_int_equal(trial_boot(t), SLOT_B);
    trust_store_free(t->device->trust);
    t->device->trust = NULL;
    t->bench->config.trust_roots = "/dev/null/trust";
    *state = t;
    return 0;
}

static int clear(void **state)
{
    trial_bench_free(*state);
    return 0;
}

static void expect_rejected(struct trial_bench *t)
{
    struct boot_state boot = trial_boot_state(t);
    assert_int_equal(boot.next, SLOT_A);
    assert_int_equal(boot.trial, SLOT_NONE);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_REJECTED);
    assert_string_equal(t->device->journal.last.release.version, "2.0");
}

static void a_healthy_trial_is_kept_and_raises_no_floor(void **state)
{
    struct trial_bench *t = *state;
    struct error e;
    enum confirm_outcome outcome;
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
    struct boot_state boot = trial_boot_state(t);
    assert_int_equal(boot.next, SLOT_B);
    assert_int_equal(boot.trial, SLOT_NONE);
    assert_int_equal(boot.floor, 0);
    assert_int_equal(t->device->journal.floor, 0);
    assert_int_equal(t->device->journal.slots[SLOT_B].content, CONTENT_CONFIRMED);
    assert_contains(trial_talk(t), "/dev/null/trust");
    assert_contains(trial_talk(t), "the release floor is not raised");
}

static void an_unhealthy_trial_is_rejected(void **state)
{
    struct trial_bench *t = *state;
    struct error e;
    enum confirm_outcome outcome;
    trial_check(t, "false");
    assert_fails(ERR_HEALTH, "release 2.0 in slot b is not healthy",
                 confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_REJECTED);
    assert_int_equal(t->bench->reboots, 1);
    expect_rejected(t);
}

static void a_running_trial_is_rolled_back(void **state)
{
    struct trial_bench *t = *state;
    struct error e;
    enum rollback_outcome outcome;
    assert_ok(rollback_run(t->device, &outcome, &e));
    assert_int_equal(outcome, ROLLBACK_REJECTED);
    expect_rejected(t);
}

static void a_running_trial_is_marked_bad(void **state)
{
    struct trial_bench *t = *state;
    struct error e;
    assert_ok(mark_run(t->device, MARK_BAD, SLOT_B, &e));
    expect_rejected(t);
}

static void nothing_is_verified_without_it(void **state)
{
    struct trial_bench *t = *state;
    struct error e;
    struct release_id release;
    assert_fails(ERR_CONFIG, "/dev/null/trust",
                 activate_verify_slot(t->device, SLOT_B, &release, &e));
}

#define trust_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        trust_test(a_healthy_trial_is_kept_and_raises_no_floor),
        trust_test(an_unhealthy_trial_is_rejected),
        trust_test(a_running_trial_is_rolled_back),
        trust_test(a_running_trial_is_marked_bad),
        trust_test(nothing_is_verified_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
