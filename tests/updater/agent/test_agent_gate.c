// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_listener.h"
#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <signal.h>

static bool is_held(const struct agent_room *r)
{
    return r->agent->state == AGENT_WAITING;
}

static bool is_idle(const struct agent_room *r)
{
    return r->agent->state == AGENT_IDLE;
}

static bool has_tried(const struct agent_room *r)
{
    return agent_room_runs(r, "install") > 0;
}

static bool asks_a_command(const struct agent_room *r)
{
    return r->agent->gates.stage == GATES_COMMAND;
}

static void begin(struct agent_room *r, const char *dir, const char *extra)
{
    agent_room_make(r, dir, extra);
    agent_room_offer(r, 7);
    agent_room_open(r);
}

static void a_hold_closes_the_gate_and_says_whose_it_is(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, NULL);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\",\"for_s\":3600}", NULL, &e));
    agent_room_until(&r, is_held);
    assert_contains(r.agent->waits_for, "held by alice for another ");
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    assert_true(r.agent->again_ms <= loop_now_ms() + GATE_AGAIN_MAX_MS);
    agent_room_clear(&r);
}

static void a_command_is_asked_without_waiting_and_opens_or_closes(void **state)
{
    struct agent_room r;
    begin(&r, *state, "[gates]\ndownload_command=echo busy; exit 75\n");
    agent_room_until(&r, asks_a_command);
    agent_room_until(&r, asks_a_command);
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    agent_room_until(&r, is_held);
    assert_contains(r.agent->waits_for, "not yet: busy");
    agent_room_clear(&r);
}

static void a_command_that_agrees_opens(void **state)
{
    struct agent_room r;
    begin(&r, *state, "[gates]\ndownload_command=test $VV_PHASE = download\n");
    agent_room_until(&r, has_tried);
    agent_room_clear(&r);
}

static void a_question_that_is_dropped_decides_nothing(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, "[gates]\ndownload_command=sleep 1000\n");
    agent_room_until(&r, asks_a_command);
    agent_room_until(&r, asks_a_command);
    assert_ok(agent_cancel(r.agent, "cancelled", &e));
    assert_int_equal(r.agent->gates.stage, GATES_IDLE);
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    agent_room_clear(&r);
}

static bool polled(const struct agent_room *r)
{
    return r->agent->polls > 0;
}

static void an_answer_from_before_a_poll_does_not_count_behind_it(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, "[gates]\ndownload_command=echo not any more; exit 75\n");
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    r.agent->gates.phase = GATE_DOWNLOAD;
    r.agent->answer = (struct gate_answer){.open = true};
    r.agent->answered = true;
    agent_room_until(&r, polled);
    agent_room_until(&r, is_held);
    assert_contains(r.agent->waits_for, "not any more");
    assert_int_equal(agent_room_runs(&r, "install"), 0);
    agent_room_clear(&r);
}

static bool command_is_gone(const struct agent_room *r)
{
    return r->agent->gates.run.pid == 0;
}

static void a_command_that_is_dropped_is_waited_for_by_the_loop(void **state)
{
    struct agent_room r;
    struct error e;
    begin(&r, *state, "[gates]\ndownload_command=exec sleep 1000\n");
    for (int i = 0; i < 2; i++) {
        agent_room_until(&r, asks_a_command);
        pid_t pid = r.agent->gates.run.pid;
        agent_drop_gate(r.agent);
        agent_room_until(&r, command_is_gone);
        assert_int_equal(kill(pid, 0), -1); // not even as a zombie
        assert_int_equal(errno, ESRCH);
        assert_int_equal(agent_ask_gate(r.agent, GATE_DOWNLOAD), GATE_ASKED);
    }
    assert_ok(agent_cancel(r.agent, "cancelled", &e));
    agent_room_until(&r, command_is_gone);
    agent_room_clear(&r);
}

static void a_command_that_had_its_time_is_waited_for_too(void **state)
{
    struct agent_room r;
    begin(&r, *state, "[gates]\ndownload_command=exec sleep 1000\n");
    agent_room_until(&r, asks_a_command);
    r.agent->gates.run.deadline_ms = 0;
    loop_set_deadline(&r.agent->loop, &r.agent->gate_due, 0);
    agent_room_until(&r, is_held);
    assert_contains(r.agent->waits_for, "no answer within 30 s");
    agent_room_until(&r, command_is_gone);
    agent_room_clear(&r);
}

