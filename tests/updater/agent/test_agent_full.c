// SPDX-License-Identifier: Apache-2.0
// The state directory is full: the agent waits, says so once, forgets nothing, and goes on when
// there is room again.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/denylist.h"
#include "updater/agent/history.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 5 };

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child);
}

static bool has_an_offer(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_ACCEPTED;
}

static bool waits(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING && r->agent->again_ms != 0 &&
           loop_has_deadline(&r->agent->loop, &r->agent->wake);
}

static bool is_decided(const struct agent_room *r)
{
    return r->agent->offer.record.phase == OFFER_DONE;
}

static bool downloads(const struct agent_room *r)
{
    return r->agent->state == AGENT_DOWNLOADING && verb_child_runs(&r->agent->child);
}

static bool is_over(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->offer.record.phase == OFFER_NONE &&
           r->agent->state == AGENT_IDLE;
}

static void begin(struct agent_room *r, const char *dir, const char *extra)
{
    agent_room_make(r, dir, extra);
    agent_room_offer(r, 7);
    agent_room_install(r, "echo '{\"error\":{\"message\":\"manifest: not signed\"}}'; exit 8");
}

// So many waits are over, one after the other; each is a minute.
static void wait_on(struct agent_room *r)
{
    for (int i = 0; i < TRIES; i++) {
        assert_in_range(r->agent->again_ms, loop_now_ms() + 30 * 1000, loop_now_ms() + 60 * 1000);
        uint64_t wakeups = r->agent->loop.wakeups;
        r->agent->again_ms = 0;
        agent_turn_soon(r->agent);
        agent_room_until(r, waits);
        assert_true(r->agent->loop.wakeups <= wakeups + 1);
    }
}

static void go_on_with_room(struct agent_room *r)
{
    r->state.full_for = NULL;
    r->agent->again_ms = 0;
    agent_turn_soon(r->agent);
    agent_room_until(r, is_over);
}

static void expect_ended_once(struct agent_room *r, enum offer_outcome outcome, size_t denied)
{
    struct error e;
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    CLEANUP(cleanup_free) struct history *history = NULL;
    assert_ok(history_load(r->device->state, &r->log, &history, &e));
    assert_int_equal(history->count, 1);
    assert_int_equal(history->entries[0].outcome, outcome);
    assert_ok(denylist_load(r->device->state, &r->log, &list, &e));
    assert_int_equal(list->count, denied);
    assert_int_equal(agent_room_said(r, "its source knows"), 1);
}

// --- the offer -----------------------------------------------------------------------------------

static void what_cannot_be_accepted_is_said_once_and_taken_when_there_is_room(void **state)
{
    struct agent_room r;
    begin(&r, *state, "[gates]\ndownload_command=exit 75\n");
    r.full_for = "";
    agent_room_open(&r);
    for (int i = 0; i < TRIES; i++) {
        agent_room_until(&r, has_polled);
        assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
        assert_int_equal(agent_room_runs(&r, "check"), i + 1);
        r.agent->polls = 0;
        r.agent->poll.next_ms = loop_now_ms();
        agent_turn_soon(r.agent);
    }
    agent_room_until(&r, has_polled);
    assert_int_equal(agent_room_said(&r, "No space left on device"), 1);
    assert_contains(r.agent->poll_says,
                    "release 7.0 cannot be taken: state/offer: write: No space");
    r.state.full_for = NULL;
    poll_schedule_trigger(&r.agent->poll, loop_now_ms());
    agent_turn_soon(r.agent);
    agent_room_until(&r, has_an_offer);
    agent_room_clear(&r);
}

