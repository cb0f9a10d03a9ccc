// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/events.h"

#include "tests/support/expect.h"

static struct agent_event sample(enum event_kind kind)
{
    return (struct agent_event){.kind = kind,
                                .time_s = 1700000000,
                                .state = "downloading",
                                .source = "dir",
                                .offer = "2.0/4711",
                                .version = "2.0",
                                .release_index = 20};
}

// As canonical text.
static void assert_json(const struct agent_event *ev, const char *want)
{
    CLEANUP(cleanup_json) json_t *root = event_json(ev);
    assert_non_null(root);
    CLEANUP(cleanup_free) char *text = json_canonical(root);
    assert_string_equal(text, want);
}

static void a_state_stands_as_the_header_says(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_STATE);
    assert_json(&ev, "{\"event\":\"state\",\"offer\":\"2.0/4711\",\"outcome\":\"undecided\","
                     "\"reason\":\"\",\"release_index\":20,\"schema\":1,\"source\":\"dir\","
                     "\"state\":\"downloading\",\"time\":1700000000,\"version\":\"2.0\"}");
    ev.outcome = OFFER_FAILURE;
    ev.reason = "It did not boot.";
    ev.state = "idle";
    assert_json(&ev, "{\"event\":\"state\",\"offer\":\"2.0/4711\",\"outcome\":\"failure\","
                     "\"reason\":\"It did not boot.\",\"release_index\":20,\"schema\":1,"
                     "\"source\":\"dir\",\"state\":\"idle\",\"time\":1700000000,"
                     "\"version\":\"2.0\"}");
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    const struct agent_event ev = {.kind = EVENT_STATE, .state = "idle", .version = ""};
    assert_json(&ev, "{\"event\":\"state\",\"offer\":null,\"outcome\":\"undecided\","
                     "\"reason\":\"\",\"release_index\":null,\"schema\":1,\"source\":null,"
                     "\"state\":\"idle\",\"time\":0,\"version\":null}");
    const struct agent_event nothing = {0};
    CLEANUP(cleanup_json) json_t *root = event_json(&nothing);
    assert_string_equal(json_string_value(json_object_get(root, "state")), "");
}

static void a_report_says_whether_its_source_has_it(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_REPORT);
    ev.state = "reporting";
    ev.outcome = OFFER_FAILURE;
    ev.reason = "The health checks failed.";
    ev.failed_checks = "tv_api: HTTP 500";
    assert_json(&ev, "{\"acknowledged\":false,\"event\":\"report\","
                     "\"failed_checks\":\"tv_api: HTTP 500\",\"offer\":\"2.0/4711\","
                     "\"outcome\":\"failure\",\"reason\":\"The health checks failed.\","
                     "\"release_index\":20,\"schema\":1,\"source\":\"dir\","
                     "\"state\":\"reporting\",\"time\":1700000000,\"version\":\"2.0\"}");
    ev.acknowledged = true;
    CLEANUP(cleanup_json) json_t *root = event_json(&ev);
    assert_true(json_is_true(json_object_get(root, "acknowledged")));
}

static void progress_has_percent_once_the_total_is_known(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_PROGRESS);
    ev.done_bytes = 12;
    assert_json(&ev, "{\"done_bytes\":12,\"event\":\"progress\",\"offer\":\"2.0/4711\","
                     "\"percent\":null,\"release_index\":20,\"schema\":1,\"source\":\"dir\","
                     "\"state\":\"downloading\",\"time\":1700000000,\"total_bytes\":null,"
                     "\"version\":\"2.0\"}");
    static const struct {
        uint64_t done, total;
        int want;
    } rows[] = {
        {0, 1, 0},
        {1, 3, 33},
        {999, 1000, 99},
        {1000, 1000, 100},
        {1001, 1000, 100}, // more than was promised
        {INT64_MAX / 2, INT64_MAX, 50},
        {UINT64_MAX / 4, UINT64_MAX, 25},
        {UINT64_MAX, UINT64_MAX, 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ev.done_bytes = rows[i].done;
        ev.total_bytes = rows[i].total;
        CLEANUP(cleanup_json) json_t *root = event_json(&ev);
        int got = (int)json_integer_value(json_object_get(root, "percent"));
        // Of huge totals it may be one off, below.
        if (got != rows[i].want && got != rows[i].want - 1) {
            fail_msg("row %zu: expected %d %%, got %d %%", i, rows[i].want, got);
        }
        assert_true(json_integer_value(json_object_get(root, "total_bytes")) > 0);
    }
}

