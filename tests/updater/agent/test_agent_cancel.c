// SPDX-License-Identifier: Apache-2.0
// What a person is told who cancels, and what then becomes of the update, whatever comes between.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_by_hand.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/history.h"

#include <signal.h>

static const char cancel[] = "{\"do\":\"cancel\",\"owner\":\"alice\"}";

static bool downloads(const struct agent_room *r)
{
    return r->agent->state == AGENT_DOWNLOADING && verb_child_runs(&r->agent->child);
}

static bool waits(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING && r->agent->again_ms != 0;
}

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child);
}

static bool is_over(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->offer.record.phase == OFFER_NONE;
}

static void begin(struct agent_room *r, const char *dir, const char *extra)
{
    agent_room_make(r, dir, extra);
    agent_room_offer(r, 7);
    agent_room_install(r, "exec sleep 1000");
    agent_room_open(r);
}

static void expect_history(struct agent_room *r, enum offer_outcome outcome)
{
    struct error e;
    CLEANUP(cleanup_free) struct history *history = NULL;
    assert_ok(history_load(r->device->state, &r->log, &history, &e));
    assert_int_equal(history->count, 1);
    assert_int_equal(history->entries[0].outcome, outcome);
    assert_int_equal(agent_room_said(r, "its source knows"), 1);
}

static void expect_cancelled(struct agent_room *r)
{
    agent_room_until(r, is_over);
    expect_history(r, OFFER_CANCELLED);
}

static struct offer_record stored(const struct agent_room *r)
{
    struct error e;
    struct offer_record record;
    assert_ok(offer_record_load(r->device->state, &record, &e));
    return record;
}

static void without_an_offer_there_is_nothing_to_cancel(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_fails(ERR_NOT_NOW, "no update", agent_room_ask(&r, cancel, NULL, &e));
    agent_room_clear(&r);
}

// --- during the download -------------------------------------------------------------------------

static void an_install_is_stopped_once_its_cancel_is_on_record(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, NULL);
    agent_room_until(&r, downloads);
    agent_room_await_run(&r, "install", 1);
    pid_t pid = r.agent->child.child.pid;
    assert_ok(agent_room_ask(&r, cancel, NULL, &e));
    assert_int_equal(stored(&r).outcome, OFFER_CANCELLED);
    assert_string_equal(stored(&r).reason, "cancelled by alice");
    assert_true(verb_child_runs(&r.agent->child));
    assert_fails(ERR_NOT_NOW, "no update", agent_room_ask(&r, cancel, NULL, &e)); // again
    expect_cancelled(&r);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(r.agent->failures, 0);
    agent_room_clear(&r);
}

// It is cut off before the install has ended, and before anything else is written.
static void what_was_told_holds_after_a_cut(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, NULL);
    agent_room_until(&r, downloads);
    agent_room_await_run(&r, "install", 1);
    assert_ok(agent_room_ask(&r, cancel, NULL, &e));
    r.state.full_for = ""; // nothing is written from here on
    agent_room_close(&r);
    agent_room_offer_nothing(&r);
    agent_room_open(&r);
    expect_cancelled(&r);
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    assert_int_equal(agent_room_runs(&r, "activate"), 0);
    agent_room_clear(&r);
}

// The install was through in the moment in which it was cancelled.
static void an_install_that_is_through_is_not_flipped(void **state)
{
    static const char through[] =
        "until [ -e go ]; do sleep 0.01; done; echo '{\"slot\":\"b\",\"version\":\"7.0\","
        "\"release_index\":7,\"manifest_sha256\":\""
        "0000000000000000000000000000000000000000000000000000000000000007\"}'";
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    agent_room_install(&r, through);
    agent_room_open(&r);
    agent_room_until(&r, downloads);
    agent_room_await_run(&r, "install", 1);
    // It hears of nothing.
    assert_ok(offer_cancel(&r.agent->offer, &r.agent->facts, "cancelled by alice", &e));
    file_device_write(r.dir, "go", "");
    expect_cancelled(&r);
    assert_int_equal(agent_room_runs(&r, "activate"), 0);
    agent_room_clear(&r);
}