static void nothing_is_installed_whose_end_could_not_be_kept(void **state)
{
    struct agent_room r;
    char extra[600];
    struct stat asked;
    char path[512];
    snprintf(extra, sizeof extra, "[gates]\ndownload_command=echo x >> %s/asked\n",
             (const char *)*state);
    begin(&r, *state, extra);
    r.full_for = "probe";
    agent_room_open(&r);
    agent_room_until(&r, waits);
    wait_on(&r);
    assert_int_equal(stat(temp_dir_path(path, sizeof path, r.dir, "asked"), &asked), 0);
    assert_int_equal(asked.st_size, strlen("x\n")); // no gate is asked in vain
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    assert_int_equal(agent_room_said(&r, "until it can write its record"), 1);
    assert_contains(r.agent->waits_for, "the state directory cannot be written: ");
    go_on_with_room(&r);
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    expect_ended_once(&r, OFFER_FAILURE, 1);
    agent_room_clear(&r);
}

// It fills up while the child runs.
static void a_decision_that_cannot_be_kept_is_made_again(void **state)
{
    struct agent_room r;
    begin(&r, *state, NULL);
    agent_room_install(&r, "exec sleep 1000");
    agent_room_open(&r);
    agent_room_until(&r, downloads);
    r.state.full_for = "";
    agent_room_install(&r, "exit 8");
    kill(r.agent->child.child.pid, SIGKILL);
    agent_room_until(&r, waits);
    unsigned runs = agent_room_runs(&r, "install"); // it may have been ended before it began
    wait_on(&r);
    assert_int_equal(r.agent->offer.record.phase, OFFER_ACCEPTED);
    assert_int_equal(agent_room_runs(&r, "install"), runs);
    assert_int_equal(agent_room_said(&r, "until it can write its record"), 1);
    go_on_with_room(&r);
    assert_int_equal(agent_room_runs(&r, "install"), runs + 1);
    expect_ended_once(&r, OFFER_FAILURE, 1);
    agent_room_clear(&r);
}

// It is refused, and what goes on goes on; once there is room it is taken.
static void a_cancel_that_cannot_be_kept_is_not_taken(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, NULL);
    agent_room_install(&r, "exec sleep 1000");
    agent_room_open(&r);
    agent_room_until(&r, downloads);
    agent_room_await_run(&r, "install", 1);
    r.state.full_for = "";
    for (int i = 0; i < TRIES; i++) {
        assert_fails(ERR_IO, "state/offer: write: No space",
                     agent_cancel(r.agent, "cancelled by alice", &e));
        assert_true(downloads(&r));
    }
    r.state.full_for = NULL;
    assert_ok(agent_cancel(r.agent, "cancelled by alice", &e));
    r.state.full_for = "history"; // it is on record, whatever is full from now on
    agent_room_until(&r, waits);
    wait_on(&r);
    go_on_with_room(&r);
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    expect_ended_once(&r, OFFER_CANCELLED, 0);
    agent_room_clear(&r);
}

// --- the end of it -------------------------------------------------------------------------------

// What is full when the end of an offer is to be kept, and what is said of it.
static const struct {
    const char *full_for, *says;
} ends[] = {
    {"", "the history cannot be written: state/history"},
    {"offer", "until it can write its record: state/offer"},
    {"history", "the history cannot be written: state/history"},
    {"denied", "the list of what failed here cannot be written: state/denied"},
};

static void a_report_is_sent_once_and_what_it_is_about_is_kept_when_there_is_room(void **state)
{
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct agent_room r;
        char dir[512];
        temp_dir_path(dir, sizeof dir, *state,
                      ends[i].full_for[0] != '\0' ? ends[i].full_for : "all");
        assert_int_equal(mkdir(dir, 0700), 0);
        begin(&r, dir, NULL);
        agent_room_open(&r);
        agent_room_until(&r, is_decided);
        r.state.full_for = ends[i].full_for;
        agent_room_until(&r, waits);
        wait_on(&r);
        assert_true(r.state.refused > TRIES);
        assert_int_equal(agent_room_said(&r, ends[i].says), 1);
        assert_int_equal(agent_room_said(&r, "its source knows"), 1);
        assert_int_equal(r.agent->offer.record.phase, OFFER_DONE);
        go_on_with_room(&r);
        expect_ended_once(&r, OFFER_FAILURE, 1);
        agent_room_clear(&r);
    }
}

