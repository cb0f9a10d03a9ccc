// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trial_device.h"

static void roll_back(struct verb_run *r, const struct file_device *d, const char *option)
{
    verb_run(r, verb_rollback, (const char *[]){"-c", d->conf, option, NULL});
}

static void a_running_trial_is_left_at_the_next_boot(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, NULL);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Rolled back from release 2.0 in slot b: slot a boots next. Reboot "
                               "to run it.\n");
    assert_int_equal(trial_device_boot(&d).next, 0);
    assert_false(trial_device_rebooted(&d));
}

static void with_reboot_it_is_left_at_once(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, "--reboot");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Rolled back from release 2.0 in slot b: slot a boots next.\n");
    assert_true(trial_device_rebooted(&d));
}

static void a_second_time_there_is_nothing_to_do_but_the_reboot(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run first;
    CLEANUP(verb_run_clear) struct verb_run second;
    roll_back(&first, &d, NULL);
    roll_back(&second, &d, "--reboot");
    assert_string_equal(second.out, "Nothing to do: release 2.0 in slot b was given up before, "
                                    "slot a boots next.\n");
    assert_true(trial_device_rebooted(&d));
}

static void a_pending_trial_is_taken_back_without_a_reboot(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, "--reboot");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Taken back: release 2.0 in slot b is not on trial any more, the "
                               "running slot a boots next.\n");
    assert_int_equal(trial_device_boot(&d).trial, SLOT_NONE);
    assert_false(trial_device_rebooted(&d));
}

static void a_rollback_in_json(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, "--json");
    assert_string_equal(r.out, "{\"result\":\"taken-back\",\"slot\":\"b\",\"version\":\"2.0\"}\n");
}

static void a_factory_slot_is_gone_back_to_on_trial(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, NULL);
    file_device_run(&d, "b"); // nothing was ever written to slot a
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, NULL);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Rolling back: slot a boots next, on trial. Reboot to run it.\n");
    assert_int_equal(trial_device_boot(&d).trial, 0);
}

static void where_nothing_verified_is_nothing_is_done_and_nothing_rebooted(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    roll_back(&r, &d, "--reboot"); // slot b was written, and its record is lost
    assert_int_equal(r.err, ERR_NOT_NOW);
    assert_string_equal(r.out, "");
    assert_contains(r.log, "slot b holds no verified release");
    assert_int_equal(trial_device_boot(&d).next, 0);
    assert_false(trial_device_rebooted(&d));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_running_trial_is_left_at_the_next_boot),
        TEST(with_reboot_it_is_left_at_once),
        TEST(a_second_time_there_is_nothing_to_do_but_the_reboot),
        TEST(a_pending_trial_is_taken_back_without_a_reboot),
        TEST(a_rollback_in_json),
        TEST(a_factory_slot_is_gone_back_to_on_trial),
        TEST(where_nothing_verified_is_nothing_is_done_and_nothing_rebooted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