// --- what was flipped by hand --------------------------------------------------------------------

static const char closed[] = "[gates]\ndownload_command=exit 75\nreboot_command=exit 75\n";

static void what_somebody_has_flipped_cannot_be_cancelled(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, closed);
    agent_room_until(&r, waits);
    agent_by_hand(&r, &r.agent->offer.record.release, true);
    assert_fails(ERR_NOT_NOW, "release 7.0 cannot be cancelled: it boots next already",
                 agent_room_ask(&r, cancel, NULL, &e));
    assert_int_equal(stored(&r).phase, OFFER_ACCEPTED);
    // Nor does another release take its place, which is said once.
    agent_room_offer(&r, 8);
    for (unsigned polls = 1; polls <= 3; polls++) {
        r.agent->polls = 0;
        agent_look_anew(r.agent);
        poll_schedule_trigger(&r.agent->poll, loop_now_ms());
        agent_turn_soon(r.agent);
        agent_room_until(&r, has_polled);
    }
    assert_int_equal(stored(&r).release.release_index, 7);
    assert_contains(r.agent->poll_says, "release 7.0 cannot be cancelled");
    assert_int_equal(agent_room_said(&r, "it boots next already"), 1);
    agent_room_clear(&r);
}

static void what_only_lies_there_can_be_cancelled(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, closed);
    agent_room_until(&r, waits);
    agent_by_hand(&r, &r.agent->offer.record.release, false);
    assert_ok(agent_room_ask(&r, cancel, NULL, &e));
    expect_cancelled(&r);
    agent_room_clear(&r);
}

// --- a flip that was begun -----------------------------------------------------------------------

static void
a_flip_that_was_begun_and_never_came_to_be_can_be_cancelled_once_nobody_works_on_it(void **state)
{
    struct agent_room r;
    struct error e;
    int lock = -1;
    begin(&r, *state, closed);
    agent_room_until(&r, waits);
    agent_by_hand(&r, &r.agent->offer.record.release, false);
    r.agent->offer.record.phase = OFFER_ACTIVATING;
    r.agent->offer.record.target = 1;
    assert_ok(update_lock_take(r.device->config->state_dir, &lock, &e)); // what was left behind
    assert_fails(ERR_NOT_NOW, "another process is at work", agent_room_ask(&r, cancel, NULL, &e));
    cleanup_close(&lock);
    assert_ok(agent_room_ask(&r, cancel, NULL, &e));
    expect_cancelled(&r);
    agent_room_clear(&r);
}

static void a_flip_that_came_to_be_meanwhile_cannot_be_cancelled(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, closed);
    agent_room_until(&r, waits);
    agent_by_hand(&r, &r.agent->offer.record.release, false);
    r.agent->offer.record.phase = OFFER_ACTIVATING;
    r.agent->offer.record.target = 1;
    agent_look(r.agent); // what was true once
    agent_by_hand(&r, &r.agent->offer.record.release, true);
    assert_fails(ERR_NOT_NOW, "it boots next already", agent_room_ask(&r, cancel, NULL, &e));
    agent_room_clear(&r);
}

static void a_flip_that_is_under_way_cannot_be_cancelled(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, NULL);
    agent_room_until(&r, downloads);
    r.agent->step.step = OFFER_STEP_ACTIVATE;
    assert_fails(ERR_NOT_NOW, "the flip is under way", agent_room_ask(&r, cancel, NULL, &e));
    assert_false(r.agent->child.stopped);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(without_an_offer_there_is_nothing_to_cancel),
        with_dir(an_install_is_stopped_once_its_cancel_is_on_record),
        with_dir(what_was_told_holds_after_a_cut),
        with_dir(an_install_that_is_through_is_not_flipped),
        with_dir(what_somebody_has_flipped_cannot_be_cancelled),
        with_dir(what_only_lies_there_can_be_cancelled),
        with_dir(
            a_flip_that_was_begun_and_never_came_to_be_can_be_cancelled_once_nobody_works_on_it),
        with_dir(a_flip_that_came_to_be_meanwhile_cannot_be_cancelled),
        with_dir(a_flip_that_is_under_way_cannot_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
