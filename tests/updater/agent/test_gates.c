// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gates.h"

#include "tests/support/gates_room.h"

// --- one gate at a time --------------------------------------------------------------------------

static void without_any_gate_everything_is_open(void **state)
{
    struct room *r = *state;
    for (enum gate_phase phase = GATE_DOWNLOAD; phase < GATE_PHASES; phase++) {
        expect_look(r, phase, "", 0);
        expect_asked(r, phase, "", 0);
    }
    assert_false(r->answer.clock_untrusted || r->gates.lock_owed);
}

static void a_hold_closes_its_phases_until_it_is_over(void **state)
{
    struct room *r = *state;
    hold(r, 1 << GATE_INSTALL | 1 << GATE_REBOOT, 10 * MINUTE_MS);
    expect_look(r, GATE_DOWNLOAD, "", 0);
    expect_look(r, GATE_INSTALL, "held by alice for another 10 min: inventory", 10 * MINUTE_MS);
    expect_look(r, GATE_REBOOT, "held by alice for another 10 min: inventory", 10 * MINUTE_MS);
    r->facts.now.boottime_ms += 10 * MINUTE_MS - 1;
    expect_look(r, GATE_INSTALL, "held by alice for another 1 ms: inventory", GATE_AGAIN_MIN_MS);
    r->facts.now.boottime_ms += 1;
    expect_look(r, GATE_INSTALL, "", 0);
    hold(r, GATE_ALL_PHASES, HOLD_FOR_EVER);
    expect_look(r, GATE_INSTALL, "held by alice until released: inventory", GATE_AGAIN_MAX_MS);
}

static void consent_is_for_what_changes_the_device(void **state)
{
    struct room *r = *state;
    r->config.need_consent = true;
    expect_look(r, GATE_DOWNLOAD, "", 0);
    expect_look(r, GATE_INSTALL, "waiting for consent", GATE_AGAIN_MAX_MS);
    expect_look(r, GATE_REBOOT, "waiting for consent", GATE_AGAIN_MAX_MS);
    r->facts.consented = true;
    expect_look(r, GATE_INSTALL, "", 0);
    expect_look(r, GATE_REBOOT, "", 0);
}

static void each_phase_has_windows_of_its_own(void **state)
{
    struct room *r = *state;
    open_in(r, GATE_INSTALL, "Sun 02:00-04:00");
    open_in(r, GATE_REBOOT, "Sat 12:05-13:00");
    expect_look(r, GATE_DOWNLOAD, "", 0);
    expect_look(r, GATE_INSTALL, "waiting for window Sun 02:00", GATE_AGAIN_MAX_MS);
    expect_look(r, GATE_REBOOT, "waiting for window Sat 12:05", 5 * MINUTE_MS);
    r->facts.now.wall_s += 5 * 60 - 1;
    expect_look(r, GATE_REBOOT, "waiting for window Sat 12:05", 1000);
    r->facts.now.wall_s += 1;
    expect_look(r, GATE_REBOOT, "", 0);
    r->facts.now.wall_s = saturday_noon_s + 14 * HOUR_S;
    expect_look(r, GATE_INSTALL, "", 0);
    r->facts.now.wall_s += 2 * HOUR_S;
    expect_look(r, GATE_INSTALL, "waiting for window Sun 02:00", GATE_AGAIN_MAX_MS);
}

static void a_week_of_asking_again_as_told_finds_the_window_when_it_opens(void **state)
{
    struct room *r = *state;
    unsigned asked = 0;
    open_in(r, GATE_INSTALL, "Fri 23:17-23:18");
    for (gates_look(&r->config, GATE_INSTALL, &r->facts, &r->answer); !r->answer.open;
         gates_look(&r->config, GATE_INSTALL, &r->facts, &r->answer)) {
        r->facts.now.boottime_ms += r->answer.ask_again_ms;
        r->facts.now.wall_s += r->answer.ask_again_ms / 1000;
        asked++;
        assert_true(asked < 1000);
    }
    assert_int_equal(r->facts.now.wall_s, saturday_noon_s + (6 * 24 + 11) * HOUR_S + 17 * 60);
    assert_true(asked <= 7 * 24 * 4);
}

static void a_clock_that_jumps_is_noticed_within_the_bound(void **state)
{
    struct room *r = *state;
    open_in(r, GATE_INSTALL, "Sun 02:00-04:00");
    r->facts.now.wall_s += 365 * 24 * (uint64_t)HOUR_S; // a Sunday at noon
    expect_look(r, GATE_INSTALL, "waiting for window Sun 02:00", GATE_AGAIN_MAX_MS);
    r->facts.now.wall_s = saturday_noon_s + 15 * HOUR_S;
    expect_look(r, GATE_INSTALL, "", 0);
}

