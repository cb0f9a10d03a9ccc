// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/post_server.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"

#define ANSWER(status, body) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n" body

enum { SHORTEST_MS = 59 * 1000, LONGEST_MS = 91 * 1000, TURNS = 20, MOMENT_MS = 200, FEW = 8 };

static const char *const yes[] = {ANSWER("200 OK", "{}")};
static const char *const on_trial[] = {"BOOT_ORDER=A B", "BOOT_A_LEFT=2", "BOOT_B_LEFT=3",
                                       "vv_trial=a", NULL};

// A running agent, and the server of its fleet's lock.
struct site {
    struct agent_room r;
    struct post_server server;
};

// A device with an id; `vars`: what its boot environment says, NULL: nothing of a trial.
static void begin(struct site *s, const char *dir, const char *const *answers, size_t count,
                  const char *const *vars)
{
    char text[512];
    post_server_start(&s->server, answers, count);
    snprintf(text, sizeof text, "[gates]\nfleet_lock_url=%s\nfleet_lock_group=site-7\n",
             s->server.url);
    agent_room_make(&s->r, dir, text);
    agent_room_name(&s->r, "dev1");
    if (vars != NULL) {
        env_file_make(&s->r.file.env, s->r.dir, vars);
    }
    agent_room_open(&s->r);
}

static void end(struct site *s)
{
    agent_room_clear(&s->r);
    post_server_stop(&s->server);
}

static bool owes_nothing(const struct agent_room *r)
{
    return !agent_owes_lock(r->agent) && r->agent->polls > 0 && r->agent->state == AGENT_IDLE;
}

static bool was_refused(const struct agent_room *r)
{
    return r->agent->lock_says[0] != '\0' && r->agent->gates.stage == GATES_IDLE;
}

static bool polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && r->agent->state == AGENT_IDLE;
}

static void expect_requests(struct post_server *server, unsigned pre_reboot, unsigned steady_state)
{
    const char *text = post_server_requests(server);
    size_t got_pre = count_of(text, "/v1/pre-reboot");
    size_t got_steady = count_of(text, "/v1/steady-state");
    if (got_pre != pre_reboot || got_steady != steady_state) {
        fail_msg("expected %u pre-reboot and %u steady-state, got %zu and %zu:\n%s", pre_reboot,
                 steady_state, got_pre, got_steady, text);
    }
}

// Turns that have no reason to ask the server anything.
static void turn_in_vain(struct agent_room *r)
{
    struct error e;
    for (int i = 0; i < TURNS; i++) {
        agent_turn_soon(r->agent);
        assert_ok(loop_turn(&r->agent->loop, &e));
    }
}

static void an_agent_that_starts_gives_back_what_one_before_it_may_have_taken(void **state)
{
    struct site s;
    begin(&s, *state, yes, 1, NULL);
    agent_room_until(&s.r, owes_nothing);
    assert_contains(post_server_requests(&s.server),
                    "{\"client_params\":{\"group\":\"site-7\",\"id\":\"dev1\"}}");
    turn_in_vain(&s.r);
    expect_requests(&s.server, 0, 1);
    end(&s);
}

static void a_place_is_owed_until_the_server_has_taken_it_back(void **state)
{
    static const char *const answers[] = {ANSWER("500 Oops", "{\"kind\":\"db\"}"),
                                          ANSWER("500 Oops", "{\"kind\":\"db\"}"),
                                          ANSWER("200 OK", "")};
    struct site s;
    begin(&s, *state, answers, 3, NULL);
    agent_room_until(&s.r, was_refused);
    for (unsigned sent = 1; sent <= 2; sent++) {
        agent_room_until(&s.r, was_refused);
        expect_requests(&s.server, 0, sent);
        assert_string_equal(s.r.agent->lock_says, "fleet lock: HTTP 500: db");
        assert_in_range(s.r.agent->lock_again_ms, loop_now_ms() + SHORTEST_MS,
                        loop_now_ms() + LONGEST_MS);
        turn_in_vain(&s.r); // its time has not come
        assert_true(loop_has_deadline(&s.r.agent->loop, &s.r.agent->wake));
        assert_true(s.r.agent->wake.due_ms <= s.r.agent->lock_again_ms);
        expect_requests(&s.server, 0, sent);
        s.r.agent->lock_again_ms = 0; // now it has
        (void)agent_give_back(s.r.agent);
        assert_int_equal(s.r.agent->gates.stage, GATES_STEADY_STATE);
    }
    agent_room_until(&s.r, owes_nothing);
    expect_requests(&s.server, 0, 3);
    assert_int_equal(count_of(agent_room_talk(&s.r), "is not given back yet"), 1);
    assert_contains(agent_room_talk(&s.r), "the place for a reboot is given back");
    end(&s);
}

