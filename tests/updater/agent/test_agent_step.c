// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"

#include <stdlib.h>
#include <unistd.h>

static bool waits(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING && r->agent->again_ms != 0;
}

static bool downloads(const struct agent_room *r)
{
    return r->agent->state == AGENT_DOWNLOADING && verb_child_runs(&r->agent->child);
}

static bool is_over(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->offer.record.phase == OFFER_NONE;
}

static void begin(struct agent_room *r, const char *dir, const char *install)
{
    agent_room_make(r, dir, NULL);
    agent_room_offer(r, 7);
    agent_room_install(r, install);
    agent_room_open(r);
}

static void expect_report(const struct agent_room *r, const char *part)
{
    struct error e;
    char path[512];
    char name[64];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    snprintf(name, sizeof name, "reports/%.16s.json",
             "0000000000000000000000000000000000000000000000000000000000000007");
    assert_ok(file_read(temp_dir_path(path, sizeof path, r->dir, name), 4096, &text, &len, &e));
    assert_contains((char *)text, part);
}

static void a_network_that_is_down_is_waited_for_longer_each_time(void **state)
{
    struct agent_room r;
    uint64_t least = 30 * 1000;
    begin(&r, *state, "echo '{\"error\":{\"message\":\"h: refused\"}}'; exit 4");
    for (unsigned tries = 1; tries <= 4; tries++) {
        agent_room_until(&r, waits);
        assert_int_equal(agent_room_runs(&r, "install"), tries);
        assert_string_equal(r.agent->waits_for, "h: refused");
        assert_true(r.agent->again_ms >= loop_now_ms() + least - 5000);
        least = least < 480 * 1000 ? least * 2 : least;
        r.agent->again_ms = 0; // the time is over
        r.agent->state = AGENT_IDLE;
        agent_turn_soon(r.agent);
    }
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    agent_room_clear(&r);
}

static size_t denied(struct agent_room *r)
{
    struct error e;
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    assert_ok(denylist_load(r->device->state, &r->log, &list, &e));
    return list->count;
}

static void an_image_that_does_not_fit_is_a_failure_that_is_reported_and_denied(void **state)
{
    struct agent_room r;
    struct error e;
    CLEANUP(cleanup_free) struct history *history = NULL;
    begin(&r, *state, "echo '{\"error\":{\"message\":\"it is too large\"}}'; exit 8");
    agent_room_until(&r, is_over);
    expect_report(&r, "\"outcome\": \"failure\"");
    expect_report(&r, "it is too large");
    assert_int_equal(denied(&r), 1);
    assert_ok(history_load(r.device->state, &r.log, &history, &e));
    assert_int_equal(history->count, 1);
    assert_int_equal(history->entries[0].outcome, OFFER_FAILURE);
    agent_room_clear(&r);
}

static bool is_decided(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_DONE;
}

// Cut off between the decision and all that follows from it.
static void what_failed_is_denied_by_the_next_agent_too(void **state)
{
    struct agent_room r;
    struct error e;
    CLEANUP(cleanup_free) struct denylist *before = NULL;
    CLEANUP(cleanup_free) struct denylist *after = NULL;
    begin(&r, *state, "echo '{\"error\":{\"message\":\"it is too large\"}}'; exit 8");
    agent_room_until(&r, is_decided);
    assert_ok(denylist_load(r.device->state, &r.log, &before, &e));
    assert_int_equal(before->count, 0);
    agent_room_close(&r);
    agent_room_offer_nothing(&r);
    agent_room_open(&r);
    agent_room_until(&r, is_over);
    expect_report(&r, "it is too large");
    assert_ok(denylist_load(r.device->state, &r.log, &after, &e));
    assert_int_equal(after->count, 1);
    assert_string_equal(after->releases[0].version, "7.0");
    assert_string_equal(after->releases[0].reason, "it is too large");
    agent_room_clear(&r);
}

// A release between may be needed first, a copy may not be at its end, a server may be mended.
static void what_may_be_right_another_time_is_a_failure_that_denies_nothing(void **state)
{
    struct agent_room r;
    begin(&r, *state, "exit 5"); // ERR_TRUST
    agent_room_until(&r, is_over);
    expect_report(&r, "\"outcome\": \"failure\"");
    assert_int_equal(denied(&r), 0);
    agent_room_install(&r, "exit 6"); // ERR_FORMAT
    agent_room_offer(&r, 8);
    r.agent->polls = 0;
    r.agent->by_hand = true;
    poll_schedule_trigger(&r.agent->poll, loop_now_ms());
    agent_turn_soon(r.agent);
    agent_room_until(&r, is_over);
    assert_int_equal(agent_room_runs(&r, "install"), 2);
    assert_int_equal(denied(&r), 0);
    agent_room_clear(&r);
}

