// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"

#define DAY_MS (UINT64_C(24 * 3600) * 1000)
#define HOUR_MS (UINT64_C(3600) * 1000)
#define YEAR_S UINT64_C(31557600)
#define LAST_OF_9999_S UINT64_C(253402300799)

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0;
}

static bool has_an_offer(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_ACCEPTED;
}

static bool has_the_newer_offer(const struct agent_room *r)
{
    return has_an_offer(r) && r->agent->offer.record.release.release_index == 8;
}

static bool has_none(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_NONE;
}

static bool has_polled_twice(const struct agent_room *r)
{
    return r->agent->polls > 1;
}

static void open_at(struct agent_room *r, const char *dir)
{
    agent_room_make(r, dir, "[gates]\ninstall_command=exit 75\ndownload_command=exit 75\n");
}

static void poll_again(struct agent_room *r)
{
    r->agent->polls = 0;
    poll_schedule_trigger(&r->agent->poll, loop_now_ms());
    agent_turn_soon(r->agent);
    agent_room_until(r, has_polled);
}

static void nothing_is_nothing_and_the_reason_is_kept(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_string_equal(r.agent->poll_says, "there is no image");
    assert_int_equal(r.agent->poll_failures, 0);
    agent_room_clear(&r);
}

// It is the only one, and of release 7.
static void begin_with_offer(struct agent_room *r, const char *dir)
{
    open_at(r, dir);
    agent_room_offer(r, 7);
    agent_room_open(r);
}

static void cancel(struct agent_room *r)
{
    struct error e;
    agent_room_until(r, has_an_offer);
    assert_ok(agent_room_ask(r, "{\"do\":\"cancel\",\"owner\":\"alice\"}", NULL, &e));
    agent_room_until(r, has_none);
}

static void a_directory_that_did_not_change_is_not_looked_into_again(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 1);
    file_device_write(r.dir, "drop/x.vvi", "x");
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 2);
    // What comes while the source is asked is news to the next poll.
    agent_room_poll_with(&r, "touch drop/y.vvi");
    file_device_write(r.dir, "drop/x.vvi", "xy");
    poll_again(&r);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 4);
    r.agent->by_hand = true;
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 5);
    agent_room_clear(&r);
}

static void an_offer_is_accepted_and_on_record(void **state)
{
    struct agent_room r;
    struct error e;
    struct offer_record record;
    begin_with_offer(&r, *state);
    agent_room_until(&r, has_an_offer);
    assert_ok(offer_record_load(r.device->state, &record, &e));
    assert_string_equal(record.release.version, "7.0");
    assert_string_equal(record.offer.url, "/drop/7");
    agent_room_clear(&r);
}

static void a_newer_offer_takes_the_place_of_one_that_waits(void **state)
{
    struct agent_room r;
    struct error e;
    CLEANUP(cleanup_free) struct history *history = NULL;
    begin_with_offer(&r, *state);
    agent_room_until(&r, has_an_offer);
    agent_room_offer(&r, 8);
    file_device_write(r.dir, "drop/8.vvi", "x");
    poll_again(&r);
    agent_room_until(&r, has_the_newer_offer);
    assert_ok(history_load(r.device->state, &r.log, &history, &e));
    assert_int_equal(history->count, 1);
    assert_int_equal(history->entries[0].outcome, OFFER_CANCELLED);
    assert_string_equal(history->entries[0].reason, "release 8.0 is offered in its place");
    agent_room_clear(&r);
}

static void what_failed_here_is_not_taken_until_it_is_allowed(void **state)
{
    struct agent_room r;
    struct error e;
    struct release_id release = {.version = "7.0", .release_index = 7};
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    release.manifest_sha256[SHA256_SIZE - 1] = 7;
    begin_with_offer(&r, *state);
    assert_ok(denylist_load(r.device->state, &r.log, &list, &e));
    denylist_add(list, &release, "its checks failed", 1000);
    assert_ok(denylist_save(r.device->state, list, &e));
    agent_room_until(&r, has_polled);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_string_equal(r.agent->poll_says, "release 7.0 failed here: its checks failed; "
                                            "'vv-update allow 7.0' lifts that");
    assert_ok(agent_room_ask(&r, "{\"do\":\"allow\",\"which\":\"7.0\"}", NULL, &e));
    agent_room_until(&r, has_an_offer);
    agent_room_clear(&r);
}

