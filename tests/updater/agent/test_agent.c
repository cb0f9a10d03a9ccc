// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "tests/support/agent_listener.h"
#include "tests/support/agent_room.h"
#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_polled(const struct agent_room *r)
{
    return r->agent->polls > 0 && !verb_child_runs(&r->agent->child);
}

static bool is_to_reload(const struct agent_room *r)
{
    return r->agent->reload;
}

static void each_state_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < AGENT_STATES; i++) {
        assert_non_null(agent_state_name((enum agent_state)i));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(agent_state_name((enum agent_state)i),
                                    agent_state_name((enum agent_state)j));
        }
    }
}

static void an_agent_without_a_source_is_refused(void **state)
{
    struct agent_room r;
    struct error e;
    struct agent *agent = calloc(1, sizeof *agent);
    const struct agent_options options = {.program = "/bin/true"};
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_close(&r);
    struct config config = {.fleet = {.source = FLEET_NONE}};
    struct device device = {.config = &config, .clock = &clock_system};
    assert_non_null(agent);
    assert_fails(ERR_CONFIG, "[fleet] source", agent_open(agent, &device, &r.log, &options, &e));
    free(agent);
    agent_room_clear(&r);
}

static void with_nothing_to_do_one_wake_up_is_one_poll(void **state)
{
    struct agent_room r;
    struct error e;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    agent_room_until(&r, has_polled);
    agent_room_until(&r, has_polled);
    struct agent *a = r.agent;
    while (a->state != AGENT_IDLE || loop_has_deadline(&a->loop, &a->wake) == false) {
        assert_ok(loop_turn(&a->loop, &e));
    }
    uint64_t polls = a->polls;
    uint64_t wakeups = a->loop.wakeups;
    for (int i = 0; i < 10; i++) {
        // The hour is over.
        a->poll.next_ms = loop_now_ms();
        loop_set_deadline(&a->loop, &a->wake, a->poll.next_ms);
        assert_ok(loop_turn(&a->loop, &e));
    }
    assert_int_equal(a->polls, polls + 10);
    assert_int_equal(a->loop.wakeups, wakeups + 10);
    assert_int_equal(agent_room_runs(&r, "check"), 1); // the directory is as it was
    agent_room_clear(&r);
}

static void a_hang_up_is_a_reload_and_a_termination_is_not(void **state)
{
    struct agent_room r;
    struct error e;
    bool reload = false;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    agent_room_until(&r, is_to_reload);
    assert_ok(agent_run(r.agent, &reload, &e));
    assert_true(reload);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_ok(agent_run(r.agent, &reload, &e));
    assert_false(reload);
    agent_room_clear(&r);
}

static bool polls(const struct agent_room *r)
{
    return verb_child_runs(&r->agent->child);
}

static void a_termination_is_one_also_when_a_reload_waits(void **state)
{
    struct agent_room r;
    struct error e;
    bool reload = true;
    agent_room_make(&r, *state, NULL);
    agent_room_poll_with(&r, "exec sleep 1000");
    agent_room_open(&r);
    agent_room_until(&r, polls);
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    agent_room_until(&r, is_to_reload);
    assert_contains(agent_room_talk(&r), "when what is under way has ended");
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_ok(agent_run(r.agent, &reload, &e));
    assert_false(reload);
    agent_room_clear(&r);
}

static void a_damaged_record_is_said_and_forgotten(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    file_device_write(r.dir, "state/offer", "garbage");
    file_device_write(r.dir, "state/hold", "garbage");
    agent_room_open(&r);
    assert_contains(agent_room_talk(&r), "offer at hand is damaged");
    assert_int_equal(r.agent->offer.record.phase, OFFER_NONE);
    agent_room_clear(&r);
}

static void waits_have_a_reason_and_an_end(void **state)
{
    struct agent_room r;
    agent_room_make(&r, *state, NULL);
    agent_room_open(&r);
    uint64_t before = loop_now_ms();
    agent_wait(r.agent, 5000, "the server is away");
    assert_true(r.agent->again_ms >= before + 5000);
    assert_int_equal(r.agent->state, AGENT_WAITING);
    assert_string_equal(r.agent->waits_for, "the server is away");
    agent_room_clear(&r);
}

// The lines of its talk, as the program prints them with --json.
static void what_a_verb_says_is_told_with_its_level(void **state)
{
    static const struct {
        const char *level, *line, *shown;
    } rows[] = {
        {"error", "\"level\":\"error\",", "vv-update: error: the disk is full"},
        {"warn", "\"level\":\"warn\",", "vv-update: warning: the disk is full"},
        {"info", "\"level\":\"info\",", "vv-update: the disk is full"},
        {"info", "\"level\":\"loud\",", "vv-update: the disk is full"},
        {"info", "", "vv-update: the disk is full"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct agent_room r;
        struct agent_listener l;
        char line[256];
        char dir[512];
        char name[16];
        const json_t *event;
        snprintf(name, sizeof name, "%zu", i);
        assert_int_equal(mkdir(temp_dir_path(dir, sizeof dir, *state, name), 0700), 0);
        agent_room_make(&r, dir, NULL);
        snprintf(line, sizeof line,
                 "until [ -e heard ]; do sleep 0.01; done; "
                 "echo '{\"event\":\"log\",%s\"message\":\"the disk is full\"}' >&2",
                 rows[i].line);
        agent_room_poll_with(&r, line);
        agent_room_open(&r);
        agent_listener_begin(&l, &r);
        file_device_write(r.dir, "heard", "");
        agent_room_until(&r, has_polled);
        assert_contains(agent_room_talk(&r), rows[i].shown);
        agent_listener_until(&l, &r, "log");
        assert_int_equal(agent_listener_count(&l, "log", &event), 1);
        assert_string_equal(json_string_value(json_object_get(event, "level")), rows[i].level);
        assert_string_equal(json_string_value(json_object_get(event, "message")),
                            "the disk is full");
        agent_listener_end(&l);
        agent_room_clear(&r);
    }
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_a_word_of_its_own),
        with_dir(an_agent_without_a_source_is_refused),
        with_dir(with_nothing_to_do_one_wake_up_is_one_poll),
        with_dir(a_hang_up_is_a_reload_and_a_termination_is_not),
        with_dir(a_termination_is_one_also_when_a_reload_waits),
        with_dir(a_damaged_record_is_said_and_forgotten),
        with_dir(waits_have_a_reason_and_an_end),
        with_dir(what_a_verb_says_is_told_with_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
