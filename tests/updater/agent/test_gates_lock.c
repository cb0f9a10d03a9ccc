// SPDX-License-Identifier: Apache-2.0
// The last gate: a place in the fleet lock, and its return.
#include "updater/agent/gates.h"

#include "tests/support/gates_room.h"

// --- fleet lock ----------------------------------------------------------------------------------

static void the_fleet_lock_is_asked_for_the_reboot_only_and_last(void **state)
{
    struct room *r = *state;
    struct post_server server;
    static const char *const answers[] = {
        ANSWER("409 Conflict", "{\"kind\":\"full\",\"value\":\"all slots are taken\"}"),
        ANSWER("200 OK", "")};
    post_server_start(&server, answers, 2);
    r->config.fleet_lock = (struct fleet_lock){server.url, "default", "dev1", NULL};
    r->config.command[GATE_REBOOT] = "exit 1";
    r->facts.random = GATE_AGAIN_RUN_MS / 2 + 7;
    expect_asked(r, GATE_INSTALL, "", 0);
    expect_asked(r, GATE_REBOOT, "gate command: exit status 1", GATE_AGAIN_RUN_MS);
    assert_string_equal(post_server_requests(&server), "");
    assert_false(r->gates.lock_owed);
    r->config.command[GATE_REBOOT] = "exit 0";
    expect_asked(r, GATE_REBOOT, "fleet lock: HTTP 409: full: all slots are taken",
                 GATE_AGAIN_RUN_MS + 7);
    assert_false(r->gates.lock_owed);
    expect_asked(r, GATE_REBOOT, "", 0);
    assert_true(r->gates.lock_owed);
    assert_int_equal(count_of(post_server_requests(&server), "/v1/pre-reboot"), 2);
    post_server_stop(&server);
}

static void a_place_that_was_taken_in_vain_is_known(void **state)
{
    struct room *r = *state;
    struct post_server server;
    static const char *const answers[] = {ANSWER("200 OK", "")};
    post_server_start(&server, answers, 1);
    r->config.fleet_lock = (struct fleet_lock){server.url, "default", "dev1", NULL};
    assert_false(gates_begin(&r->gates, &r->config, GATE_REBOOT, &r->facts, &r->answer));
    hold(r, GATE_ALL_PHASES, MINUTE_MS);
    finish(r);
    expect_answer(&r->answer, "held by alice for another 1 min: inventory", MINUTE_MS);
    assert_true(r->gates.lock_owed);
    post_server_stop(&server);
}

// Sends "steady-state" and waits for the answer.
static void give_back(struct room *r)
{
    memset(&r->answer, 0x5a, sizeof r->answer);
    if (!gates_give_back(&r->gates, &r->config, &r->facts, &r->answer)) {
        assert_int_equal(r->gates.stage, GATES_STEADY_STATE);
        finish(r);
    }
    assert_int_equal(r->gates.stage, GATES_IDLE);
}

static void a_place_is_owed_until_the_server_says_yes_to_its_return(void **state)
{
    struct room *r = *state;
    struct post_server server;
    static const char *const answers[] = {ANSWER("200 OK", ""), ANSWER("409 No", ""),
                                          ANSWER("200 OK", "")};
    post_server_start(&server, answers, 3);
    r->config.fleet_lock = (struct fleet_lock){server.url, "default", "dev1", NULL};
    expect_asked(r, GATE_REBOOT, "", 0);
    hold(r, GATE_ALL_PHASES, MINUTE_MS); // which is none of the server's business
    r->facts.random = 5;
    give_back(r);
    expect_answer(&r->answer, "fleet lock: HTTP 409", GATE_AGAIN_RUN_MS + 5);
    assert_true(r->gates.lock_owed);
    give_back(r);
    expect_answer(&r->answer, "", 0);
    assert_false(r->gates.lock_owed);
    assert_int_equal(count_of(post_server_requests(&server), "/v1/steady-state"), 2);
    post_server_stop(&server);
}

static void only_an_answer_that_denies_a_place_says_that_there_is_none(void **state)
{
    struct room *r = *state;
    struct post_server server;
    static const char *const answers[] = {ANSWER("502 Bad", ""), ANSWER("404 No", "")};
    post_server_start(&server, answers, 2);
    r->config.fleet_lock = (struct fleet_lock){server.url, "default", "dev1", NULL};
    expect_asked(r, GATE_REBOOT, "fleet lock: HTTP 502", GATE_AGAIN_RUN_MS);
    assert_true(r->gates.lock_owed);
    expect_asked(r, GATE_REBOOT, "fleet lock: HTTP 404", GATE_AGAIN_RUN_MS);
    assert_false(r->gates.lock_owed);
    post_server_stop(&server);
}

static void waiting_devices_do_not_ask_a_server_all_at_once(void **state)
{
    struct room *r = *state;
    r->config.fleet_lock = (struct fleet_lock){"http://127.0.0.1:1", "default", "dev1", NULL};
    for (uint32_t i = 0; i < 8; i++) {
        r->facts.random = i * (UINT32_MAX / 8);
        ask(r, GATE_REBOOT);
        assert_false(r->answer.open);
        assert_int_equal(r->answer.ask_again_ms,
                         GATE_AGAIN_RUN_MS + r->facts.random % (GATE_AGAIN_RUN_MS / 2));
    }
}

#define GATES_TEST(name) cmocka_unit_test_setup_teardown(name, make, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATES_TEST(the_fleet_lock_is_asked_for_the_reboot_only_and_last),
        GATES_TEST(a_place_that_was_taken_in_vain_is_known),
        GATES_TEST(a_place_is_owed_until_the_server_says_yes_to_its_return),
        GATES_TEST(only_an_answer_that_denies_a_place_says_that_there_is_none),
        GATES_TEST(waiting_devices_do_not_ask_a_server_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
