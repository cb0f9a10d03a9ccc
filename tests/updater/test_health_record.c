// SPDX-License-Identifier: Apache-2.0
#include "updater/health_record.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/confirm.h"

static struct health_result samples[] = {
    {.name = "tv_api",
     .kind = "http",
     .required = true,
     .verdict = CHECK_UNHEALTHY,
     .tries = 3,
     .last_line = "HTTP 500: no camera"},
    {.name = "heartbeat", .kind = "file-age", .required = true, .verdict = CHECK_HEALTHY},
    {.name = "late", .kind = "exec", .required = true, .verdict = CHECK_STARTING},
    {.name = "nice", .kind = "exec", .verdict = CHECK_STARTING},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

// 2.0 in slot b runs, on trial.
static struct trial_bench *trial_running(void)
{
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    assert_int_equal(trial_boot(t), SLOT_B);
    return t;
}

static uint64_t in(const struct trial_bench *t, uint64_t ms)
{
    return t->clock.base.ops->boottime_ms(&t->clock.base) + ms;
}

static void keep(struct trial_bench *t, enum health_verdict verdict, size_t count,
                 uint64_t until_ms)
{
    const struct health_report report = {.verdict = verdict, .count = count, .results = samples};
    CLEANUP(cleanup_json) json_t *record = health_record_make(t->device, &report, until_ms);
    struct error e;
    assert_ok(health_record_save(t->device, record, &e));
}

static const char *sentence(struct trial_bench *t, char buf[512])
{
    CLEANUP(cleanup_json) json_t *record = health_record_load(t->device);
    return health_record_sentence(t->device, record, buf, 512);
}

static void what_is_kept_is_what_was_reported_and_of_which_slot(void **state)
{
    (void)state;
    struct trial_bench *t = trial_running();
    keep(t, HEALTH_WAITING, SAMPLES, 5000);
    CLEANUP(cleanup_json) json_t *record = health_record_load(t->device);
    assert_string_equal(json_string_value(json_object_get(record, "slot")), "b");
    assert_string_equal(json_string_value(json_object_get(record, "version")), "2.0");
    assert_string_equal(json_string_value(json_object_get(record, "result")), "waiting");
    assert_int_equal(json_integer_value(json_object_get(record, "until_ms")), 5000);
    const json_t *checks = json_object_get(record, "checks");
    assert_int_equal(json_array_size(checks), SAMPLES);
    assert_string_equal(json_string_value(json_object_get(json_array_get(checks, 0), "output")),
                        "HTTP 500: no camera");
    trial_bench_free(t);
}

static void the_sentence_names_what_is_waited_for_and_how_long(void **state)
{
    (void)state;
    char buf[512];
    struct trial_bench *t = trial_running();
    keep(t, HEALTH_WAITING, SAMPLES, in(t, 125900));
    assert_string_equal(sentence(t, buf),
                        "Waiting for the health checks, 2 min 5 s at most: tv_api is unhealthy "
                        "(HTTP 500: no camera), late is starting.");
    trial_bench_free(t);
}

static void when_all_are_healthy_it_is_waited_for_them_to_stay_so(void **state)
{
    (void)state;
    char buf[512];
    struct trial_bench *t = trial_running();
    samples[0].verdict = CHECK_HEALTHY;
    keep(t, HEALTH_WAITING, 2, in(t, 5000));
    samples[0].verdict = CHECK_UNHEALTHY;
    assert_contains(sentence(t, buf), " at most: all are healthy, and have to stay so.");
    trial_bench_free(t);
}

static void nothing_is_waited_for_once_it_is_decided_or_of_another_slot(void **state)
{
    (void)state;
    struct error e;
    char buf[512];
    struct trial_bench *t = trial_running();
    assert_string_equal(sentence(t, buf), ""); // no record
    keep(t, HEALTH_BAD, SAMPLES, in(t, 5000));
    assert_string_equal(sentence(t, buf), "");
    keep(t, HEALTH_WAITING, SAMPLES, in(t, 5000));
    t->device->running = SLOT_A;
    assert_string_equal(sentence(t, buf), "");
    t->device->running = SLOT_B;
    keep(t, HEALTH_WAITING, SAMPLES, in(t, 0)); // the deadline is over, or of another boot
    assert_string_equal(sentence(t, buf), "");
    assert_ok(state_replace(t->device->state, "health", "{", 1, &e));
    assert_null(health_record_load(t->device));
    trial_bench_free(t);
}

static void a_sentence_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char buf[32];
    struct trial_bench *t = trial_running();
    keep(t, HEALTH_WAITING, SAMPLES, in(t, 125900));
    CLEANUP(cleanup_json) json_t *record = health_record_load(t->device);
    assert_string_equal(health_record_sentence(t->device, record, buf, sizeof buf),
                        "Waiting for the health checks, ");
    trial_bench_free(t);
}

