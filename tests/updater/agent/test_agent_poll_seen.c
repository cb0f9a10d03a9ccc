// SPDX-License-Identifier: Apache-2.0
// What the source has told is asked for again only if it is something else, or means something
// else.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#define DAY_MS (UINT64_C(24 * 3600) * 1000)

static const char nothing[] =
    "{\"result\":\"nothing\",\"why\":\"it is older\",\"seen\":\"\\\"a\\\" http://h/x\"}\n";
static const char offer[] =
    "{\"result\":\"offer\",\"source\":\"dir\",\"offer\":\"id\",\"url\":\"http://h/x\","
    "\"version\":\"7.0\",\"release_index\":7,\"manifest_sha256\":"
    "\"0000000000000000000000000000000000000000000000000000000000000007\","
    "\"seen\":\"\\\"a\\\" http://h/x\"}\n";
static const char unchanged[] = "{\"result\":\"unchanged\"}\n";

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child) &&
           r->agent->gates.stage == GATES_IDLE &&
           loop_has_deadline(&r->agent->loop, &r->agent->wake) &&
           r->agent->wake.due_ms > loop_now_ms();
}

static bool polls(const struct agent_room *r)
{
    return verb_child_runs(&r->agent->child);
}

static bool has_none(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_NONE;
}

// As of a URL: a directory would be told by its stamp. Behind a first poll.
static void open_at(struct agent_room *r, const char *dir, const char *answer)
{
    agent_room_make(r, dir, "[gates]\ndownload_command=exit 75\n");
    file_device_write(r->dir, "answer", answer);
    agent_room_open(r);
    r->device->config->fleet.dir = NULL;
    agent_room_until(r, has_polled);
    assert_false(agent_room_words_have(r, "check", "--seen"));
}

// Whether the next poll is for something else only.
static bool asks_for_news(struct agent_room *r)
{
    r->agent->polls = 0;
    r->agent->poll.next_ms = loop_now_ms();
    agent_turn_soon(r->agent);
    agent_room_until(r, has_polled);
    bool named = agent_room_words_have(r, "check", "--seen \"a\" http://h/x");
    assert_int_equal(named, agent_room_words_have(r, "check", "--seen"));
    return named;
}

static void what_was_no_offer_is_asked_for_news_and_once_a_day_in_full(void **state)
{
    struct agent_room r;
    open_at(&r, *state, nothing);
    file_device_write(r.dir, "answer", unchanged);
    for (int i = 0; i < 9; i++) {
        assert_true(asks_for_news(&r));
        assert_string_equal(r.agent->poll_says, "it is older");
        assert_int_equal(r.agent->poll_failures, 0);
    }
    r.agent->seen_ms -= DAY_MS;
    file_device_write(r.dir, "answer", nothing);
    assert_false(asks_for_news(&r));
    assert_true(asks_for_news(&r));
    assert_int_equal(agent_room_runs(&r, "check"), 12);
    agent_room_clear(&r);
}

static void who_asks_by_hand_is_answered_in_full(void **state)
{
    struct agent_room r;
    open_at(&r, *state, nothing);
    assert_true(asks_for_news(&r));
    r.agent->by_hand = true;
    assert_false(asks_for_news(&r));
    assert_true(asks_for_news(&r));
    agent_room_clear(&r);
}

static void a_poll_that_failed_has_told_nothing(void **state)
{
    struct agent_room r;
    open_at(&r, *state, nothing);
    agent_room_poll_with(&r, "exit 4\n");
    assert_true(asks_for_news(&r));
    assert_int_equal(r.agent->poll_failures, 1);
    agent_room_poll_with(&r, "true\n");
    assert_true(asks_for_news(&r));
    agent_room_clear(&r);
}

static void an_answer_without_a_version_is_asked_for_in_full(void **state)
{
    struct agent_room r;
    open_at(&r, *state, nothing);
    agent_room_offer_nothing(&r);
    assert_true(asks_for_news(&r));
    assert_false(asks_for_news(&r));
    agent_room_clear(&r);
}

static void an_offer_is_asked_for_news_while_it_waits_and_in_full_when_it_is_over(void **state)
{
    struct agent_room r;
    struct error e;
    open_at(&r, *state, offer);
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    file_device_write(r.dir, "answer", unchanged);
    assert_true(asks_for_news(&r));
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    assert_ok(agent_cancel(r.agent, "cancelled by alice", &e));
    agent_room_until(&r, has_none);
    file_device_write(r.dir, "answer", offer);
    assert_false(asks_for_news(&r));
    assert_contains(r.agent->poll_says, "release 7.0 was cancelled here");
    assert_true(asks_for_news(&r)); // that is dealt with
    agent_room_clear(&r);
}

static void what_could_not_be_taken_is_asked_for_in_full(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, "[gates]\ndownload_command=exit 75\n");
    file_device_write(r.dir, "answer", offer);
    r.full_for = "";
    agent_room_open(&r);
    r.device->config->fleet.dir = NULL;
    agent_room_until(&r, has_polled);
    assert_contains(r.agent->poll_says, "cannot be taken");
    assert_false(asks_for_news(&r));
    r.state.full_for = NULL;
    assert_false(asks_for_news(&r));
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    agent_room_clear(&r);
}

static void a_clock_that_is_set_makes_it_ask_in_full(void **state)
{
    struct agent_room r;
    open_at(&r, *state, nothing);
    agent_room_set_clock(&r, 1800000000);
    assert_false(asks_for_news(&r));
    assert_true(asks_for_news(&r));
    // Also when it is set while the source is asked, by the time before.
    agent_room_poll_with(&r, "while [ ! -e go ]; do sleep 0.01; done\n");
    r.agent->polls = 0;
    r.agent->poll.next_ms = loop_now_ms();
    agent_turn_soon(r.agent);
    agent_room_until(&r, polls);
    agent_room_set_clock(&r, 1900000000);
    struct error e;
    assert_ok(loop_turn(&r.agent->loop, &e));
    file_device_write(r.dir, "go", "");
    agent_room_until(&r, has_polled);
    assert_false(asks_for_news(&r));
    assert_true(asks_for_news(&r));
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(what_was_no_offer_is_asked_for_news_and_once_a_day_in_full),
        with_dir(who_asks_by_hand_is_answered_in_full),
        with_dir(a_poll_that_failed_has_told_nothing),
        with_dir(an_answer_without_a_version_is_asked_for_in_full),
        with_dir(an_offer_is_asked_for_news_while_it_waits_and_in_full_when_it_is_over),
        with_dir(what_could_not_be_taken_is_asked_for_in_full),
        with_dir(a_clock_that_is_set_makes_it_ask_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
