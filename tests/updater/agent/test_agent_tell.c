// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/history.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_held(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING;
}

static bool hook_has_run(const struct agent_room *r)
{
    char path[512];
    return access(temp_dir_path(path, sizeof path, r->dir, "hooked"), F_OK) == 0 &&
           r->agent->hooks.pid == 0;
}

static void a_change_of_state_is_told_to_log_hook_and_metrics_once(void **state)
{
    struct agent_room r;
    struct error e;
    char extra[1024];
    char path[512];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    CLEANUP(cleanup_free) uint8_t *metrics = NULL;
    const char *dir = *state;
    snprintf(extra, sizeof extra,
             "hook=echo \"$VV_EVENT $VV_STATE $VV_VERSION\" >> %s/hooked\nmetrics=%s/x.prom\n"
             "[gates]\ndownload_command=exit 75\n",
             dir, dir);
    agent_room_make(&r, dir, extra);
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, is_held);
    agent_room_until(&r, hook_has_run);
    agent_set_state(r.agent, r.agent->state, r.agent->waits_for); // no change
    assert_ok(file_read(temp_dir_path(path, sizeof path, dir, "hooked"), 4096, &text, &len, &e));
    assert_string_equal((char *)text, "state waiting 7.0\n");
    assert_ok(
        file_read(temp_dir_path(path, sizeof path, dir, "x.prom"), 65536, &metrics, &len, &e));
    assert_contains((char *)metrics, "vv_update_agent_state{state=\"waiting\"} 1");
    agent_room_clear(&r);
}

static void polls_that_have_nothing_are_not_talked_about(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_set_state(r.agent, AGENT_POLLING, "");
    agent_set_state(r.agent, AGENT_IDLE, "");
    assert_int_equal(strlen(agent_room_talk(&r)), 0);
    agent_room_clear(&r);
}

// --- metrics -------------------------------------------------------------------------------------

static bool is_over(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->offer.record.phase == OFFER_NONE;
}

static bool has_polled_and_rests(const struct agent_room *r)
{
    return is_over(r) && r->agent->state == AGENT_IDLE;
}

static bool waits_for_a_report(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_DONE && r->agent->again_ms != 0;
}

static void open_measured(struct agent_room *r, const char *dir)
{
    char extra[512];
    snprintf(extra, sizeof extra, "metrics=%s/x.prom\n", dir);
    agent_room_make(r, dir, extra);
    agent_room_open(r);
}

static void expect_metric(const struct agent_room *r, const char *line)
{
    struct error e;
    char path[512];
    char whole[256];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    snprintf(whole, sizeof whole, "\n%s\n", line);
    assert_ok(
        file_read(temp_dir_path(path, sizeof path, r->dir, "x.prom"), 65536, &text, &len, &e));
    assert_contains((char *)text, whole);
}

static void before_the_first_poll_none_was_a_success(void **state)
{
    struct agent_room r;
    open_measured(&r, *state);
    agent_write_metrics(r.agent);
    expect_metric(&r, "vv_update_last_poll_success 0");
    CLEANUP(cleanup_json) json_t *before = agent_status_json(r.agent);
    const json_t *poll = json_object_get(before, "poll");
    assert_true(json_is_null(json_object_get(poll, "answer")));
    assert_true(json_is_null(json_object_get(poll, "last_s")));
    agent_room_until(&r, has_polled_and_rests);
    expect_metric(&r, "vv_update_last_poll_success 1");
    CLEANUP(cleanup_json) json_t *after = agent_status_json(r.agent);
    poll = json_object_get(after, "poll");
    assert_string_equal(json_string_value(json_object_get(poll, "answer")), "done");
    assert_true(json_integer_value(json_object_get(poll, "last_s")) > 0);
    agent_room_clear(&r);
}

static void once_a_poll_is_over_the_metrics_say_idle(void **state)
{
    struct agent_room r;
    open_measured(&r, *state);
    agent_room_until(&r, has_polled_and_rests);
    expect_metric(&r, "vv_update_agent_state{state=\"polling\"} 0");
    expect_metric(&r, "vv_update_agent_state{state=\"idle\"} 1");
    agent_room_clear(&r);
}

static void fill_history(const struct agent_room *r)
{
    struct error e;
    struct log quiet = {.stream = stderr, .program = "test"};
    for (unsigned i = 0; i < HISTORY_MAX; i++) {
        const struct history_entry entry = {
            .source = "dir", .offer = "x", .outcome = OFFER_SUCCESS, .decided_s = 1000 + i};
        assert_ok(history_add(r->device->state, &entry, &quiet, &e));
    }
}