static void a_restart_in_the_middle_loses_nothing(void **state)
{
    struct agent_room r;
    begin(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, is_decided);
    r.state.full_for = "history";
    agent_room_until(&r, waits);
    assert_true(r.agent->offer.record.reported);
    agent_room_close(&r);
    agent_room_offer_nothing(&r);
    agent_room_open(&r);
    agent_room_until(&r, is_over);
    expect_ended_once(&r, OFFER_FAILURE, 1);
    agent_room_clear(&r);
}

// --- holds and metrics ---------------------------------------------------------------------------

static void a_hold_that_cannot_be_kept_is_refused_and_one_that_is_over_keeps_nobody(void **state)
{
    struct agent_room r;
    struct error e;
    struct holds holds;
    begin(&r, *state, NULL);
    agent_room_offer_nothing(&r);
    agent_room_open(&r);
    agent_room_until(&r, is_over);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"bob\",\"for_s\":3600}", NULL, &e));
    r.state.full_for = "";
    assert_fails(ERR_IO, "state/holds: write: No space",
                 agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\"}", NULL, &e));
    assert_int_equal(r.agent->holds.count, 1);
    r.agent->holds.all[0].until_boot_ms = 1; // over
    for (int i = 0; i < TRIES; i++) {
        agent_turn_soon(r.agent);
        assert_ok(loop_turn(&r.agent->loop, &e));
    }
    assert_int_equal(r.agent->holds.count, 0);
    assert_int_equal(agent_room_said(&r, "the holds cannot be written"), 1);
    // The next agent starts without room, too, and finds it over by itself.
    assert_ok(holds_load(r.device->state, &holds, &e));
    holds.all[0].until_boot_ms = 1;
    r.state.full_for = NULL;
    assert_ok(holds_save(r.device->state, &holds, &e));
    agent_room_close(&r);
    r.full_for = "";
    agent_room_open(&r);
    agent_room_until(&r, is_over);
    assert_int_equal(r.agent->holds.count, 0);
    agent_room_clear(&r);
}

static void metrics_that_cannot_be_written_are_said_once_until_they_can(void **state)
{
    struct agent_room r;
    char extra[600];
    char path[512];
    const char *dir = *state;
    snprintf(extra, sizeof extra, "metrics=%s/away/x.prom\n", dir);
    begin(&r, dir, extra);
    agent_room_open(&r);
    for (int i = 0; i < TRIES; i++) {
        agent_write_metrics(r.agent);
    }
    assert_int_equal(agent_room_said(&r, "the metrics cannot be written: "), 1);
    temp_dir_path(path, sizeof path, dir, "away");
    assert_int_equal(mkdir(path, 0700), 0);
    agent_write_metrics(r.agent);
    assert_int_equal(agent_room_said(&r, "the metrics cannot be written: "), 1);
    // Another trouble, behind one that is over, is news.
    temp_dir_path(path, sizeof path, dir, "away/x.prom");
    assert_int_equal(unlink(path), 0);
    temp_dir_path(path, sizeof path, dir, "away");
    assert_int_equal(rmdir(path), 0);
    agent_write_metrics(r.agent);
    assert_int_equal(agent_room_said(&r, "the metrics cannot be written: "), 2);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(what_cannot_be_accepted_is_said_once_and_taken_when_there_is_room),
        with_dir(nothing_is_installed_whose_end_could_not_be_kept),
        with_dir(a_decision_that_cannot_be_kept_is_made_again),
        with_dir(a_cancel_that_cannot_be_kept_is_not_taken),
        with_dir(a_report_is_sent_once_and_what_it_is_about_is_kept_when_there_is_room),
        with_dir(a_restart_in_the_middle_loses_nothing),
        with_dir(a_hold_that_cannot_be_kept_is_refused_and_one_that_is_over_keeps_nobody),
        with_dir(metrics_that_cannot_be_written_are_said_once_until_they_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