static void it_is_cut_between_characters(void **state)
{
    (void)state;
    char whole[512];
    char buf[512];
    struct trial_bench *t = trial_running();
    struct health_result odd = {
        .name = "x", .kind = "exec", .required = true, .last_line = "\303\244\303\244"};
    const struct health_report report = {.verdict = HEALTH_WAITING, .count = 1, .results = &odd};
    CLEANUP(cleanup_json) json_t *record = health_record_make(t->device, &report, in(t, 5430000));
    health_record_sentence(t->device, record, whole, sizeof whole);
    size_t at = (size_t)(strstr(whole, "\303\244") - whole);
    for (size_t room = at + 1; room <= at + 5; room++) {
        health_record_sentence(t->device, record, buf, room);
        assert_int_equal(strlen(buf), at + (room - at - 1) / 2 * 2);
    }
    trial_bench_free(t);
}

// At the beginning and at the end it would be written.
static void a_record_that_cannot_be_written_is_one_warning(void **state)
{
    (void)state;
    static const char warning[] = "what the health checks say could not be kept: ";
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_check(t, "true");
    assert_int_equal(trial_boot(t), SLOT_B);
    t->bench->state.read_only = true;
    assert_ok(confirm_run(t->device, &outcome, &e));
    assert_int_equal(outcome, CONFIRM_CONFIRMED);
    const char *first = strstr(trial_talk(t), warning);
    assert_non_null(first);
    assert_null(strstr(first + 1, warning));
    trial_bench_free(t);
}

static void the_old_slot_reads_what_the_rejected_one_said(void **state)
{
    (void)state;
    struct error e;
    enum confirm_outcome outcome;
    struct trial_bench *t = trial_bench_new(CONTRACT_ORDER);
    trial_check(t, "echo no camera; exit 1");
    assert_int_equal(trial_boot(t), SLOT_B);
    assert_fails(ERR_HEALTH, "no camera", confirm_run(t->device, &outcome, &e));
    assert_int_equal(trial_boot(t), SLOT_A);
    CLEANUP(cleanup_json) json_t *record = health_record_load(t->device);
    assert_string_equal(json_string_value(json_object_get(record, "slot")), "b");
    assert_string_equal(json_string_value(json_object_get(record, "result")), "bad");
    assert_string_equal(json_string_value(json_object_get(record, "reason")),
                        "check api: no camera");
    trial_bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_what_was_reported_and_of_which_slot),
        cmocka_unit_test(the_sentence_names_what_is_waited_for_and_how_long),
        cmocka_unit_test(when_all_are_healthy_it_is_waited_for_them_to_stay_so),
        cmocka_unit_test(nothing_is_waited_for_once_it_is_decided_or_of_another_slot),
        cmocka_unit_test(a_sentence_that_is_too_long_is_cut),
        cmocka_unit_test(it_is_cut_between_characters),
        cmocka_unit_test(a_record_that_cannot_be_written_is_one_warning),
        cmocka_unit_test(the_old_slot_reads_what_the_rejected_one_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