static void updates_are_counted_since_the_agent_started_and_never_fall(void **state)
{
    struct agent_room r;
    struct error e;
    open_measured(&r, *state);
    fill_history(&r);
    agent_room_until(&r, has_polled_and_rests);
    expect_metric(&r, "vv_update_updates_total{outcome=\"success\"} 0");
    expect_metric(&r, "vv_update_last_update_success 1"); // of the history
    agent_room_offer(&r, 7);
    agent_room_install(&r, "exit 5");
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    r.agent->polls = 0;
    agent_room_until(&r, has_polled_and_rests);
    expect_metric(&r, "vv_update_updates_total{outcome=\"success\"} 0");
    expect_metric(&r, "vv_update_updates_total{outcome=\"failure\"} 1");
    expect_metric(&r, "vv_update_last_update_success 0");
    agent_room_clear(&r);
}

static void an_update_whose_report_is_sent_again_is_counted_once(void **state)
{
    struct agent_room r;
    char path[512];
    char away[512];
    open_measured(&r, *state);
    temp_dir_path(path, sizeof path, r.dir, "reports");
    temp_dir_path(away, sizeof away, r.dir, "away");
    assert_int_equal(rename(path, away), 0);
    agent_room_offer(&r, 7);
    agent_room_install(&r, "exit 5");
    for (int tries = 0; tries < 3; tries++) {
        r.agent->again_ms = 0;
        agent_turn_soon(r.agent);
        agent_room_until(&r, waits_for_a_report);
        expect_metric(&r, "vv_update_updates_total{outcome=\"failure\"} 1");
    }
    assert_int_equal(rename(away, path), 0);
    r.agent->again_ms = 0;
    agent_turn_soon(r.agent);
    agent_room_until(&r, has_polled_and_rests);
    expect_metric(&r, "vv_update_updates_total{outcome=\"failure\"} 1");
    agent_room_clear(&r);
}

static void held_is_by_an_operator_whose_time_is_not_over(void **state)
{
    struct agent_room r;
    struct error e;
    open_measured(&r, *state);
    agent_room_until(&r, has_polled_and_rests);
    assert_ok(agent_room_ask(&r,
                             "{\"do\":\"hold\",\"kind\":\"lock\",\"owner\":\"tv\","
                             "\"for_s\":60}",
                             NULL, &e));
    expect_metric(&r, "vv_update_held 0");
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\",\"for_s\":60}", NULL, &e));
    expect_metric(&r, "vv_update_held 1");
    r.agent->holds.all[1].until_boot_ms = loop_now_ms() - 1; // the minute is over
    agent_write_metrics(r.agent);
    expect_metric(&r, "vv_update_held 0");
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"bob\"}", NULL, &e));
    expect_metric(&r, "vv_update_held 1");
    assert_ok(agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"bob\"}", NULL, &e));
    expect_metric(&r, "vv_update_held 0");
    agent_room_clear(&r);
}

static void a_damaged_record_is_not_told_with_each_write_of_the_metrics(void **state)
{
    struct agent_room r;
    char path[512];
    open_measured(&r, *state);
    agent_room_until(&r, has_polled_and_rests);
    temp_dir_path(path, sizeof path, r.dir, "state");
    file_device_write(path, "history", "{}");
    file_device_write(path, "denied", "{}");
    for (int i = 0; i < 3; i++) {
        agent_write_metrics(r.agent);
    }
    assert_int_equal(agent_room_said(&r, "damaged"), 0);
    expect_metric(&r, "vv_update_denied_releases 0");
    agent_room_clear(&r);
}

// --- status --------------------------------------------------------------------------------------

// "download open, install hold, reboot open command": each gate of the status, the one that it is
// closed by, and what is to be asked.
static void expect_gates(const struct agent_room *r, const char *want)
{
    char got[512] = "";
    size_t i;
    const json_t *gate;
    CLEANUP(cleanup_json) json_t *status = agent_status_json(r->agent);
    assert_non_null(status);
    json_array_foreach(json_object_get(status, "gates"), i, gate)
    {
        const char *name = json_string_value(json_object_get(gate, "gate"));
        const json_t *to_ask = json_object_get(gate, "to_ask");
        size_t len = strlen(got);
        assert_int_equal(json_is_true(json_object_get(gate, "open")), name == NULL);
        assert_int_equal(json_is_null(json_object_get(gate, "until")), name == NULL);
        snprintf(got + len, sizeof got - len, "%s%s %s%s%s", i > 0 ? ", " : "",
                 json_string_value(json_object_get(gate, "phase")), name != NULL ? name : "open",
                 json_array_size(to_ask) > 0 ? " " : "",
                 json_array_size(to_ask) > 0 ? json_string_value(json_array_get(to_ask, 0)) : "");
    }
    assert_string_equal(got, want);
}

static bool downloads(const struct agent_room *r)
{
    return r->agent->state == AGENT_DOWNLOADING && verb_child_runs(&r->agent->child);
}

static void every_gate_is_in_the_status_with_or_without_an_offer(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, "[gates]\nneed_consent=yes\nreboot_command=exit 75\n");
    agent_room_open(&r);
    expect_gates(&r, "download open, install consent, reboot consent command");
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\",\"phases\":\"download\"}",
                             NULL, &e));
    expect_gates(&r, "download hold, install consent, reboot consent command");
    agent_room_clear(&r);
}