static void what_was_cancelled_comes_again_by_hand_only(void **state)
{
    struct agent_room r;
    struct error e;
    begin_with_offer(&r, *state);
    cancel(&r);
    file_device_write(r.dir, "drop/x.vvi", "x");
    poll_again(&r);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_contains(r.agent->poll_says, "release 7.0 was cancelled here: cancelled by alice; ");
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    agent_room_until(&r, has_an_offer);
    agent_room_clear(&r);
}

static void of_two_offers_in_turns_each_is_remembered(void **state)
{
    struct agent_room r;
    begin_with_offer(&r, *state);
    cancel(&r);
    agent_room_offer(&r, 8);
    file_device_write(r.dir, "drop/x.vvi", "x");
    poll_again(&r);
    cancel(&r);
    agent_room_offer(&r, 7);
    file_device_write(r.dir, "drop/y.vvi", "y");
    poll_again(&r);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_contains(r.agent->poll_says, "release 7.0 was cancelled here");
    agent_room_clear(&r);
}

static void nothing_is_said_against_the_offer_at_hand(void **state)
{
    struct agent_room r;
    struct error e;
    begin_with_offer(&r, *state);
    cancel(&r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    agent_room_until(&r, has_an_offer);
    file_device_write(r.dir, "drop/x.vvi", "x");
    poll_again(&r);
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    assert_string_equal(r.agent->poll_says, "");
    agent_room_clear(&r);
}

static void while_it_cannot_be_read_what_failed_here_nothing_is_taken(void **state)
{
    char path[512];
    struct agent_room r;
    begin_with_offer(&r, *state);
    temp_dir_path(path, sizeof path, r.dir, "state/denied");
    assert_int_equal(mkdir(path, 0700), 0);
    agent_room_until(&r, has_polled);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_contains(r.agent->poll_says, "release 7.0 waits: ");
    assert_contains(r.agent->poll_says, "state/denied: read: ");
    assert_int_equal(rmdir(path), 0);
    poll_again(&r);
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    agent_room_clear(&r);
}

static void expect_none_at(struct agent_room *r, uint64_t wall_s)
{
    agent_room_set_clock(r, wall_s);
    poll_again(r);
    assert_int_equal(r->agent->offer.record.phase, OFFER_NONE);
    assert_contains(r->agent->poll_says, "release 7.0 was cancelled here");
}

static void what_was_cancelled_stays_so_for_a_day_whatever_the_clock_says(void **state)
{
    struct agent_room r;
    begin_with_offer(&r, *state);
    uint64_t now_s = agent_room_wall_s(&r);
    cancel(&r);
    expect_none_at(&r, now_s + YEAR_S);
    expect_none_at(&r, now_s - YEAR_S);
    expect_none_at(&r, 0);
    expect_none_at(&r, LAST_OF_9999_S);
    assert_int_equal(agent_room_runs(&r, "check"), 5);
    // A day later, and nothing in the directory has changed.
    r.agent->decided_ms -= DAY_MS;
    r.agent->seen_ms -= DAY_MS;
    poll_again(&r);
    agent_room_until(&r, has_an_offer);
    agent_room_clear(&r);
}

// The clock of this device was ahead when it was decided.
static void a_time_that_is_to_come_keeps_a_release_away_once_at_most(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    agent_room_offer(&r, 7);
    uint64_t now_s = agent_room_wall_s(&r);
    agent_room_set_clock(&r, now_s + YEAR_S);
    agent_room_open(&r);
    cancel(&r);
    agent_room_close(&r);
    // Another agent, with the right time: it cannot know how long ago that was.
    agent_room_set_clock(&r, now_s);
    agent_room_open(&r);
    cancel(&r);
    agent_room_close(&r);
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    assert_contains(r.agent->poll_says, "release 7.0 was cancelled here");
    agent_room_clear(&r);
}

static void an_unchanged_directory_is_looked_into_once_a_day(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 1);
    r.agent->seen_ms -= DAY_MS;
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 2);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 2);
    agent_room_clear(&r);
}

// And not for another day from when somebody looked last.
static void what_was_cancelled_is_taken_again_when_its_day_is_over(void **state)
{
    struct agent_room r;
    begin_with_offer(&r, *state);
    cancel(&r);
    r.agent->decided_ms -= DAY_MS - HOUR_MS;
    file_device_write(r.dir, "drop/x.vvi", "x");
    poll_again(&r);
    unsigned runs = agent_room_runs(&r, "check");
    assert_contains(r.agent->poll_says, "release 7.0 was cancelled here");
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), runs);
    r.agent->decided_ms -= HOUR_MS;
    r.agent->seen_ms -= HOUR_MS;
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), runs + 1);
    agent_room_until(&r, has_an_offer);
    agent_room_clear(&r);
}

