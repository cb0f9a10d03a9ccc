// SPDX-License-Identifier: Apache-2.0
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trial_device.h"

static const char two_checks[] = "[check one]\nkind=exec\ncommand=echo fine\n"
                                 "[check two]\nkind=exec\ncommand=echo broken; exit 3\n";

static void health(struct verb_run *r, const struct file_device *d, bool json)
{
    verb_run(r, verb_health, (const char *[]){"-c", d->conf, json ? "--json" : NULL, NULL});
}

static void a_table_is_printed_and_an_unhealthy_check_is_exit_10(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, two_checks);
    CLEANUP(verb_run_clear) struct verb_run r;
    health(&r, &d, false);
    assert_int_equal(r.err, ERR_HEALTH);
    assert_contains(r.out, "one    exec      required  healthy        1  fine\n");
    assert_contains(r.out, "two    exec      required  unhealthy      1  broken\n");
    assert_contains(r.log, ": not healthy: check two: broken\n");
}

static void it_changes_nothing(void **state)
{
    struct file_device d;
    uint8_t before[ENV_FILE_SIZE];
    uint8_t after[ENV_FILE_SIZE];
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, two_checks);
    struct journal old = trial_device_journal(&d);
    CLEANUP(verb_run_clear) struct verb_run r;
    for (int copy = 0; copy < 2; copy++) {
        env_file_read_copy(&d.env, copy, before);
        if (copy == 0) {
            health(&r, &d, false);
        }
        env_file_read_copy(&d.env, copy, after);
        assert_memory_equal(before, after, sizeof before);
    }
    struct journal now = trial_device_journal(&d);
    assert_memory_equal(&old, &now, sizeof old);
    assert_false(trial_device_rebooted(&d));
}

static void all_healthy_is_exit_0(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, TRIAL_DEVICE_CHECK("true"));
    CLEANUP(verb_run_clear) struct verb_run r;
    health(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.log, "");
}

static void json_is_one_object_also_when_it_is_an_error(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, two_checks);
    CLEANUP(verb_run_clear) struct verb_run r;
    health(&r, &d, true);
    assert_int_equal(r.err, ERR_HEALTH);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_string_equal(json_string_value(json_object_get(root, "result")), "bad");
    assert_int_equal(json_array_size(json_object_get(root, "checks")), 2);
}

static void without_checks_it_says_so(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, NULL);
    CLEANUP(verb_run_clear) struct verb_run r;
    health(&r, &d, false);
    assert_int_equal(r.err, OK);
    assert_string_equal(r.out, "no health checks are configured\n");
}

static void a_device_that_cannot_be_opened_is_its_own_error(void **state)
{
    struct file_device d;
    trial_device_make(&d, *state, SCENE_SETTLED, "[check one]\nkind=none\n");
    CLEANUP(verb_run_clear) struct verb_run r;
    health(&r, &d, true);
    assert_int_equal(r.err, ERR_CONFIG);
    CLEANUP(cleanup_json) json_t *root = verb_run_json(&r);
    assert_non_null(json_object_get(root, "error"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_table_is_printed_and_an_unhealthy_check_is_exit_10),
        TEST(it_changes_nothing),
        TEST(all_healthy_is_exit_0),
        TEST(json_is_one_object_also_when_it_is_an_error),
        TEST(without_checks_it_says_so),
        TEST(a_device_that_cannot_be_opened_is_its_own_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