static void windows_by_a_clock_that_is_not_synchronised(void **state)
{
    static const struct {
        const char *what;
        uint64_t uptime_ms;
        int64_t off_s; // of the wall clock, from Saturday noon
        bool synchronised;
        const char *reason;
        uint64_t again_ms;
        bool untrusted;
    } cases[] = {
        {"it just started", 0, 0, false,
         "waiting for the clock to be synchronised, until 15 min after the start at most",
         MINUTE_MS, false},
        {"nor does a window that seems open count", 0, 14 * HOUR_S, false,
         "waiting for the clock to be synchronised, until 15 min after the start at most",
         MINUTE_MS, false},
        {"it waited for long enough soon", 15 * MINUTE_MS - 2500, 0, false,
         "waiting for the clock to be synchronised, until 15 min after the start at most", 2500,
         false},
        {"it has a clock of its own", 15 * MINUTE_MS, 0, false,
         "waiting for window Sun 02:00, by a clock that is not synchronised", GATE_AGAIN_MAX_MS,
         false},
        {"that one says it is time", 15 * MINUTE_MS, 14 * HOUR_S, false, "", 0, false},
        {"it starts in 1970", 0, -(int64_t)1781956800, false,
         "waiting for the clock to be synchronised, until 15 min after the start at most",
         MINUTE_MS, false},
        {"and has waited", 15 * MINUTE_MS, -(int64_t)1781956800 + 900, false, "", 0, true},
        {"a second before the floor", HOUR_MS, 1699999999 - (int64_t)1781956800, false, "", 0,
         true},
        {"at the floor: a Tuesday", HOUR_MS, 1700000000 - (int64_t)1781956800, false,
         "waiting for window Sun 02:00, by a clock that is not synchronised", GATE_AGAIN_MAX_MS,
         false},
        {"synchronised, it counts at once", 0, 0, true, "waiting for window Sun 02:00",
         GATE_AGAIN_MAX_MS, false},
        {"even before the floor", 0, 1699999999 - (int64_t)1781956800, true,
         "waiting for window Sun 02:00", GATE_AGAIN_MAX_MS, false},
    };
    struct room *r = *state;
    open_in(r, GATE_INSTALL, "Sun 02:00-04:00");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r->facts.now.boottime_ms = cases[i].uptime_ms;
        r->facts.now.wall_s = (uint64_t)((int64_t)saturday_noon_s + cases[i].off_s);
        r->facts.now.synchronised = cases[i].synchronised;
        expect_look(r, GATE_INSTALL, cases[i].reason, cases[i].again_ms);
        if (r->answer.clock_untrusted != cases[i].untrusted) {
            fail_msg("expected clock_untrusted %d: %s", cases[i].untrusted, cases[i].what);
        }
        // Without windows no clock is wanted.
        expect_look(r, GATE_DOWNLOAD, "", 0);
        assert_false(r->answer.clock_untrusted);
    }
}

static void a_month_that_has_cost_its_budget_begins_no_download(void **state)
{
    struct room *r = *state;
    r->facts.month_ends_s = saturday_noon_s + 10 * 24 * (uint64_t)HOUR_S + 12 * HOUR_S;
    r->facts.month_bytes = UINT64_C(500) << 20;
    expect_look(r, GATE_DOWNLOAD, "", 0);
    r->config.monthly_budget = (UINT64_C(500) << 20) + 1;
    expect_look(r, GATE_DOWNLOAD, "", 0);
    r->config.monthly_budget = UINT64_C(500) << 20;
    expect_look(r, GATE_DOWNLOAD,
                "waiting for the byte budget of the next month, on 1 Jul: 500.0 MiB of 500.0 MiB "
                "are used",
                GATE_AGAIN_MAX_MS);
    // What is there already may be installed.
    expect_look(r, GATE_INSTALL, "", 0);
    expect_look(r, GATE_REBOOT, "", 0);
    r->facts.now.wall_s = r->facts.month_ends_s - 30;
    gates_look(&r->config, GATE_DOWNLOAD, &r->facts, &r->answer);
    assert_int_equal(r->answer.ask_again_ms, 30 * 1000);
    assert_string_equal(r->answer.gate, "budget");
}