static void end_moment(void *ctx)
{
    bool *over = ctx;
    *over = true;
}

// What a loop does until a moment later: how often it wakes up.
static uint64_t wakeups_of_a_moment(struct agent_room *r)
{
    struct error e;
    struct loop *l = &r->agent->loop;
    struct moment {
        struct loop_deadline deadline;
        bool over;
    } moment = {.deadline = {.call = end_moment, .ctx = &moment.over}};
    uint64_t before = l->wakeups;
    loop_set_deadline(l, &moment.deadline, loop_now_ms() + MOMENT_MS);
    while (!moment.over) {
        assert_ok(loop_turn(l, &e));
    }
    return l->wakeups - before;
}

// The time to send it again comes as it does on a device, by the loop.
static void the_time_comes(struct agent_room *r)
{
    r->agent->lock_again_ms = loop_now_ms();
    agent_turn_soon(r->agent);
}

static void a_server_that_says_nothing_is_waited_for_asleep(void **state)
{
    static const char *const answers[] = {ANSWER("500 Oops", "{}"), "hang"};
    struct site s;
    begin(&s, *state, answers, 2, NULL);
    agent_room_until(&s.r, was_refused);
    the_time_comes(&s.r);
    assert_in_range(wakeups_of_a_moment(&s.r), 1, FEW);
    assert_int_equal(s.r.agent->gates.stage, GATES_STEADY_STATE);
    end(&s);
}

static void a_place_that_may_not_be_given_back_yet_wakes_nobody(void **state)
{
    struct site s;
    begin(&s, *state, yes, 1, on_trial);
    agent_room_until(&s.r, polled);
    the_time_comes(&s.r);
    assert_in_range(wakeups_of_a_moment(&s.r), 1, FEW);
    s.r.agent->reboots = true;
    s.r.agent->again_ms = loop_now_ms() + LONGEST_MS;
    the_time_comes(&s.r);
    assert_in_range(wakeups_of_a_moment(&s.r), 1, FEW);
    expect_requests(&s.server, 0, 0);
    end(&s);
}

static void a_device_on_trial_keeps_its_place(void **state)
{
    struct site s;
    begin(&s, *state, yes, 1, on_trial);
    agent_room_until(&s.r, polled);
    turn_in_vain(&s.r);
    expect_requests(&s.server, 0, 0);
    assert_true(agent_owes_lock(s.r.agent));
    end(&s);
}

static void a_device_that_reboots_now_keeps_its_place(void **state)
{
    struct site s;
    begin(&s, *state, yes, 1, NULL);
    agent_room_until(&s.r, owes_nothing);
    s.r.agent->gates.lock_owed = true;
    s.r.agent->reboots = true;
    s.r.agent->again_ms = loop_now_ms() + LONGEST_MS;
    turn_in_vain(&s.r);
    expect_requests(&s.server, 0, 1);
    s.r.agent->again_ms = 0; // it did not come about
    agent_turn_soon(s.r.agent);
    agent_room_until(&s.r, owes_nothing);
    expect_requests(&s.server, 0, 2);
    end(&s);
}

static void a_gate_that_is_asked_meanwhile_waits_for_its_end(void **state)
{
    static const char *const answers[] = {"hang"};
    struct site s;
    begin(&s, *state, answers, 1, NULL);
    agent_room_until(&s.r, polled);
    (void)agent_give_back(s.r.agent);
    assert_int_equal(s.r.agent->gates.stage, GATES_STEADY_STATE);
    assert_int_equal(agent_ask_gate(s.r.agent, GATE_DOWNLOAD), GATE_ASKED);
    assert_int_equal(agent_ask_gate(s.r.agent, GATE_REBOOT), GATE_ASKED);
    assert_int_equal(s.r.agent->gates.stage, GATES_STEADY_STATE);
    end(&s);
}

static void without_a_fleet_lock_nothing_is_owed(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_false(agent_owes_lock(r.agent));
    agent_room_until(&r, polled);
    turn_in_vain(&r);
    assert_int_equal(r.agent->gates.stage, GATES_IDLE);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(an_agent_that_starts_gives_back_what_one_before_it_may_have_taken),
        with_dir(a_place_is_owed_until_the_server_has_taken_it_back),
        with_dir(a_server_that_says_nothing_is_waited_for_asleep),
        with_dir(a_place_that_may_not_be_given_back_yet_wakes_nobody),
        with_dir(a_device_on_trial_keeps_its_place),
        with_dir(a_device_that_reboots_now_keeps_its_place),
        with_dir(a_gate_that_is_asked_meanwhile_waits_for_its_end),
        with_dir(without_a_fleet_lock_nothing_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