// --- events --------------------------------------------------------------------------------------

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void a_gate_that_closes_or_opens_is_told_once(void **state)
{
    struct agent_room r;
    struct agent_listener l;
    struct error e;
    const json_t *gate;
    agent_room_make(&r, *state, NULL);
    agent_room_offer(&r, 7);
    agent_room_open(&r);
    agent_listener_begin(&l, &r);
    assert_ok(agent_room_ask(&r, "{\"do\":\"hold\",\"owner\":\"alice\"}", NULL, &e));
    agent_room_until(&r, is_held);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 1);
    assert_string_equal(text_of(gate, "phase"), "download");
    assert_string_equal(text_of(gate, "gate"), "hold");
    assert_string_equal(text_of(gate, "reason"), "held by alice until released");
    assert_string_equal(text_of(gate, "state"), "waiting");
    assert_string_equal(text_of(gate, "version"), "7.0");
    assert_true(json_is_false(json_object_get(gate, "open")));
    json_int_t until_s = json_integer_value(json_object_get(gate, "until"));
    json_int_t now_s = json_integer_value(json_object_get(gate, "time"));
    assert_int_equal(until_s, now_s + GATE_AGAIN_MAX_MS / 1000);
    // Asked again with the same answer.
    agent_wait(r.agent, 0, "");
    r.agent->state = AGENT_IDLE;
    agent_turn_soon(r.agent);
    agent_room_until(&r, is_held);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 1);
    assert_ok(agent_room_ask(&r, "{\"do\":\"release\",\"owner\":\"alice\"}", NULL, &e));
    agent_room_until(&r, has_tried);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 2);
    assert_string_equal(text_of(gate, "gate"), "hold");
    assert_true(json_is_true(json_object_get(gate, "open")));
    assert_true(json_is_null(json_object_get(gate, "until")));
    agent_listener_end(&l);
    agent_room_clear(&r);
}

static void a_gate_that_was_never_closed_is_not_told(void **state)
{
    struct agent_room r;
    struct agent_listener l;
    const json_t *gate;
    begin(&r, *state, "[gates]\ndownload_command=true\n");
    agent_listener_begin(&l, &r);
    agent_room_until(&r, has_tried);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 0);
    agent_listener_end(&l);
    agent_room_clear(&r);
}

static void the_same_gate_is_told_again_for_another_offer(void **state)
{
    struct agent_room r;
    struct agent_listener l;
    struct error e;
    const json_t *gate;
    begin(&r, *state, "[gates]\ndownload_command=echo busy; exit 75\n");
    agent_listener_begin(&l, &r);
    agent_room_until(&r, is_held);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 1);
    assert_string_equal(text_of(gate, "gate"), "command");
    assert_ok(agent_room_ask(&r, "{\"do\":\"cancel\"}", NULL, &e));
    agent_room_until(&r, is_idle);
    agent_room_offer(&r, 8);
    assert_ok(agent_room_ask(&r, "{\"do\":\"check\"}", NULL, &e));
    agent_room_until(&r, is_held);
    assert_int_equal(agent_listener_count(&l, "gate", &gate), 2);
    assert_string_equal(text_of(gate, "version"), "8.0");
    agent_listener_end(&l);
    agent_room_clear(&r);
}

static void what_is_configured_is_what_the_gates_get(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state,
                    "[gates]\ninstall_window=Sun 02:00-04:00\nreboot_command=true\nneed_ac=yes\n"
                    "battery_min=30%\nclock_wait=2h\nfleet_lock_url=http://h/\n");
    agent_room_name(&r, "dev1");
    agent_room_open(&r);
    const struct gate_config *g = &r.agent->gate_config;
    assert_int_equal(g->windows[GATE_DOWNLOAD].count, 0);
    assert_int_equal(g->windows[GATE_INSTALL].count, 1);
    assert_null(g->command[GATE_INSTALL]);
    assert_string_equal(g->command[GATE_REBOOT], "true");
    assert_true(g->need_ac && !g->need_consent);
    assert_int_equal(g->battery_min_percent, 30);
    assert_int_equal(g->clock_wait_ms, 2 * 3600 * 1000);
    assert_string_equal(g->fleet_lock.url, "http://h/");
    assert_string_equal(g->fleet_lock.group, "default");
    assert_string_equal(g->fleet_lock.id, "dev1");
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(a_hold_closes_the_gate_and_says_whose_it_is),
        with_dir(a_command_is_asked_without_waiting_and_opens_or_closes),
        with_dir(a_command_that_agrees_opens),
        with_dir(a_question_that_is_dropped_decides_nothing),
        with_dir(an_answer_from_before_a_poll_does_not_count_behind_it),
        with_dir(a_command_that_is_dropped_is_waited_for_by_the_loop),
        with_dir(a_command_that_had_its_time_is_waited_for_too),
        with_dir(a_gate_that_closes_or_opens_is_told_once),
        with_dir(a_gate_that_was_never_closed_is_not_told),
        with_dir(the_same_gate_is_told_again_for_another_offer),
        with_dir(what_is_configured_is_what_the_gates_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