static void a_gate_says_what_it_waits_for(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_GATE);
    ev.phase = "install";
    ev.gate = "window";
    ev.reason = "window Sun 02:00";
    ev.until_s = 1700001000;
    assert_json(&ev, "{\"event\":\"gate\",\"gate\":\"window\",\"offer\":\"2.0/4711\","
                     "\"open\":false,\"phase\":\"install\",\"reason\":\"window Sun 02:00\","
                     "\"release_index\":20,\"schema\":1,\"source\":\"dir\","
                     "\"state\":\"downloading\",\"time\":1700000000,\"until\":1700001000,"
                     "\"version\":\"2.0\"}");
    ev.open = true;
    ev.until_s = 0;
    CLEANUP(cleanup_json) json_t *root = event_json(&ev);
    assert_true(json_is_true(json_object_get(root, "open")));
    assert_true(json_is_null(json_object_get(root, "until")));
}

static void a_log_line_has_its_level(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warn", "info"};
    struct agent_event ev = {.kind = EVENT_LOG, .state = "idle", .message = "The disk is full."};
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_INFO; level++) {
        ev.level = (enum log_level)level;
        CLEANUP(cleanup_json) json_t *root = event_json(&ev);
        assert_string_equal(json_string_value(json_object_get(root, "level")), names[level]);
        assert_int_equal(event_level(names[level]), level);
        assert_string_equal(json_string_value(json_object_get(root, "message")),
                            "The disk is full.");
    }
    assert_int_equal(event_level("loud"), LOG_LEVEL_INFO);
    assert_int_equal(event_level(NULL), LOG_LEVEL_INFO);
}

static void every_kind_has_its_name_and_the_schema(void **state)
{
    (void)state;
    static const char *const names[] = {"state", "progress", "report", "gate", "log"};
    for (int kind = EVENT_STATE; kind <= EVENT_LOG; kind++) {
        struct agent_event ev = sample((enum event_kind)kind);
        CLEANUP(cleanup_json) json_t *root = event_json(&ev);
        assert_string_equal(event_kind_name(ev.kind), names[kind]);
        assert_string_equal(json_string_value(json_object_get(root, "event")), names[kind]);
        assert_int_equal(json_integer_value(json_object_get(root, "schema")), EVENTS_SCHEMA);
        assert_int_equal(json_integer_value(json_object_get(root, "time")), 1700000000);
    }
}

static void a_number_that_json_has_not_is_the_largest_it_has(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_STATE);
    ev.time_s = UINT64_MAX;
    ev.release_index = UINT64_MAX;
    CLEANUP(cleanup_json) json_t *root = event_json(&ev);
    assert_int_equal(json_integer_value(json_object_get(root, "time")), INT64_MAX);
    assert_int_equal(json_integer_value(json_object_get(root, "release_index")), INT64_MAX);
}

static void only_a_decision_is_final(void **state)
{
    (void)state;
    for (int kind = EVENT_STATE; kind <= EVENT_LOG; kind++) {
        for (int outcome = OFFER_UNDECIDED; outcome <= OFFER_CANCELLED; outcome++) {
            struct agent_event ev = sample((enum event_kind)kind);
            ev.outcome = (enum offer_outcome)outcome;
            bool want = (kind == EVENT_STATE || kind == EVENT_REPORT) && outcome != OFFER_UNDECIDED;
            assert_int_equal(event_is_final(&ev), want);
        }
    }
}

// A server may choose offer ids and reasons.
static void what_a_server_chose_starts_no_line_in_any_form(void **state)
{
    (void)state;
    char buf[512];
    struct agent_event ev = sample(EVENT_REPORT);
    ev.offer = "x\nVV_STATE=evil\033[2J";
    ev.reason = "\374\nPRIORITY=0";
    ev.outcome = OFFER_FAILURE;
    CLEANUP(cleanup_json) json_t *root = event_json(&ev);
    assert_string_equal(json_string_value(json_object_get(root, "offer")), "x VV_STATE=evil?[2J");
    assert_string_equal(json_string_value(json_object_get(root, "reason")), "? PRIORITY=0");
    CLEANUP(cleanup_free) char *variables = event_variables(&ev);
    assert_contains(variables, "\nVV_OFFER=x VV_STATE=evil?[2J\n");
    assert_contains(variables, "\nVV_REASON=? PRIORITY=0\n");
    assert_null(strchr(event_sentence(&ev, buf, sizeof buf), '\n'));
}

