// SPDX-License-Identifier: Apache-2.0
// Servers that refuse a poll: when they are asked again.
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

// Of the agent of the room: 1 h.
#define HOUR_MS (UINT64_C(3600) * 1000)
#define MINUTE_MS (UINT64_C(60) * 1000)

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child);
}

// What `check` prints (`members` are of the error) and exits with; what the first poll comes to:
// its class, and between which waits the next one is drawn.
struct refusal {
    const char *members;
    unsigned status;
    const char *name;
    uint64_t least_ms, most_ms;
};

static void poll_once(struct agent_room *r, const struct refusal *c)
{
    char answer[512];
    char exit_line[32];
    snprintf(answer, sizeof answer, "{\"error\":{\"code\":%u,\"message\":\"no\"%s}}\n", c->status,
             c->members);
    file_device_write(r->dir, "answer", answer);
    snprintf(exit_line, sizeof exit_line, "cat answer; exit %u\n", c->status);
    agent_room_poll_with(r, exit_line);
    agent_room_open(r);
    agent_room_until(r, has_polled);
}

static void expect(const char *dir, const struct refusal *c)
{
    struct agent_room r;
    agent_room_make(&r, dir, NULL);
    poll_once(&r, c);
    const struct poll_schedule *s = &r.agent->poll;
    assert_string_equal(poll_answer_name(s->last), c->name);
    assert_in_range(s->next_ms - s->ended_ms, c->least_ms, c->most_ms);
    assert_int_equal(s->failures, 1);
    assert_int_equal(agent_room_runs(&r, "check"), 1);
    assert_string_equal(r.agent->poll_says, "no");
    agent_room_clear(&r);
}

static void expect_all(const char *dir, const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char room[512];
        snprintf(room, sizeof room, "%s/%zu", dir, i);
        assert_int_equal(mkdir(room, 0700), 0);
        expect(room, &cases[i]);
    }
}

static void each_answer_has_its_class_and_its_wait(void **state)
{
    static const struct refusal cases[] = {
        {",\"http_status\":503", ERR_NETWORK, "busy", HOUR_MS, 2 * HOUR_MS},
        {",\"http_status\":429", ERR_NETWORK, "busy", HOUR_MS, 2 * HOUR_MS},
        {",\"http_status\":500", ERR_NETWORK, "failed", HOUR_MS, 2 * HOUR_MS},
        {",\"http_status\":206", ERR_NETWORK, "failed", HOUR_MS, 2 * HOUR_MS},
        // Two steps higher, and no more than the longest back-off.
        {",\"http_status\":401", ERR_NETWORK, "refused", 3 * HOUR_MS, 6 * HOUR_MS},
        {",\"http_status\":403", ERR_NETWORK, "refused", 3 * HOUR_MS, 6 * HOUR_MS},
        {",\"http_status\":404", ERR_NETWORK, "refused", 3 * HOUR_MS, 6 * HOUR_MS},
        {",\"http_status\":410", ERR_NETWORK, "refused", 3 * HOUR_MS, 6 * HOUR_MS},
        // Before the first answer it is the network that is not there yet.
        {"", ERR_NETWORK, "unreachable", 5 * MINUTE_MS, 10 * MINUTE_MS},
        {"", ERR_IO, "failed", HOUR_MS, 2 * HOUR_MS},
        {"", ERR_FORMAT, "failed", HOUR_MS, 2 * HOUR_MS},
        {",\"http_status\":\"503\"", ERR_NETWORK, "unreachable", 5 * MINUTE_MS, 10 * MINUTE_MS},
        {",\"http_status\":-503", ERR_NETWORK, "unreachable", 5 * MINUTE_MS, 10 * MINUTE_MS},
    };
    expect_all(*state, cases, sizeof cases / sizeof cases[0]);
}

static void what_a_server_asks_for_is_waited_in_full_and_an_interval_is_the_spread(void **state)
{
    static const struct refusal cases[] = {
        {",\"http_status\":503,\"retry_after_s\":18000", ERR_NETWORK, "busy", 5 * HOUR_MS,
         6 * HOUR_MS},
        {",\"http_status\":429,\"retry_after_s\":7200", ERR_NETWORK, "busy", 2 * HOUR_MS,
         3 * HOUR_MS},
        // No more often than the interval, and no longer than a day.
        {",\"http_status\":503,\"retry_after_s\":1", ERR_NETWORK, "busy", HOUR_MS, 2 * HOUR_MS},
        {",\"http_status\":503,\"retry_after_s\":9223372036854775807", ERR_NETWORK, "busy",
         24 * HOUR_MS, 25 * HOUR_MS},
        {",\"http_status\":503,\"retry_after_s\":-1", ERR_NETWORK, "busy", HOUR_MS, 2 * HOUR_MS},
    };
    expect_all(*state, cases, sizeof cases / sizeof cases[0]);
}

// It is the answer of a poll that failed.
static void what_is_beside_an_offer_or_nothing_is_no_refusal(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    file_device_write(r.dir, "answer",
                      "{\"result\":\"nothing\",\"why\":\"no\",\"error\":{\"http_status\":503,"
                      "\"retry_after_s\":18000}}\n");
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    assert_string_equal(poll_answer_name(r.agent->poll.last), "done");
    assert_int_equal(r.agent->poll.not_before_ms, 0);
    agent_room_clear(&r);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(each_answer_has_its_class_and_its_wait),
        with_dir(what_a_server_asks_for_is_waited_in_full_and_an_interval_is_the_spread),
        with_dir(what_is_beside_an_offer_or_nothing_is_no_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