static void what_a_command_said_stands_until_it_is_asked_again(void **state)
{
    struct agent_room r;
    const json_t *gate;
    agent_room_make(&r, *state, "[gates]\ndownload_command=echo busy; exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    expect_gates(&r, "download open command, install open, reboot open");
    agent_room_until(&r, is_held);
    expect_gates(&r, "download command command, install open, reboot open");
    CLEANUP(cleanup_json) json_t *status = agent_status_json(r.agent);
    gate = json_array_get(json_object_get(status, "gates"), 0);
    assert_string_equal(json_string_value(json_object_get(gate, "reason")),
                        "gate command: not yet: busy");
    agent_room_clear(&r);
}

static void a_phase_that_has_begun_is_not_ahead_any_more(void **state)
{
    static const struct {
        enum offer_phase phase;
        enum agent_state state;
        const char *want;
    } rows[] = {
        {OFFER_ACCEPTED, AGENT_WAITING, "download open, install open, reboot open"},
        {OFFER_INSTALLED, AGENT_WAITING, "install open, reboot open"},
        {OFFER_ACTIVATING, AGENT_WAITING, "install open, reboot open"},
        {OFFER_ACTIVATING, AGENT_INSTALLING, "reboot open"},
        {OFFER_ACTIVATED, AGENT_WAITING, "reboot open"},
        {OFFER_REBOOTING, AGENT_REBOOTING, ""},
        {OFFER_REBOOTING, AGENT_WAITING, "reboot open"},
        {OFFER_REBOOTING, AGENT_TRIAL, ""},
        {OFFER_DONE, AGENT_REPORTING, ""},
        {OFFER_NONE, AGENT_IDLE, "download open, install open, reboot open"},
    };
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    agent_room_install(&r, "exec sleep 1000");
    agent_room_open(&r);
    agent_room_until(&r, downloads);
    expect_gates(&r, "install open, reboot open");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        r.agent->offer.record.phase = rows[i].phase;
        r.agent->state = rows[i].state;
        expect_gates(&r, rows[i].want);
    }
    agent_room_clear(&r);
}

static void progress_is_in_the_status(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_tell_progress(r.agent, 3, 7);
    CLEANUP(cleanup_json) json_t *status = agent_status_json(r.agent);
    assert_int_equal(json_integer_value(json_object_get(status, "done_bytes")), 3);
    assert_int_equal(json_integer_value(json_object_get(status, "total_bytes")), 7);
    agent_room_clear(&r);
}

static enum err trouble(struct agent_room *r, int sys, const char *sentence)
{
    struct error e;
    enum err err = fail(&e, ERR_IO, sys, "%s", sentence);
    return agent_tell_trouble(r->agent, TASK_HISTORY, err, &e);
}

static void a_trouble_that_lasts_is_told_once_and_again_when_it_comes_back(void **state)
{
    struct agent_room r;
    struct error e = {.code = OK};
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(trouble(&r, ENOSPC, "history"), ERR_IO);
        assert_int_equal(trouble(&r, ENOSPC, "probe"), ERR_IO); // the same disk
    }
    assert_int_equal(agent_room_said(&r, "No space left"), 1);
    assert_string_equal(r.agent->troubles[TASK_HISTORY].text, "history: No space left on device");
    assert_int_equal(trouble(&r, EROFS, "history"), ERR_IO);
    assert_int_equal(trouble(&r, 0, "history: too large"), ERR_IO);
    assert_int_equal(trouble(&r, 0, "history: too odd"), ERR_IO);
    assert_int_equal(agent_room_said(&r, "the history cannot be written: "), 4);
    assert_ok(agent_tell_trouble(r.agent, TASK_HISTORY, OK, &e));
    assert_int_equal(trouble(&r, 0, "history: too odd"), ERR_IO);
    assert_int_equal(agent_room_said(&r, "the history cannot be written: "), 5);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_change_of_state_is_told_to_log_hook_and_metrics_once),
        with_dir(polls_that_have_nothing_are_not_talked_about),
        with_dir(before_the_first_poll_none_was_a_success),
        with_dir(once_a_poll_is_over_the_metrics_say_idle),
        with_dir(updates_are_counted_since_the_agent_started_and_never_fall),
        with_dir(an_update_whose_report_is_sent_again_is_counted_once),
        with_dir(held_is_by_an_operator_whose_time_is_not_over),
        with_dir(a_damaged_record_is_not_told_with_each_write_of_the_metrics),
        with_dir(every_gate_is_in_the_status_with_or_without_an_offer),
        with_dir(what_a_command_said_stands_until_it_is_asked_again),
        with_dir(a_phase_that_has_begun_is_not_ahead_any_more),
        with_dir(progress_is_in_the_status),
        with_dir(a_trouble_that_lasts_is_told_once_and_again_when_it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
