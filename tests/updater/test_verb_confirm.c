// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trial_device.h"

static void confirm(struct verb_run *r, const struct file_device *d, bool json)
{
    verb_run(r, verb_confirm, (const char *[]){"-c", d->conf, json ? "--json" : NULL, NULL});
}

static void a_healthy_trial_is_kept_and_told(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("true"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Confirmed: release 2.0 in slot b is kept.\n");
    assert_contains(r.log, "check api is healthy\n");
    assert_int_equal(trial_device_boot(&d).trial, SLOT_NONE);
    assert_int_equal(trial_device_boot(&d).next, 1);
    assert_int_equal(trial_device_journal(&d).last.outcome, OUTCOME_CONFIRMED);
    assert_false(trial_device_rebooted(&d));
}

static void a_confirmation_in_json(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("true"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, true);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "{\"result\":\"confirmed\",\"slot\":\"b\",\"version\":\"2.0\"}\n");
}

static void an_unhealthy_trial_is_told_on_stderr_and_rebooted(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL,
                      TRIAL_DEVICE_CHECK("echo no camera; exit 1"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, ERR_HEALTH);
    assert_string_equal(r.out, "");
    assert_contains(r.log, "release 2.0 in slot b is not healthy: check api: no camera; "
                           "rolled back to slot a\n");
    assert_true(trial_device_rebooted(&d));
    assert_int_equal(trial_device_boot(&d).next, 0);
    assert_string_equal(trial_device_journal(&d).last.reason, "check api: no camera");
}

static void a_rejection_in_json_is_one_object(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL,
                      TRIAL_DEVICE_CHECK("echo no camera; exit 1"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, true);
    assert_int_equal(r.err, ERR_HEALTH);
    assert_string_equal(r.out, "{\"reason\":\"check api: no camera\",\"result\":\"rejected\","
                               "\"slot\":\"b\",\"version\":\"2.0\"}\n");
}

static void a_pending_trial_is_told(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Nothing to confirm yet: release 2.0 in slot b is on trial and "
                               "boots next.\n");
    assert_int_equal(trial_device_boot(&d).trial, 1);
}

static void a_pending_trial_in_json(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, true);
    assert_string_equal(r.out,
                        "{\"result\":\"trial-pending\",\"slot\":\"b\",\"version\":\"2.0\"}\n");
}

static void a_fallback_is_told_with_its_reason(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_FELL_BACK, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Rolled back from release 2.0 in slot b: slot b did not confirm "
                               "within 3 boots: the boot loader fell back.\n");
    assert_false(trial_device_rebooted(&d));
}

static void a_fallback_in_json(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_FELL_BACK, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, true);
    assert_contains(r.out, "\"reason\":\"slot b did not confirm within 3 boots");
    assert_contains(r.out, "\"result\":\"fell-back\",\"slot\":\"b\",\"version\":\"2.0\"}\n");
}

static void without_a_trial_there_is_nothing_to_confirm(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, TRIAL_DEVICE_CHECK("exit 1"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Nothing to confirm: slot a is not on trial.\n");
}

static void the_last_bootable_slot_in_json(void **state)
{
    struct error e;
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("exit 1"));
    struct journal j = trial_device_journal(&d);
    j.slots[0].content = CONTENT_PARTIAL;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    assert_ok(state_dir_open(d.state, &s, &e));
    assert_ok(journal_save(s, &j, &e));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, true);
    assert_int_equal(r.err, ERR_HEALTH);
    assert_contains(r.out, "\"result\":\"kept-unhealthy\"");
    assert_false(trial_device_rebooted(&d));
}

static void an_error_is_not_taken_for_an_outcome(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, NULL);
    env_file_damage(&d.env, 0);
    env_file_damage(&d.env, 1);
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_int_equal(r.err, ERR_IO);
    assert_string_equal(r.out, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_healthy_trial_is_kept_and_told),
        TEST(a_confirmation_in_json),
        TEST(an_unhealthy_trial_is_told_on_stderr_and_rebooted),
        TEST(a_rejection_in_json_is_one_object),
        TEST(a_pending_trial_is_told),
        TEST(a_pending_trial_in_json),
        TEST(a_fallback_is_told_with_its_reason),
        TEST(a_fallback_in_json),
        TEST(without_a_trial_there_is_nothing_to_confirm),
        TEST(the_last_bootable_slot_in_json),
        TEST(an_error_is_not_taken_for_an_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
