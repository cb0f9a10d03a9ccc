// SPDX-License-Identifier: Apache-2.0
// The wall clock is set, or jumps by years: what the agent does about it.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <stdlib.h>
#include <time.h>

#define YEAR_S UINT64_C(31557600)
#define LONG_HOLD_S UINT64_C(3000 * 24 * 3600) // longer than a machine that tests is up
// Fri 2027-01-15 08:00:00 UTC.
#define FRIDAY_MORNING UINT64_C(1800000000)

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child);
}

static bool is_idle(const struct agent_room *r)
{
    return has_polled(r) && r->agent->state == AGENT_IDLE &&
           loop_has_deadline(&r->agent->loop, &r->agent->wake);
}

static bool waits(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING && r->agent->again_ms != 0 &&
           loop_has_deadline(&r->agent->loop, &r->agent->wake);
}

static bool has_tried(const struct agent_room *r)
{
    return agent_room_runs(r, "install") > 0;
}

// All that comes of a clock that is set to `wall_s`: the wake-up by it, and a turn.
static void jump(struct agent_room *r, uint64_t wall_s)
{
    struct error e;
    uint64_t wakeups = r->agent->loop.wakeups;
    agent_room_set_clock(r, wall_s);
    assert_ok(loop_turn(&r->agent->loop, &e));
    assert_ok(loop_turn(&r->agent->loop, &e));
    assert_int_equal(r->agent->loop.wakeups, wakeups + 2);
}

static struct holds stored_holds(const struct agent_room *r)
{
    struct error e;
    struct holds holds;
    assert_ok(holds_load(r->device->state, &holds, &e));
    return holds;
}

// Set by alice in another boot, at `wall_s`.
static void put_old_hold(const struct agent_room *r, uint64_t wall_s)
{
    struct error e;
    struct holds holds = {0};
    CLEANUP(cleanup_state_store) struct state_store *state = NULL;
    const struct hold_request request = {
        .owner = "alice", .phases = GATE_ALL_PHASES, .length_ms = LONG_HOLD_S * 1000};
    const struct hold_now then = {.boot_id = "another", .boottime_ms = 5000, .wall_s = wall_s};
    assert_ok(holds_set(&holds, &request, &then, &e));
    assert_ok(state_dir_open(r->file.state, &state, &e));
    assert_ok(holds_save(state, &holds, &e));
}

// --- holds ---------------------------------------------------------------------------------------

static void a_hold_of_this_boot_goes_by_the_time_since_boot(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, is_idle);
    uint64_t now_s = agent_room_wall_s(&r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\",\"for_s\":3600}", NULL, &e));
    uint64_t until_ms = r.agent->holds.all[0].until_boot_ms;
    agent_room_until(&r, is_idle);
    const uint64_t times_s[] = {now_s + YEAR_S, now_s - YEAR_S, 0, now_s};
    for (size_t i = 0; i < sizeof times_s / sizeof times_s[0]; i++) {
        jump(&r, times_s[i]);
        assert_int_equal(r.agent->holds.count, 1);
        assert_int_equal(stored_holds(&r).all[0].until_boot_ms, until_ms);
    }
    // The hour is over.
    r.agent->holds.all[0].until_boot_ms = loop_now_ms();
    jump(&r, now_s - YEAR_S);
    assert_int_equal(r.agent->holds.count, 0);
    assert_int_equal(stored_holds(&r).count, 0);
    agent_room_clear(&r);
}

static void a_hold_of_an_earlier_boot_ends_when_the_clock_says_so(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    put_old_hold(&r, FRIDAY_MORNING);
    agent_room_set_clock(&r, 0); // until somebody tells this device what time it is
    r.clock.synchronised = false;
    agent_room_open(&r);
    agent_room_until(&r, waits);
    assert_contains(r.agent->waits_for, "held by alice");
    r.clock.synchronised = true;
    jump(&r, FRIDAY_MORNING + LONG_HOLD_S);
    assert_int_equal(r.agent->holds.count, 0);
    assert_int_equal(stored_holds(&r).count, 0);
    assert_true(r.agent->again_ms <= loop_now_ms() + GATE_AGAIN_MIN_MS);
    agent_room_until(&r, has_tried);
    agent_room_clear(&r);
}