static void another_release_in_its_place_is_a_failure_that_denies_nothing(void **state)
{
    struct agent_room r;
    struct error e;
    char path[512];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *words = NULL;
    begin(&r, *state,
          "echo \"$*\" > words; read url; echo \"$url\" > url; echo '{\"error\":{\"message\":\"it "
          "is another\"}}'; exit 9");
    agent_room_until(&r, is_over);
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    assert_ok(file_read(temp_dir_path(path, sizeof path, r.dir, "words"), 4096, &words, &len, &e));
    assert_contains((char *)words,
                    " install --no-activate --manifest "
                    "0000000000000000000000000000000000000000000000000000000000000007"
                    " -\n");
    free(TAKE_PTR(words));
    assert_ok(file_read(temp_dir_path(path, sizeof path, r.dir, "url"), 4096, &words, &len, &e));
    assert_contains((char *)words, "/drop/7\n"); // in nobody's process list
    expect_report(&r, "it is another");
    assert_int_equal(denied(&r), 0);
    agent_room_clear(&r);
}

static void an_answer_that_names_no_release_is_a_failure(void **state)
{
    struct agent_room r;
    begin(&r, *state, "echo '{\"result\":\"installed\"}'");
    agent_room_until(&r, is_over);
    expect_report(&r, "the answer of 'install'");
    agent_room_clear(&r);
}

// --- what was fetched ----------------------------------------------------------------------------

// In the journal, as an install that did not come to its end leaves it.
static void fetched_so_far(const struct agent_room *r, uint64_t bytes)
{
    struct error e;
    struct journal journal;
    assert_ok(journal_load(r->device->state, &journal, &e));
    journal_set_fetched(&journal, &r->agent->offer.record.release, bytes);
    assert_ok(journal_save(r->device->state, &journal, &e));
}

static void what_installs_fetched_is_added_up_and_in_the_history(void **state)
{
    struct agent_room r;
    struct error e;
    CLEANUP(cleanup_free) struct history *history = NULL;
    begin(&r, *state, "exec sleep 1000");
    agent_room_until(&r, downloads);
    agent_room_await_run(&r, "install", 1);
    fetched_so_far(&r, 1000); // then it is cut off together with the agent
    agent_room_close(&r);
    agent_room_open(&r);
    agent_room_until(&r, downloads);
    fetched_so_far(&r, 1500);
    agent_room_await_run(&r, "install", 2);
    verb_child_stop(&r.agent->child);
    agent_room_until(&r, waits);
    assert_int_equal(r.agent->offer.record.fetched_bytes, 1500);
    assert_int_equal(r.agent->download_bytes, 500);
    agent_room_install(&r, "echo '{\"fetched_bytes\":70,\"error\":{\"message\":\"no\"}}'; exit 5");
    r.agent->again_ms = 0;
    agent_turn_soon(r.agent);
    agent_room_until(&r, is_over);
    assert_int_equal(r.agent->download_bytes, 570);
    assert_ok(history_load(r.device->state, &r.log, &history, &e));
    assert_int_equal(history->entries[0].fetched_bytes, 1570);
    agent_room_clear(&r);
}

static void a_number_of_bytes_that_cannot_be_is_none(void **state)
{
    struct agent_room r;
    begin(&r, *state, "echo '{\"fetched_bytes\":-1}'; exit 4");
    agent_room_until(&r, waits);
    assert_int_equal(r.agent->download_bytes, 0);
    agent_room_install(&r, "echo '{\"fetched_bytes\":9223372036854775807}'; exit 4");
    for (int tries = 0; tries < 2; tries++) {
        r.agent->again_ms = 0;
        r.agent->state = AGENT_IDLE;
        agent_turn_soon(r.agent);
        agent_room_until(&r, waits);
    }
    assert_int_equal(r.agent->offer.record.fetched_bytes, INT64_MAX);
    agent_room_clear(&r);
}

static bool is_held(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING && !verb_child_runs(&r->agent->child);
}