static void power_is_asked_for_where_it_is_configured(void **state)
{
    struct room *r = *state;
    fake_power_set(r->dir, "BAT0", "type", "Battery");
    fake_power_set(r->dir, "BAT0", "status", "Discharging");
    fake_power_set(r->dir, "BAT0", "capacity", "12");
    expect_look(r, GATE_DOWNLOAD, "", 0);
    r->config.battery_min_percent = 30;
    expect_look(r, GATE_DOWNLOAD, "battery at 12 %, 30 % are wanted", GATE_AGAIN_POWER_MS);
    r->config.need_ac = true;
    expect_look(r, GATE_REBOOT, "waiting for external power", GATE_AGAIN_POWER_MS);
    fake_power_set(r->dir, "BAT0", "status", "Charging");
    expect_look(r, GATE_REBOOT, "", 0);
}

static void the_order_of_what_answers_at_once_is_fixed(void **state)
{
    struct room *r = *state;
    fake_power_set(r->dir, "AC", "type", "Mains");
    fake_power_set(r->dir, "AC", "online", "0");
    r->config.need_ac = true;
    expect_look(r, GATE_INSTALL, "waiting for external power", GATE_AGAIN_POWER_MS);
    open_in(r, GATE_INSTALL, "Sat 12:10-13:00");
    expect_look(r, GATE_INSTALL, "waiting for window Sat 12:10", 10 * MINUTE_MS);
    r->config.need_consent = true;
    expect_look(r, GATE_INSTALL, "waiting for consent", GATE_AGAIN_MAX_MS);
    hold(r, GATE_ALL_PHASES, MINUTE_MS);
    expect_look(r, GATE_INSTALL, "held by alice for another 1 min: inventory", MINUTE_MS);
}

// --- commands ------------------------------------------------------------------------------------

static void a_command_opens_or_closes_its_phase(void **state)
{
    struct room *r = *state;
    r->config.command[GATE_INSTALL] = "test $VV_PHASE = install && test $VV_VERSION = 2.0 && "
                                      "test $VV_RELEASE_INDEX = 20";
    r->config.command[GATE_REBOOT] = "echo recording; exit 75";
    expect_asked(r, GATE_DOWNLOAD, "", 0);
    expect_asked(r, GATE_INSTALL, "", 0);
    expect_asked(r, GATE_REBOOT, "gate command: not yet: recording", GATE_AGAIN_RUN_MS);
    // Only asked for, it does not count.
    expect_look(r, GATE_REBOOT, "", 0);
}

static void no_command_is_run_while_something_cheaper_is_closed(void **state)
{
    struct room *r = *state;
    char path[512];
    char command[600];
    snprintf(command, sizeof command, "echo > %s", temp_dir_path(path, sizeof path, r->dir, "ran"));
    r->config.command[GATE_INSTALL] = command;
    hold(r, GATE_ALL_PHASES, MINUTE_MS);
    expect_asked(r, GATE_INSTALL, "held by alice for another 1 min: inventory", MINUTE_MS);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(r->gates.run.pid, 0);
    r->holds.count = 0;
    expect_asked(r, GATE_INSTALL, "", 0);
    assert_int_equal(access(path, F_OK), 0);
}

static void what_closed_while_a_command_ran_is_seen(void **state)
{
    struct room *r = *state;
    r->config.command[GATE_INSTALL] = "echo no; exit 1";
    assert_false(gates_begin(&r->gates, &r->config, GATE_INSTALL, &r->facts, &r->answer));
    hold(r, GATE_ALL_PHASES, MINUTE_MS);
    finish(r);
    // The first closed one in the order is told, though the command is closed too.
    expect_answer(&r->answer, "held by alice for another 1 min: inventory", MINUTE_MS);
    assert_false(gates_step(&r->gates, &r->config, &r->facts, &r->answer));
}

static void a_command_that_hangs_closes_when_its_time_is_over(void **state)
{
    struct room *r = *state;
    r->config.command[GATE_INSTALL] = "sleep 60";
    r->config.command_timeout_ms = 5000;
    assert_false(gates_begin(&r->gates, &r->config, GATE_INSTALL, &r->facts, &r->answer));
    assert_int_equal(r->gates.run.deadline_ms, r->facts.now.boottime_ms + 5000);
    r->facts.now.boottime_ms += 4999;
    assert_false(gates_step(&r->gates, &r->config, &r->facts, &r->answer));
    r->facts.now.boottime_ms += 1;
    assert_true(gates_step(&r->gates, &r->config, &r->facts, &r->answer));
    expect_answer(&r->answer, "gate command: no answer within 5 s", GATE_AGAIN_RUN_MS);
}

