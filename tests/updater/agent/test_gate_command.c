// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_command.h"

#include "tests/support/run_wait.h"

#include <signal.h>
#include <stdlib.h>

// Runs it; true: open. The reason is "" then.
static bool ask_with(const struct gate_command *c, uint64_t timeout_ms, char *reason, size_t size)
{
    struct error e;
    struct bounded_run r = {0};
    reason[0] = '\0';
    assert_ok(gate_command_start(&r, c, timeout_ms, run_now_ms(), &e));
    bool open = gate_command_open(&r, run_finish(&r), reason, size);
    run_let_go(&r);
    return open;
}

static void expect(const char *command, const char *want)
{
    char reason[256];
    const struct gate_command c = {command, GATE_INSTALL, "2.0", 20};
    bool open = ask_with(&c, RUN_PATIENCE_MS, reason, sizeof reason);
    if (open != (want[0] == '\0') || strcmp(reason, want) != 0) {
        fail_msg("expected '%s' of %s, got '%s'", want, command, reason);
    }
}

static void the_exit_status_opens_or_closes_and_the_first_line_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *command, *reason;
    } cases[] = {
        {"exit 0", ""},
        {"echo fine; exit 0", ""},
        {"exit 75", "gate command: not yet"},
        {"exit 21", "gate command: not yet"},
        {"echo recording; echo more; exit 75", "gate command: not yet: recording"},
        {"echo recording >&2; exit 21", "gate command: not yet: recording"},
        {"exit 1", "gate command: exit status 1"},
        {"exit 255", "gate command: exit status 255"},
        {"echo; echo '  broken  '; echo more; exit 1", "gate command: exit status 1: broken"},
        {"echo; exit 3", "gate command: exit status 3"},
        {"printf 'a\\033[31mb'; exit 3", "gate command: exit status 3: a?[31mb"},
        {"echo begins; kill -TERM $$", "gate command: ended by signal 15"},
        {"yes | head -c 9000; printf 'z\\n'; exit 3", "gate command: exit status 3: y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(cases[i].command, cases[i].reason);
    }
}

static void a_command_that_is_not_there_closes(void **state)
{
    (void)state;
    char reason[256];
    const struct gate_command c = {"/nowhere/at/all", GATE_INSTALL, "2.0", 20};
    assert_false(ask_with(&c, RUN_PATIENCE_MS, reason, sizeof reason));
    assert_contains(reason, "gate command: exit status 127: ");
    assert_contains(reason, "/nowhere/at/all");
}

static void it_is_told_what_it_is_asked_about(void **state)
{
    (void)state;
    char reason[256];
    setenv("VV_OTHER", "kept", 1);
    struct gate_command c = {"echo $VV_PHASE/$VV_VERSION/$VV_RELEASE_INDEX/$VV_OTHER; exit 1",
                             GATE_DOWNLOAD, "2.0+rc~1", UINT64_MAX};
    assert_false(ask_with(&c, RUN_PATIENCE_MS, reason, sizeof reason));
    assert_string_equal(reason,
                        "gate command: exit status 1: download/2.0+rc~1/18446744073709551615/kept");
    c = (struct gate_command){"echo $VV_PHASE/${VV_VERSION-unset}; exit 1", GATE_REBOOT, NULL, 0};
    assert_false(ask_with(&c, RUN_PATIENCE_MS, reason, sizeof reason));
    assert_string_equal(reason, "gate command: exit status 1: reboot/");
    assert_null(getenv("VV_PHASE")); // in the child only
    unsetenv("VV_OTHER");
}

static void one_that_hangs_is_ended_with_all_it_started(void **state)
{
    (void)state;
    struct error e;
    char reason[256];
    struct bounded_run r = {0};
    const struct gate_command c = {"echo began; sleep 60 & sleep 60; true", GATE_INSTALL, "", 0};
    assert_ok(gate_command_start(&r, &c, 100, run_now_ms(), &e));
    pid_t group = r.pid;
    assert_false(gate_command_open(&r, run_finish(&r), reason, sizeof reason));
    assert_string_equal(reason, "gate command: no answer within 100 ms");
    run_let_go(&r);
    for (uint64_t late = run_now_ms() + RUN_PATIENCE_MS; kill(-group, 0) == 0;) {
        assert_true(run_now_ms() < late);
        (void)poll(NULL, 0, 1);
    }
}

static void a_long_line_is_cut_to_the_room_there_is(void **state)
{
    (void)state;
    char reason[32];
    const struct gate_command c = {"head -c 3000 /dev/zero | tr '\\0' x; exit 3", GATE_INSTALL, "",
                                   0};
    assert_false(ask_with(&c, RUN_PATIENCE_MS, reason, sizeof reason));
    assert_string_equal(reason, "gate command: exit status 3: xx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_opens_or_closes_and_the_first_line_says_why),
        cmocka_unit_test(a_command_that_is_not_there_closes),
        cmocka_unit_test(it_is_told_what_it_is_asked_about),
        cmocka_unit_test(one_that_hangs_is_ended_with_all_it_started),
        cmocka_unit_test(a_long_line_is_cut_to_the_room_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
