// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trial_device.h"

static void mark(struct verb_run *r, const struct file_device *d, const char *word,
                 const char *slot, const char *option)
{
    const char *argv[6] = {"-c", d->conf, word};
    size_t n = 3;
    if (slot != NULL) {
        argv[n++] = slot;
    }
    argv[n] = option;
    verb_run(r, verb_mark, argv);
}

static void good_is_told(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("exit 1"));
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "good", NULL, NULL);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Marked: release 2.0 in slot b is good and is kept.\n");
    assert_int_equal(trial_device_boot(&d).trial, SLOT_NONE);
    assert_int_equal(trial_device_boot(&d).next, 1);
}

static void bad_of_the_other_slot_is_told(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "bad", "b", NULL);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out,
                        "Marked: release 2.0 in slot b is bad and does not boot any more.\n");
    assert_int_equal(trial_device_boot(&d).next, 0);
}

static void bad_of_the_running_slot_wants_a_reboot_and_does_none(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "bad", NULL, NULL);
    assert_string_equal(r.out, "Marked: release 2.0 in slot b is bad; reboot to run the other "
                               "slot.\n");
    assert_false(trial_device_rebooted(&d));
}

static void active_is_told_in_json(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "active", "a", "--json");
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "{\"result\":\"active\",\"slot\":\"a\"}\n");
    assert_int_equal(trial_device_boot(&d).trial, SLOT_NONE);
}

static void active_is_the_other_slot_when_none_is_named(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "active", NULL, NULL);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "Marked: release 2.0 in slot b boots next.\n");
}

static void an_unknown_word_is_a_usage_error(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "ugly", NULL, NULL);
    assert_int_equal(r.err, ERR_USAGE);
    assert_contains(r.log, ": mark: 'ugly' is none of good, bad and active\n");
    assert_string_equal(r.out, "");
}

static void an_unknown_slot_is_a_usage_error(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "bad", "c", NULL);
    assert_int_equal(r.err, ERR_USAGE);
    assert_contains(r.log, "there is no slot 'c'");
    assert_int_equal(trial_device_boot(&d).trial, 1);
}

static void a_refusal_is_told_and_nothing_is_said_to_be_done(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_PENDING_TRIAL, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    mark(&r, &d, "good", "b", NULL);
    assert_int_equal(r.err, ERR_NOT_NOW);
    assert_contains(r.log, ": only the running slot a can be marked good\n");
    assert_string_equal(r.out, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_is_told),
        TEST(bad_of_the_other_slot_is_told),
        TEST(bad_of_the_running_slot_wants_a_reboot_and_does_none),
        TEST(active_is_told_in_json),
        TEST(active_is_the_other_slot_when_none_is_named),
        TEST(an_unknown_word_is_a_usage_error),
        TEST(an_unknown_slot_is_a_usage_error),
        TEST(a_refusal_is_told_and_nothing_is_said_to_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
