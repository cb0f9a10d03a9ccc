// SPDX-License-Identifier: Apache-2.0
// An offer whose release somebody has installed and activated already, and only the reboot is left.
#include "updater/agent/offer_run.h"

#include "tests/support/offer_scene.h"
#include "updater/trial.h"

// As the agent accepts it: what `check` answers names the release.
static void accept_by_name(struct scene *s)
{
    struct error e;
    const struct release_id release = s->device->journal.slots[SLOT_B].release;
    assert_string_equal(release.version, "2.0");
    assert_ok(offer_accept(&s->run, &first, &release, &e));
}

// One report, which the source acknowledges; then nothing is left of the offer.
static void report(struct scene *s)
{
    struct offer_todo todo;
    begin(s, OFFER_STEP_REPORT);
    end(s, OFFER_STEP_REPORT, &went_well);
    begin(s, OFFER_STEP_FORGET);
    assert_int_equal(next(s, &todo), OFFER_STEP_NOTHING);
}

static void to_the_reboot(struct scene *s)
{
    accept_by_name(s);
    expect_phase(s, OFFER_ACCEPTED);
    begin(s, OFFER_STEP_REBOOT);
    expect_phase(s, OFFER_REBOOTING);
    assert_false(stored(s).lost);
    assert_int_equal(stored(s).target, SLOT_B);
}

static void what_somebody_has_flipped_is_a_success_once_it_is_confirmed(void **state)
{
    struct scene *s = *state;
    struct offer_todo todo;
    trial_check(s->trial, "true");
    to_the_reboot(s);
    reboot(s, SLOT_B);
    assert_false(s->run.record.lost);
    assert_int_equal(next(s, &todo), OFFER_STEP_WAIT_VERDICT);
    confirm(s, OK);
    begin(s, OFFER_STEP_DECIDE);
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_SUCCESS);
    assert_string_equal(r.reason, "");
    report(s);
}

static void what_somebody_has_flipped_is_a_failure_once_it_is_rolled_back(void **state)
{
    struct scene *s = *state;
    trial_check(s->trial, "echo no frame; false");
    to_the_reboot(s);
    reboot(s, SLOT_B);
    confirm(s, ERR_HEALTH);
    reboot(s, SLOT_A);
    begin(s, OFFER_STEP_DECIDE);
    struct offer_record r = stored(s);
    assert_int_equal(r.outcome, OFFER_FAILURE);
    assert_int_equal(r.target, SLOT_B); // what is denied is looked up there
    assert_string_equal(r.reason, s->device->journal.last.reason);
    assert_contains(r.failed_checks, ": no frame");
    report(s);
}

// In the agent that ordered the reboot, and in the next one.
static void what_is_taken_back_before_the_reboot_is_a_failure_that_says_so(void **state)
{
    struct scene *s = *state;
    struct error e;
    struct offer_todo todo;
    to_the_reboot(s);
    struct boot_state boot = trial_boot_state(s->trial);
    assert_ok(trial_take_back(s->device, &boot, &e));
    assert_int_equal(next(s, &todo), OFFER_STEP_DECIDE);
    reboot(s, SLOT_A);
    begin(s, OFFER_STEP_DECIDE);
    assert_int_equal(stored(s).outcome, OFFER_FAILURE);
    assert_contains(stored(s).reason, "taken back by the operator");
    report(s);
}

static void a_step_that_needs_a_slot_is_not_begun_without_one(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct offer_todo todo = {.step = OFFER_STEP_REBOOT, .target = SLOT_NONE};
    accept_by_name(s);
    assert_fails(ERR_INTERNAL, "'rebooting' without a slot", offer_begin(&s->run, &todo, &e));
    expect_phase(s, OFFER_ACCEPTED);
}

#define offer_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        offer_test(what_somebody_has_flipped_is_a_success_once_it_is_confirmed),
        offer_test(what_somebody_has_flipped_is_a_failure_once_it_is_rolled_back),
        offer_test(what_is_taken_back_before_the_reboot_is_a_failure_that_says_so),
        offer_test(a_step_that_needs_a_slot_is_not_begun_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
