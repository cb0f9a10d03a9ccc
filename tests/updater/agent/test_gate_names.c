// SPDX-License-Identifier: Apache-2.0
// Which gate an answer names.
#include "updater/agent/gates.h"

#include "tests/support/expect.h"
#include "tests/support/fake_power.h"
#include "tests/support/run_wait.h"
#include "tests/support/temp_dir.h"

#include <time.h>

enum { HOUR_MS = 3600 * 1000 };

// Saturday, 20 June 2026, 12:00 UTC.
static const uint64_t saturday_noon_s = 1781956800;

// The name, by way of whatever has to be run for it.
static const char *closed_by(struct gates *g, const struct gate_config *c,
                             const struct gate_facts *f)
{
    struct gate_answer answer;
    uint64_t late = run_now_ms() + RUN_PATIENCE_MS;
    bool answered = gates_begin(g, c, GATE_REBOOT, f, &answer);
    while (!answered) {
        assert_true(run_now_ms() < late);
        run_wait(&g->run);
        answered = gates_step(g, c, f, &answer);
    }
    assert_int_equal(answer.open, answer.gate == NULL);
    return answer.gate != NULL ? answer.gate : "";
}

static void an_answer_names_the_first_gate_that_is_closed(void **state)
{
    struct error e;
    struct holds holds = {.count = 0};
    struct gates gates = {.stage = GATES_IDLE};
    struct gate_facts facts = {
        .holds = &holds,
        .now = {"11111111-1111-1111-1111-111111111111", HOUR_MS, saturday_noon_s, true},
    };
    struct gate_config config = {
        .need_consent = true,
        .need_ac = true,
        .power_dir = *state,
        .command = {[GATE_REBOOT] = "exit 75"},
        .command_timeout_ms = RUN_PATIENCE_MS,
        .fleet_lock = {"http://127.0.0.1:1", "default", "dev1", NULL},
    };
    const struct hold_request hold = {HOLD_OPERATOR, "alice", "", GATE_ALL_PHASES, HOUR_MS};
    setenv("TZ", "UTC0", 1);
    tzset();
    assert_true(windows_parse("Sun 02:00-04:00", &config.windows[GATE_REBOOT]));
    fake_power_set(*state, "AC", "type", "Mains");
    fake_power_set(*state, "AC", "online", "0");
    assert_ok(holds_set(&holds, &hold, &facts.now, &e));
    assert_string_equal(closed_by(&gates, &config, &facts), "hold");
    holds.count = 0;
    assert_string_equal(closed_by(&gates, &config, &facts), "consent");
    facts.consented = true;
    assert_string_equal(closed_by(&gates, &config, &facts), "window");
    config.windows[GATE_REBOOT].count = 0;
    assert_string_equal(closed_by(&gates, &config, &facts), "power");
    config.need_ac = false;
    assert_string_equal(closed_by(&gates, &config, &facts), "command");
    config.command[GATE_REBOOT] = "exit 0";
    assert_string_equal(closed_by(&gates, &config, &facts), "fleet_lock");
    config.fleet_lock.url = NULL;
    assert_string_equal(closed_by(&gates, &config, &facts), "");
}

static void what_a_look_leaves_out_is_named(void **state)
{
    const char *names[GATES_RUNS_MAX];
    struct gate_config config = {.power_dir = *state};
    assert_int_equal(gates_left_out(&config, GATE_REBOOT, names), 0);
    config.command[GATE_REBOOT] = "exit 0";
    config.fleet_lock.url = "http://127.0.0.1:1";
    assert_int_equal(gates_left_out(&config, GATE_REBOOT, names), 2);
    assert_string_equal(names[0], "command");
    assert_string_equal(names[1], "fleet_lock");
    config.command[GATE_INSTALL] = "exit 0";
    assert_int_equal(gates_left_out(&config, GATE_INSTALL, names), 1);
    assert_string_equal(names[0], "command");
    assert_int_equal(gates_left_out(&config, GATE_DOWNLOAD, names), 0);
}

// Before windows count at all.
static void a_clock_that_is_waited_for_is_the_window(void **state)
{
    struct gate_answer answer;
    const struct holds holds = {.count = 0};
    const struct gate_facts facts = {.holds = &holds, .now = {"", 0, saturday_noon_s, false}};
    struct gate_config config = {.power_dir = *state, .clock_wait_ms = HOUR_MS};
    assert_true(windows_parse("Sun 02:00-04:00", &config.windows[GATE_INSTALL]));
    gates_look(&config, GATE_INSTALL, &facts, &answer);
    assert_string_equal(answer.gate, "window");
    gates_look(&config, GATE_REBOOT, &facts, &answer);
    assert_null(answer.gate);
}

#define with_dir(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_dir(an_answer_names_the_first_gate_that_is_closed),
        with_dir(what_a_look_leaves_out_is_named),
        with_dir(a_clock_that_is_waited_for_is_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