static void
a_hold_of_an_earlier_boot_goes_on_in_this_one_once_the_clock_can_be_trusted(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    put_old_hold(&r, FRIDAY_MORNING);
    agent_room_set_clock(&r, FRIDAY_MORNING);
    r.clock.synchronised = false;
    agent_room_open(&r);
    agent_room_until(&r, is_idle);
    assert_string_equal(stored_holds(&r).all[0].boot_id, "another");
    r.clock.synchronised = true;
    jump(&r, FRIDAY_MORNING + LONG_HOLD_S / 2);
    struct hold moved = stored_holds(&r).all[0];
    assert_string_equal(moved.boot_id, r.agent->offer.boot_id);
    const struct hold_now now = agent_hold_now(r.agent);
    assert_in_range(hold_left_ms(&moved, &now), (LONG_HOLD_S / 2 - 60) * 1000,
                    LONG_HOLD_S / 2 * 1000);
    // From here on the wall clock has no say.
    jump(&r, FRIDAY_MORNING + 3 * LONG_HOLD_S);
    jump(&r, FRIDAY_MORNING - YEAR_S);
    assert_int_equal(stored_holds(&r).count, 1);
    agent_room_clear(&r);
}

// --- gates ---------------------------------------------------------------------------------------

static void a_closed_window_is_asked_again_when_the_clock_is_set(void **state)
{
    struct agent_room r;
    setenv("TZ", "UTC", 1);
    tzset();
    agent_room_make(&r, *state, "[gates]\ndownload_window=Fri 20:00-21:00\n");
    agent_room_offer(&r, 7);
    agent_room_set_clock(&r, FRIDAY_MORNING);
    agent_room_open(&r);
    agent_room_until(&r, waits);
    assert_string_equal(r.agent->waits_for, "waiting for window Fri 20:00");
    // A year back, and on another day: the next window is told, and nobody is in a hurry.
    jump(&r, FRIDAY_MORNING - YEAR_S);
    assert_true(r.agent->gate_closed);
    r.agent->again_ms = 0;
    agent_turn_soon(r.agent);
    agent_room_until(&r, waits);
    assert_contains(r.agent->waits_for, "waiting for window ");
    assert_true(r.agent->again_ms > loop_now_ms() + GATE_AGAIN_MIN_MS);
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    jump(&r, FRIDAY_MORNING + 12 * 3600);
    assert_true(r.agent->again_ms <= loop_now_ms() + GATE_AGAIN_MIN_MS);
    agent_room_until(&r, has_tried);
    agent_room_clear(&r);
}

// However often it is set: a gate may be a server.
static void a_gate_is_asked_once_a_second_at_most(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, "[gates]\ndownload_command=exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, waits);
    jump(&r, FRIDAY_MORNING);
    uint64_t again_ms = r.agent->again_ms;
    for (uint64_t i = 1; i <= 20; i++) {
        jump(&r, FRIDAY_MORNING + i * YEAR_S);
        assert_int_equal(r.agent->again_ms, again_ms);
    }
    agent_room_clear(&r);
}

static void a_wait_after_a_failure_is_no_shorter(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_room_until(&r, waits); // the network is down
    uint64_t again_ms = r.agent->again_ms;
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    jump(&r, FRIDAY_MORNING);
    jump(&r, FRIDAY_MORNING + YEAR_S);
    assert_int_equal(r.agent->again_ms, again_ms);
    assert_int_equal(agent_room_runs(&r, "install"), 1);
    agent_room_clear(&r);
}

// --- polls ---------------------------------------------------------------------------------------

static void polls_neither_hurry_nor_stop(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, is_idle);
    uint64_t due_ms = r.agent->wake.due_ms;
    for (uint64_t i = 0; i < 50; i++) {
        jump(&r, FRIDAY_MORNING + (i % 2 == 0 ? i * YEAR_S : 0));
        assert_int_equal(r.agent->polls, 1);
        assert_int_equal(r.agent->wake.due_ms, due_ms);
        assert_true(loop_has_deadline(&r.agent->loop, &r.agent->wake));
    }
    // What was no image by the old time may be one now: it is looked at, when the hour is over.
    r.agent->polls = 0;
    r.agent->poll.next_ms = loop_now_ms();
    agent_turn_soon(r.agent);
    agent_room_until(&r, has_polled);
    assert_int_equal(agent_room_runs(&r, "check"), 2);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_hold_of_this_boot_goes_by_the_time_since_boot),
        with_dir(a_hold_of_an_earlier_boot_ends_when_the_clock_says_so),
        with_dir(a_hold_of_an_earlier_boot_goes_on_in_this_one_once_the_clock_can_be_trusted),
        with_dir(a_closed_window_is_asked_again_when_the_clock_is_set),
        with_dir(a_gate_is_asked_once_a_second_at_most),
        with_dir(a_wait_after_a_failure_is_no_shorter),
        with_dir(polls_neither_hurry_nor_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