static void a_directory_that_was_not_read_in_full_is_looked_into_again(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    file_device_write(
        r.dir, "answer",
        "{\"result\":\"nothing\",\"why\":\"x.vvi: I/O error\",\"incomplete\":true}\n");
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 2);
    agent_room_offer_nothing(&r);
    poll_again(&r);
    poll_again(&r);
    assert_int_equal(agent_room_runs(&r, "check"), 3);
    agent_room_clear(&r);
}

static void an_answer_that_makes_no_sense_is_a_failed_poll_or_no_offer(void **state)
{
    static const char *const answers[] = {
        "{\"result\":\"offer\"}\n",
        "{\"result\":\"offer\",\"source\":\"dir\",\"offer\":\"\",\"url\":\"x\"}\n",
        "garbage\n",
        "",
    };
    struct agent_room r;
    open_at(&r, *state);
    agent_room_open(&r);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        file_device_write(r.dir, "answer", answers[i]);
        r.agent->by_hand = true;
        poll_again(&r);
        assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    }
    agent_room_clear(&r);
}

static void failed_polls_are_counted_and_wait_longer(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    file_device_write(r.dir, "program", "#!/bin/sh\nexit 4\n");
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    assert_int_equal(r.agent->poll_failures, 1);
    assert_string_equal(poll_answer_name(r.agent->poll.last), "unreachable");
    poll_schedule_trigger(&r.agent->poll, loop_now_ms());
    agent_turn_soon(r.agent);
    agent_room_until(&r, has_polled_twice);
    assert_int_equal(r.agent->poll_failures, 2);
    assert_true(poll_schedule_next_ms(&r.agent->poll) > loop_now_ms());
    agent_room_clear(&r);
}

static bool asks_the_source(const struct agent_room *r)
{
    return verb_child_runs(&r->agent->child);
}

static void a_poll_that_does_not_end_is_ended_and_failed(void **state)
{
    struct agent_room r;
    open_at(&r, *state);
    agent_room_poll_with(&r, "exec sleep 1000");
    agent_room_open(&r);
    agent_room_until(&r, asks_the_source);
    struct agent *a = r.agent;
    assert_true(loop_has_deadline(&a->loop, &a->child.limit));
    // Gates and the flip wait for as long.
    assert_in_range(a->child.limit.due_ms, loop_now_ms(), loop_now_ms() + 5 * 60 * 1000);
    loop_set_deadline(&a->loop, &a->child.limit, 0);
    agent_room_until(&r, has_polled);
    assert_int_equal(a->poll_failures, 1);
    assert_string_equal(a->poll_says, "'check' did not end within 5 min, and was killed");
    assert_true(poll_schedule_next_ms(&a->poll) > loop_now_ms());
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(nothing_is_nothing_and_the_reason_is_kept),
        with_dir(a_directory_that_did_not_change_is_not_looked_into_again),
        with_dir(an_offer_is_accepted_and_on_record),
        with_dir(a_newer_offer_takes_the_place_of_one_that_waits),
        with_dir(what_failed_here_is_not_taken_until_it_is_allowed),
        with_dir(what_was_cancelled_comes_again_by_hand_only),
        with_dir(of_two_offers_in_turns_each_is_remembered),
        with_dir(nothing_is_said_against_the_offer_at_hand),
        with_dir(while_it_cannot_be_read_what_failed_here_nothing_is_taken),
        with_dir(what_was_cancelled_stays_so_for_a_day_whatever_the_clock_says),
        with_dir(a_time_that_is_to_come_keeps_a_release_away_once_at_most),
        with_dir(an_unchanged_directory_is_looked_into_once_a_day),
        with_dir(what_was_cancelled_is_taken_again_when_its_day_is_over),
        with_dir(a_directory_that_was_not_read_in_full_is_looked_into_again),
        with_dir(an_answer_that_makes_no_sense_is_a_failed_poll_or_no_offer),
        with_dir(a_poll_that_does_not_end_is_ended_and_failed),
        with_dir(failed_polls_are_counted_and_wait_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
