// SPDX-License-Identifier: Apache-2.0
#include "updater/baseline.h"

#include "tests/support/checks.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "tests/support/trial_bench.h"
#include "updater/confirm.h"
#include "updater/trial.h"

// 2.0 in slot b is confirmed and runs, with one check.
static struct trial_bench *confirmed_with(const char *command)
{
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_confirmed(t);
    trial_check(t, command);
    t->bench->config.confirm_baseline = true;
    return t;
}

// Installs 3.0 and boots it; its check says this then.
static void update(struct trial_bench *t, const char *command)
{
    trial_install_next(t);
    assert_int_equal(trial_boot(t), SLOT_A);
    trial_check(t, command);
}

static void expect_confirmed(struct trial_bench *t)
{
    struct error e;
    enum confirm_outcome outcome;
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
}

static void expect_rejected(struct trial_bench *t)
{
    struct error e;
    enum confirm_outcome outcome;
    assert_fails(ERR_HEALTH, "check api: no camera", confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_REJECTED);
}

// --- in an update -------------------------------------------------------------------------------

static void what_failed_before_the_update_is_not_asked_of_the_new_release(void **state)
{
    (void)state;
    struct trial_bench *t = confirmed_with("echo no camera; exit 1");
    update(t, "echo no camera; exit 1");
    assert_contains(trial_talk(t), "check api fails before the update (no camera)");
    expect_confirmed(t);
    assert_contains(trial_talk(t), "check api failed before the update already: it is not counted");
    trial_bench_free(t);
}

static void what_worked_before_the_update_is_asked_of_the_new_release(void **state)
{
    (void)state;
    struct trial_bench *t = confirmed_with("true");
    update(t, "echo no camera; exit 1");
    expect_rejected(t);
    trial_bench_free(t);
}

static void with_baseline_no_nothing_is_asked_before_and_all_of_it_afterwards(void **state)
{
    (void)state;
    struct trial_bench *t = confirmed_with("echo no camera; exit 1");
    t->bench->config.confirm_baseline = false;
    update(t, "echo no camera; exit 1");
    assert_false(state_mem_has(&t->bench->state, "baseline"));
    expect_rejected(t);
    trial_bench_free(t);
}

static void without_checks_nothing_is_stored(void **state)
{
    (void)state;
    struct trial_bench *t = confirmed_with("true");
    t->bench->config.check_count = 0;
    trial_install_next(t);
    assert_false(state_mem_has(&t->bench->state, "baseline"));
    trial_bench_free(t);
}

static void a_record_that_is_lost_or_damaged_excuses_nothing(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct trial_bench *t = confirmed_with("echo no camera; exit 1");
        update(t, "echo no camera; exit 1");
        if (lost != 0) {
            state_mem_forget(&t->bench->state, "baseline");
        } else {
            state_mem_spoil(&t->bench->state, "baseline");
        }
        expect_rejected(t);
        trial_bench_free(t);
    }
}

static void a_record_with_a_name_that_is_none_excuses_nothing(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {0}};
    static const char record[] =
        "{\"failing\":[\"api\",5],\"manifest_sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\"}";
    struct trial_bench *t = confirmed_with("exit 1");
    assert_ok(state_replace(t->device->state, "baseline", record, strlen(record), &e));
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void the_record_of_one_release_excuses_nothing_of_another(void **state)
{
    (void)state;
    struct error e;
    const struct release_id other = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("echo no camera; exit 1");
    update(t, "echo no camera; exit 1");
    assert_ok(baseline_take(t->device, &other, false, &e)); // it has the place of the first one now
    expect_rejected(t);
    trial_bench_free(t);
}

