// SPDX-License-Identifier: Apache-2.0
#include "tests/support/notify_socket.h"
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

// --- who watches over it ------------------------------------------------------------------------

// A file stands for the watchdog's device; what it was told in the end.
static const char *watched(struct file_device *d, const char *dir, enum trial_scene scene,
                           const char *extra, char buf[64])
{
    char path[512];
    char text[600];
    trial_device_make(d, dir, scene, extra);
    snprintf(text, sizeof text, "[device]\nwatchdog=%s/wd\n", dir);
    file_device_write(dir, "update.conf.d/watchdog.conf", text);
    file_device_write(dir, "wd", "");
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, d, false);
    FILE *in = fopen(temp_dir_path(path, sizeof path, dir, "wd"), "re");
    assert_non_null(in);
    size_t len = fread(buf, 1, 63, in);
    assert_int_equal(fclose(in), 0);
    for (size_t i = 0; i < len; i++) {
        buf[i] = buf[i] == '\0' ? '.' : buf[i];
    }
    buf[len] = '\0';
    return buf;
}

static void a_watchdog_is_fed_in_a_trial_and_stopped_when_it_is_kept(void **state)
{
    struct file_device d;
    char buf[64];
    assert_string_equal(watched(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("true"), buf),
                        ".V");
}

static void it_is_not_stopped_when_the_trial_is_given_up(void **state)
{
    struct file_device d;
    char buf[64];
    assert_string_equal(watched(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("exit 1"), buf),
                        ".");
    assert_true(trial_device_rebooted(&d));
}

static void without_a_trial_no_watchdog_is_touched(void **state)
{
    struct file_device d;
    char buf[64];
    assert_string_equal(watched(&d, *state, SCENE_SETTLED, TRIAL_DEVICE_CHECK("true"), buf), "");
}

static void systemd_is_told_that_it_goes_on_and_what_it_waits_for(void **state)
{
    struct file_device d;
    char path[512];
    char said[1024];
    int fd = notify_socket_open(temp_dir_path(path, sizeof path, *state, "notify"));
    setenv("WATCHDOG_USEC", "60000000", 1);
    trial_device_make(&d, *state, SCENE_RUNNING_TRIAL, TRIAL_DEVICE_CHECK("true"));
    CLEANUP(verb_run_clear) struct verb_run r;
    confirm(&r, &d, false);
    assert_string_equal(notify_socket_read(fd, said), "READY=1");
    assert_string_equal(notify_socket_read(fd, said), "WATCHDOG=1");
    assert_contains(notify_socket_read(fd, said), "STATUS=Waiting for the health checks, ");
    assert_contains(said, ": api is starting.");
    notify_socket_close(fd);
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
        TEST(a_watchdog_is_fed_in_a_trial_and_stopped_when_it_is_kept),
        TEST(it_is_not_stopped_when_the_trial_is_given_up),
        TEST(without_a_trial_no_watchdog_is_touched),
        TEST(systemd_is_told_that_it_goes_on_and_what_it_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