static void a_question_that_is_cancelled_decides_nothing(void **state)
{
    struct room *r = *state;
    r->config.command[GATE_INSTALL] = "exit 0";
    assert_false(gates_begin(&r->gates, &r->config, GATE_INSTALL, &r->facts, &r->answer));
    gates_cancel(&r->gates);
    assert_false(gates_step(&r->gates, &r->config, &r->facts, &r->answer));
    run_let_go(&r->gates.run);
    expect_asked(r, GATE_INSTALL, "", 0);
    // A new question takes the place of the one before.
    r->config.command[GATE_REBOOT] = "sleep 60";
    assert_false(gates_begin(&r->gates, &r->config, GATE_REBOOT, &r->facts, &r->answer));
    expect_asked(r, GATE_DOWNLOAD, "", 0);
}

static void beside_one_that_cannot_be_ended_none_is_started(void **state)
{
    struct room *r = *state;
    // A child that nobody kills stands for one that waits for a dead disk.
    pid_t stuck = fork();
    if (stuck == 0) {
        (void)poll(NULL, 0, 2 * RUN_PATIENCE_MS);
        _exit(0);
    }
    r->config.command[GATE_INSTALL] = "exit 0";
    r->gates.run = (struct bounded_run){.pid = stuck, .given_up = true, .output_fd = -1};
    r->gates.run.deadline_ms = r->facts.now.boottime_ms + 1;
    expect_asked(r, GATE_INSTALL, "waiting for the last gate command to end", GATE_AGAIN_MIN_MS);
    r->facts.now.boottime_ms += 1;
    expect_asked(r, GATE_INSTALL, "waiting for the last gate command to end", GATE_AGAIN_RUN_MS);
    expect_asked(r, GATE_DOWNLOAD, "", 0);
    kill(stuck, SIGKILL);
    run_let_go(&r->gates.run);
    expect_asked(r, GATE_INSTALL, "", 0);
}

static void a_process_that_the_event_loop_waited_for_counts(void **state)
{
    struct room *r = *state;
    int status = 0;
    r->config.command[GATE_INSTALL] = "echo busy; exit 75";
    assert_false(gates_begin(&r->gates, &r->config, GATE_INSTALL, &r->facts, &r->answer));
    assert_int_equal(waitpid(r->gates.run.pid, &status, 0), r->gates.run.pid);
    bounded_run_reaped(&r->gates.run, status);
    assert_true(gates_step(&r->gates, &r->config, &r->facts, &r->answer));
    expect_answer(&r->answer, "gate command: not yet: busy", GATE_AGAIN_RUN_MS);
}

static void what_cannot_be_started_is_closed(void **state)
{
    struct room *r = *state;
    struct rlimit old;
    int fds[64];
    size_t count = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    const struct rlimit low = {32, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    r->config.command[GATE_INSTALL] = "exit 0";
    // No descriptor is left for the pipe.
    for (int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0 && count < 64;
         fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0)) {
        fds[count++] = fd;
    }
    ask(r, GATE_INSTALL);
    while (count > 0) {
        close(fds[--count]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_false(r->answer.open);
    assert_contains(r->answer.reason, "cannot make a pipe");
    assert_int_equal(r->answer.ask_again_ms, GATE_AGAIN_RUN_MS);
    assert_int_equal(r->gates.stage, GATES_IDLE);
}

#define GATES_TEST(name) cmocka_unit_test_setup_teardown(name, make, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATES_TEST(without_any_gate_everything_is_open),
        GATES_TEST(a_hold_closes_its_phases_until_it_is_over),
        GATES_TEST(consent_is_for_what_changes_the_device),
        GATES_TEST(each_phase_has_windows_of_its_own),
        GATES_TEST(a_week_of_asking_again_as_told_finds_the_window_when_it_opens),
        GATES_TEST(a_clock_that_jumps_is_noticed_within_the_bound),
        GATES_TEST(windows_by_a_clock_that_is_not_synchronised),
        GATES_TEST(a_month_that_has_cost_its_budget_begins_no_download),
        GATES_TEST(power_is_asked_for_where_it_is_configured),
        GATES_TEST(the_order_of_what_answers_at_once_is_fixed),
        GATES_TEST(a_command_opens_or_closes_its_phase),
        GATES_TEST(no_command_is_run_while_something_cheaper_is_closed),
        GATES_TEST(what_closed_while_a_command_ran_is_seen),
        GATES_TEST(a_command_that_hangs_closes_when_its_time_is_over),
        GATES_TEST(a_question_that_is_cancelled_decides_nothing),
        GATES_TEST(beside_one_that_cannot_be_ended_none_is_started),
        GATES_TEST(a_process_that_the_event_loop_waited_for_counts),
        GATES_TEST(what_cannot_be_started_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