static void a_wanted_check_needs_no_excuse(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("exit 1");
    t->check.required = false;
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

// --- how it is taken ----------------------------------------------------------------------------

// How often the command below was run.
static off_t runs(const char *dir)
{
    char path[512];
    struct stat st;
    return stat(temp_dir_path(path, sizeof path, dir, "runs"), &st) == 0 ? st.st_size : 0;
}

static struct trial_bench *counting(const char *dir, const char *end, char command[512])
{
    snprintf(command, 512, "printf x >> %s/runs; %s", dir, end);
    return confirmed_with(command);
}

static void one_answer_that_is_healthy_is_enough(void **state)
{
    char command[512];
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = counting(*state, "test $(wc -c < runs) -ge 2", command);
    snprintf(command, sizeof command, "cd %s; printf x >> runs; test $(wc -c < runs) -ge 2",
             (const char *)*state);
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_int_equal(runs(*state), 2);
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void it_is_failing_after_three_answers_whatever_its_own_patience(void **state)
{
    char command[512];
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = counting(*state, "exit 1", command);
    t->check.retries = 100;
    t->check.start_period_ms = 1; // of a system that started long ago
    t->check.interval_ms = 3600000;
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_int_equal(runs(*state), 3);
    assert_true(t->clock.slept_ms <= 2000);
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_true(baseline_has(&before, "api"));
    assert_false(baseline_has(&before, "ap"));
    trial_bench_free(t);
}

static void an_installation_that_goes_on_keeps_what_was_found_first(void **state)
{
    char command[512];
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = counting(*state, "exit 1", command);
    assert_ok(baseline_take(t->device, &release, false, &e));
    trial_check(t, "true");
    assert_ok(baseline_take(t->device, &release, true, &e));
    assert_int_equal(runs(*state), 3);
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_true(baseline_has(&before, "api"));
    trial_bench_free(t);
}

static void another_installation_of_the_same_release_asks_anew(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("exit 1");
    assert_ok(baseline_take(t->device, &release, false, &e));
    trial_check(t, "true");
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void it_ends_with_the_trial(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    struct trial_bench *t = confirmed_with("echo no camera; exit 1");
    update(t, "echo no camera; exit 1");
    const struct release_id release = trial_release(t->device, SLOT_A);
    expect_confirmed(t);
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void not_yet_is_no_failure(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("exit 75");
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void nor_is_a_failure_while_the_system_starts(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(baseline_clear) struct baseline before = {0};
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("exit 1");
    t->check.start_period_ms = t->clock.base.ops->boottime_ms(&t->clock.base) + 600000;
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_ok(baseline_load(t->device, &release, &before, &e));
    assert_int_equal(before.count, 0);
    trial_bench_free(t);
}

static void a_record_that_cannot_be_written_is_a_warning(void **state)
{
    (void)state;
    struct error e;
    const struct release_id release = {.manifest_sha256 = {1}};
    struct trial_bench *t = confirmed_with("exit 1");
    t->bench->state.read_only = true;
    assert_ok(baseline_take(t->device, &release, false, &e));
    assert_contains(trial_talk(t), "what fails before the update could not be kept");
    trial_bench_free(t);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_failed_before_the_update_is_not_asked_of_the_new_release),
        cmocka_unit_test(what_worked_before_the_update_is_asked_of_the_new_release),
        cmocka_unit_test(with_baseline_no_nothing_is_asked_before_and_all_of_it_afterwards),
        cmocka_unit_test(without_checks_nothing_is_stored),
        cmocka_unit_test(a_record_that_is_lost_or_damaged_excuses_nothing),
        cmocka_unit_test(a_record_with_a_name_that_is_none_excuses_nothing),
        cmocka_unit_test(the_record_of_one_release_excuses_nothing_of_another),
        cmocka_unit_test(a_wanted_check_needs_no_excuse),
        IN_DIR(one_answer_that_is_healthy_is_enough),
        IN_DIR(it_is_failing_after_three_answers_whatever_its_own_patience),
        IN_DIR(an_installation_that_goes_on_keeps_what_was_found_first),
        cmocka_unit_test(another_installation_of_the_same_release_asks_anew),
        cmocka_unit_test(it_ends_with_the_trial),
        cmocka_unit_test(not_yet_is_no_failure),
        cmocka_unit_test(nor_is_a_failure_while_the_system_starts),
        cmocka_unit_test(a_record_that_cannot_be_written_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
