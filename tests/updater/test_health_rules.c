// SPDX-License-Identifier: Apache-2.0
// The rules of docs/health.md, a row each, by a clock that takes no time: what a check answers, one
// letter an answer, and what comes of it when.
#include "updater/health.h"

#include "tests/support/checks.h"
#include "tests/support/fast_clock.h"
#include "tests/support/talk.h"
#include "tests/support/temp_dir.h"
#include "updater/baseline.h"

enum { S = 1000, MIN = 60 * S };

struct row {
    const char *rule;
    const char *answers; // H healthy, F failed, N not yet; the last one for ever
    struct {
        unsigned interval_ms, start_period_ms, retries, successes;
    } check;
    unsigned stable_for_ms, deadline_ms;
    bool wanted, failed_before;
    // What is expected.
    enum health_verdict verdict;
    const char *reason;
    unsigned tries;
    unsigned at_s; // of the simulated clock; one second less is the same
    const char
        *other; // what a second check answers, required, asked a second less often; NULL: none
};

// clang-format off
static const struct row rows[] = {
    {"the first probe runs at once", "H", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 1, 0, NULL},
    {"the next one an interval later", "FH", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 2, 30, NULL},
    {"retries failures in a row are bad", "F", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_BAD, "check x: F", 3, 60, NULL},
    {"fewer are not", "FFH", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 3, 60, NULL},
    {"a success begins the count anew", "FFHFFH", {30 * S, 0, 3, 2}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 7, 180, NULL},
    {"failures while it starts do not count", "FFFFFH", {30 * S, 3 * MIN, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 6, 150, NULL},
    {"they count when start_period is over", "F", {30 * S, 2 * MIN, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_BAD, "check x: F", 7, 180, NULL},
    {"the first success ends starting", "HF", {30 * S, 5 * MIN, 2, 2}, 0, 10 * MIN,
     false, false, HEALTH_BAD, "check x: F", 3, 60, NULL},
    {"successes in a row are wanted", "H", {30 * S, 0, 3, 4}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 4, 90, NULL},
    {"a failure between them begins the count anew", "HHFH", {30 * S, 0, 3, 3}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 6, 150, NULL},
    {"not yet is no failure", "NNNNNH", {30 * S, 0, 2, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 6, 150, NULL},
    {"not yet does not end a row of failures", "FNNF", {30 * S, 0, 2, 1}, 0, 10 * MIN,
     false, false, HEALTH_BAD, "check x: F", 4, 90, NULL},
    {"not yet for ever is bad at the deadline", "N", {30 * S, 0, 3, 1}, 0, 2 * MIN,
     false, false, HEALTH_BAD, "check x: not healthy within 2 min: N", 4, 120, NULL},
    {"the deadline ends a start_period", "F", {30 * S, 60 * MIN, 3, 1}, 0, 2 * MIN,
     false, false, HEALTH_BAD, "check x: not healthy within 2 min: F", 4, 120, NULL},
    {"it still is healthy stable_for later", "H", {60 * MIN, 0, 3, 1}, 5 * MIN, 10 * MIN,
     false, false, HEALTH_GOOD, "", 2, 300, NULL},
    {"a failure within stable_for is asked again", "HFH", {60 * S, 0, 3, 1}, 2 * MIN, 10 * MIN,
     false, false, HEALTH_GOOD, "", 3, 120, NULL},
    {"unhealthy within stable_for is bad", "HF", {60 * S, 0, 3, 1}, 10 * MIN, 20 * MIN,
     false, false, HEALTH_BAD, "check x: F", 4, 180, NULL},
    {"a stable_for behind the deadline is bad", "H", {30 * S, 0, 3, 1}, 5 * MIN, 2 * MIN,
     false, false, HEALTH_BAD, "the checks were not all healthy for 5 min within 2 min",
     4, 120, NULL},
    {"not yet between successes begins their count anew", "HNH", {30 * S, 0, 3, 2}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 4, 90, NULL},
    {"all have to be healthy", "H", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 3, 62, "FFH"},
    {"at the same time: one that fails now does not pass", "HFHH", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_GOOD, "", 3, 60, "FH"},
    {"and goes on to be unhealthy", "HF", {30 * S, 0, 3, 1}, 0, 10 * MIN,
     false, false, HEALTH_BAD, "check x: F", 4, 90, "FH"},
    {"nor does one that says not yet again", "HN", {30 * S, 0, 3, 1}, 0, 2 * MIN,
     false, false, HEALTH_BAD, "check x: not healthy within 2 min: N", 4, 120, "FH"},
    {"a wanted check does not count", "F", {30 * S, 0, 1, 1}, 0, 10 * MIN,
     true, false, HEALTH_GOOD, "", 2, 31, "NH"},
    {"nor does one that failed before the update", "F", {30 * S, 0, 1, 1}, 0, 10 * MIN,
     false, true, HEALTH_GOOD, "", 2, 31, "NH"},
    {"if none counts, none is asked", "F", {30 * S, 0, 1, 1}, 0, 10 * MIN,
     true, false, HEALTH_GOOD, "", 0, 0, NULL},
};
// clang-format on

// Says the letters of `answers`, one a call: how often it was called is in a file.
static void answering(const char *dir, const char *file, const char *answers, char command[1024])
{
    snprintf(command, 1024,
             "cd %s; n=$(cat %s 2>/dev/null || echo 0); echo $((n+1)) > %s; a=%s; "
             "while [ $n -gt 0 ] && [ ${#a} -gt 1 ]; do a=${a#?}; n=$((n-1)); done; "
             "case $a in H*) echo H;; N*) echo N; exit 75;; *) echo F; exit 1;; esac",
             dir, file, file, answers);
}

static void play(const struct row *row, const char *dir)
{
    char commands[2][1024];
    char path[512];
    char failed[] = "x";
    char *failing[] = {failed};
    struct error e;
    struct talk talk;
    struct health_report report;
    struct fast_clock clock = fast_clock_make();
    const struct baseline before = {row->failed_before ? 1 : 0, failing};
    struct config_check checks[2];
    for (size_t i = 0; i < 2; i++) {
        const char *answers = i == 0 || row->other == NULL ? row->answers : row->other;
        answering(dir, i == 0 ? "n" : "m", answers, commands[i]);
        checks[i] = check_exec(i == 0 ? "x" : "other", commands[i]);
        checks[i].required = i == 1 || !row->wanted;
        checks[i].interval_ms = row->check.interval_ms + (i == 1 ? S : 0);
        checks[i].start_period_ms = row->check.start_period_ms;
        checks[i].retries = row->check.retries;
        checks[i].successes = row->check.successes;
    }
    struct config config = config_with_checks(checks, row->other == NULL ? 1 : 2);
    config.confirm_stable_ms = row->stable_for_ms;
    config.confirm_deadline_ms = row->deadline_ms;
    talk_begin(&talk);
    const struct health_ask ask = {
        .config = &config, .before = &before, .clock = &clock.base, .log = &talk.log};
    assert_ok(health_decide(&ask, &report, &e));
    uint64_t at_s = (clock.slept_ms + S / 2) / S;
    if (report.verdict != row->verdict || strcmp(report.reason, row->reason) != 0 ||
        report.results[0].tries != row->tries || at_s > row->at_s || at_s + 1 < row->at_s) {
        fail_msg("%s:\nexpected %s after %u tries at %u s: '%s'\n     got %s after %u tries at %u "
                 "s: '%s'",
                 row->rule, row->verdict == HEALTH_GOOD ? "good" : "bad", row->tries, row->at_s,
                 row->reason, report.verdict == HEALTH_GOOD ? "good" : "bad",
                 report.results[0].tries, (unsigned)at_s, report.reason);
    }
    health_report_clear(&report);
    talk_end(&talk);
    (void)remove(temp_dir_path(path, sizeof path, dir, "n"));
    (void)remove(temp_dir_path(path, sizeof path, dir, "m"));
}

static void every_rule_holds(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play(&rows[i], *state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_rule_holds, temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