static void the_variables_are_all_there_in_every_event(void **state)
{
    (void)state;
    struct agent_event ev = sample(EVENT_REPORT);
    ev.outcome = OFFER_SUCCESS;
    ev.failed_checks = "a: b";
    ev.reason = "because";
    CLEANUP(cleanup_free) char *all = event_variables(&ev);
    assert_string_equal(all, "VV_EVENT=report\nVV_STATE=downloading\nVV_SOURCE=dir\n"
                             "VV_OFFER=2.0/4711\nVV_VERSION=2.0\nVV_RELEASE_INDEX=20\n"
                             "VV_OUTCOME=success\nVV_REASON=because\nVV_FAILED_CHECKS=a: b\n");
    const struct agent_event little = {.kind = EVENT_LOG};
    CLEANUP(cleanup_free) char *none = event_variables(&little);
    assert_string_equal(none, "VV_EVENT=log\nVV_STATE=\nVV_SOURCE=\nVV_OFFER=\nVV_VERSION=\n"
                              "VV_RELEASE_INDEX=\nVV_OUTCOME=\nVV_REASON=\nVV_FAILED_CHECKS=\n");
}

static void a_sentence_says_it_for_people(void **state)
{
    (void)state;
    char buf[256];
    struct agent_event ev = sample(EVENT_STATE);
    assert_string_equal(event_sentence(&ev, buf, sizeof buf), "downloading 2.0 of dir");
    ev.kind = EVENT_PROGRESS;
    ev.done_bytes = 1024 * 1024;
    assert_string_equal(event_sentence(&ev, buf, sizeof buf), "downloading 2.0 of dir: 1.0 MiB");
    ev.total_bytes = 4 * 1024 * 1024;
    assert_string_equal(event_sentence(&ev, buf, sizeof buf),
                        "downloading 2.0 of dir: 1.0 MiB of 4.0 MiB");
    ev.kind = EVENT_GATE;
    ev.phase = "install";
    ev.gate = "window";
    ev.reason = "window Sun 02:00";
    assert_string_equal(event_sentence(&ev, buf, sizeof buf),
                        "downloading 2.0 of dir: install held back by window: window Sun 02:00");
    ev.open = true;
    ev.reason = NULL;
    assert_string_equal(event_sentence(&ev, buf, sizeof buf),
                        "downloading 2.0 of dir: install let pass by window");
    ev = sample(EVENT_REPORT);
    ev.outcome = OFFER_FAILURE;
    ev.reason = "It failed.";
    ev.failed_checks = "tv_api";
    ev.acknowledged = true;
    assert_string_equal(event_sentence(&ev, buf, sizeof buf),
                        "downloading 2.0 of dir: failure: It failed.; failed checks: tv_api; its "
                        "source knows");
    ev = (struct agent_event){.kind = EVENT_LOG, .message = "The disk is full."};
    assert_string_equal(event_sentence(&ev, buf, sizeof buf), "The disk is full.");
    ev.kind = EVENT_STATE;
    assert_string_equal(event_sentence(&ev, buf, sizeof buf), "agent");
    assert_string_equal(event_sentence(&ev, buf, 3), "ag");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_stands_as_the_header_says),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(a_report_says_whether_its_source_has_it),
        cmocka_unit_test(progress_has_percent_once_the_total_is_known),
        cmocka_unit_test(a_gate_says_what_it_waits_for),
        cmocka_unit_test(a_log_line_has_its_level),
        cmocka_unit_test(every_kind_has_its_name_and_the_schema),
        cmocka_unit_test(a_number_that_json_has_not_is_the_largest_it_has),
        cmocka_unit_test(only_a_decision_is_final),
        cmocka_unit_test(what_a_server_chose_starts_no_line_in_any_form),
        cmocka_unit_test(the_variables_are_all_there_in_every_event),
        cmocka_unit_test(a_sentence_says_it_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