static void a_hold_stops_a_download_that_goes_on_when_it_is_released(void **state)
{
    static const char hold[] = "{\"do\":\"hold\",\"owner\":\"alice\"}";
    struct agent_room r;
    struct error e;
    begin(&r, *state, "exec sleep 1000");
    for (unsigned runs = 1; runs <= 3; runs++) {
        agent_room_until(&r, downloads);
        agent_room_await_run(&r, "install", runs);
        pid_t pid = r.agent->child.child.pid;
        assert_ok(agent_room_ask(&r, hold, NULL, &e));
        agent_room_until(&r, is_held);
        assert_int_equal(kill(pid, 0), -1);
        assert_string_equal(r.agent->waits_for, "held by alice until released");
        assert_int_equal(r.agent->offer.record.tries, 0);
        assert_int_equal(r.agent->failures, 0);
        assert_ok(agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"alice\"}", NULL, &e));
    }
    agent_room_clear(&r);
}

static void a_hold_of_the_reboot_stops_no_download(void **state)
{
    static const char hold[] =
        "{\"do\":\"hold\",\"owner\":\"alice\",\"phases\":\"install, reboot\"}";
    struct agent_room r;
    struct error e;
    begin(&r, *state, "exec sleep 1000");
    agent_room_until(&r, downloads);
    assert_ok(agent_room_ask(&r, hold, NULL, &e));
    assert_false(r.agent->paused);
    assert_true(downloads(&r));
    agent_room_clear(&r);
}

static void a_report_that_does_not_arrive_is_sent_again(void **state)
{
    struct agent_room r;
    char path[512];
    char away[512];
    begin(&r, *state, "exit 5");
    temp_dir_path(path, sizeof path, r.dir, "reports");
    temp_dir_path(away, sizeof away, r.dir, "away");
    assert_int_equal(rename(path, away), 0);
    agent_room_until(&r, waits);
    assert_int_equal(r.agent->offer.record.phase, OFFER_DONE);
    assert_contains(agent_room_talk(&r), "is not delivered yet");
    assert_int_equal(rename(away, path), 0);
    r.agent->again_ms = 0;
    agent_turn_soon(r.agent);
    agent_room_until(&r, is_over);
    expect_report(&r, "\"outcome\": \"failure\"");
    agent_room_clear(&r);
}

static bool has_tried_the_report_again(const struct agent_room *r)
{
    return r->agent->failures > 1 && waits(r);
}

static void what_was_lifted_is_not_denied_again_with_the_next_report(void **state)
{
    struct agent_room r;
    struct error e;
    char path[512];
    CLEANUP(cleanup_free) struct denylist *before = NULL;
    CLEANUP(cleanup_free) struct denylist *after = NULL;
    begin(&r, *state, "exit 8");
    assert_int_equal(rmdir(temp_dir_path(path, sizeof path, r.dir, "reports")), 0);
    agent_room_until(&r, waits);
    assert_ok(denylist_load(r.device->state, &r.log, &before, &e));
    assert_int_equal(before->count, 1);
    assert_ok(agent_room_ask(&r, "{\"do\":\"allow\",\"which\":\"7.0\"}", NULL, &e));
    agent_room_until(&r, has_tried_the_report_again);
    assert_ok(denylist_load(r.device->state, &r.log, &after, &e));
    assert_int_equal(after->count, 0);
    agent_room_clear(&r);
}

static void an_agent_that_starts_again_goes_on_with_the_offer(void **state)
{
    struct agent_room r;
    begin(&r, *state, "exec sleep 1000");
    agent_room_until(&r, downloads);
    agent_room_close(&r);
    agent_room_install(&r, "exit 5");
    agent_room_offer_nothing(&r);
    agent_room_open(&r);
    agent_room_until(&r, is_over);
    expect_report(&r, "\"outcome\": \"failure\"");
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_network_that_is_down_is_waited_for_longer_each_time),
        with_dir(what_failed_is_denied_by_the_next_agent_too),
        with_dir(an_image_that_does_not_fit_is_a_failure_that_is_reported_and_denied),
        with_dir(what_may_be_right_another_time_is_a_failure_that_denies_nothing),
        with_dir(another_release_in_its_place_is_a_failure_that_denies_nothing),
        with_dir(an_answer_that_names_no_release_is_a_failure),
        with_dir(what_installs_fetched_is_added_up_and_in_the_history),
        with_dir(a_number_of_bytes_that_cannot_be_is_none),
        with_dir(a_hold_stops_a_download_that_goes_on_when_it_is_released),
        with_dir(a_hold_of_the_reboot_stops_no_download),
        with_dir(a_report_that_does_not_arrive_is_sent_again),
        with_dir(what_was_lifted_is_not_denied_again_with_the_next_report),
        with_dir(an_agent_that_starts_again_goes_on_with_the_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
