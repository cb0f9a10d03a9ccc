// SPDX-License-Identifier: Apache-2.0
#include "updater/check.h"

#include "tests/support/checks.h"
#include "tests/support/expect.h"

// A letter is a probe that ended: h healthy, f failed, n not yet. The verdicts after each, in the
// same order: S starting, H healthy, U unhealthy.
struct row {
    unsigned retries, successes;
    uint64_t start_period_ms;
    const char *results;
    const char *verdicts;
};

// Probes end at 0 s, 10 s, 20 s, ...
enum { STEP_MS = 10000 };

static const struct row rows[] = {
    {3, 1, 0, "h", "H"},
    {3, 1, 0, "ff", "SS"},
    {3, 1, 0, "fff", "SSU"},
    {1, 1, 0, "f", "U"},
    {3, 1, 0, "ffh", "SSH"},
    // One success makes it healthy again and resets the count.
    {2, 1, 0, "ffhfhf", "SUHHHH"},
    {2, 1, 0, "hfff", "HHUU"},
    {2, 1, 0, "hfhff", "HHHHU"},
    // While starting, failures inside the start period do not count.
    {1, 1, 25000, "fff", "SSS"},
    {1, 1, 25000, "ffff", "SSSU"},
    {2, 1, 25000, "fffff", "SSSSU"},
    // The first success ends starting: what fails after it counts, inside the period too.
    {1, 1, 90000, "ffhf", "SSHU"},
    {2, 1, 90000, "ffhff", "SSHHU"},
    // The end of the period itself is outside.
    {1, 1, 10000, "ff", "SU"},
    // "Not yet" is no failure, and no success either.
    {2, 1, 0, "fnnnf", "SSSSU"},
    {2, 1, 0, "nnnh", "SSSH"},
    {2, 2, 0, "hnnhh", "SSSSH"},
    {2, 1, 0, "hnfnf", "HHHHU"},
    // So many successes in a row.
    {3, 3, 0, "hhh", "SSH"},
    {3, 3, 0, "hhfhhh", "SSSSSH"},
    {2, 2, 0, "ffhh", "SUUH"},
    {1, 2, 90000, "hf", "SU"},
};

static enum probe_result result_of(char letter)
{
    switch (letter) {
    case 'h':
        return PROBE_HEALTHY;
    case 'f':
        return PROBE_FAILED;
    default:
        return PROBE_NOT_YET;
    }
}

static enum check_verdict verdict_of(char letter)
{
    switch (letter) {
    case 'S':
        return CHECK_STARTING;
    case 'H':
        return CHECK_HEALTHY;
    default:
        return CHECK_UNHEALTHY;
    }
}

static void every_row_of_the_table_gives_its_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct config_check c = check_make("api");
        c.retries = row->retries;
        c.successes = row->successes;
        c.start_period_ms = row->start_period_ms;
        struct check_state s = check_begin(1000);
        for (size_t n = 0; row->results[n] != '\0'; n++) {
            check_take(&s, &c, result_of(row->results[n]), 1000 + n * STEP_MS);
            if (s.verdict != verdict_of(row->verdicts[n])) {
                fail_msg("row %zu '%s': expected %c after result %zu, got verdict %d", i,
                         row->results, row->verdicts[n], n + 1, (int)s.verdict);
            }
        }
    }
}

static void the_first_probe_is_due_at_once(void **state)
{
    (void)state;
    struct check_state s = check_begin(5000);
    assert_int_equal(s.due_ms, 5000);
    assert_int_equal(s.began_ms, 5000);
    assert_int_equal(s.verdict, CHECK_STARTING);
    assert_int_equal(s.tries, 0);
}

static void the_next_probe_is_due_one_interval_after_the_last_one_ended(void **state)
{
    (void)state;
    struct config_check c = check_make("api");
    c.interval_ms = 30000;
    struct check_state s = check_begin(0);
    check_take(&s, &c, PROBE_FAILED, 7000);
    assert_int_equal(s.due_ms, 37000);
    check_take(&s, &c, PROBE_HEALTHY, 41000);
    assert_int_equal(s.due_ms, 71000);
    check_take(&s, &c, PROBE_NOT_YET, 71500);
    assert_int_equal(s.due_ms, 101500);
}

static void every_probe_counts_as_a_try(void **state)
{
    (void)state;
    struct config_check c = check_make("api");
    struct check_state s = check_begin(0);
    check_take(&s, &c, PROBE_FAILED, 1);
    check_take(&s, &c, PROBE_NOT_YET, 2);
    check_take(&s, &c, PROBE_HEALTHY, 3);
    assert_int_equal(s.tries, 3);
}

static void healthy_since_is_when_it_became_healthy_not_the_last_success(void **state)
{
    (void)state;
    struct config_check c = check_make("api");
    c.successes = 2;
    c.retries = 2;
    struct check_state s = check_begin(0);
    check_take(&s, &c, PROBE_HEALTHY, 100);
    check_take(&s, &c, PROBE_HEALTHY, 200);
    assert_int_equal(s.healthy_since_ms, 200);
    check_take(&s, &c, PROBE_HEALTHY, 300);
    check_take(&s, &c, PROBE_FAILED, 400); // one of two: still healthy
    assert_int_equal(s.healthy_since_ms, 200);
    check_take(&s, &c, PROBE_FAILED, 500);
    check_take(&s, &c, PROBE_HEALTHY, 600);
    check_take(&s, &c, PROBE_HEALTHY, 700);
    assert_int_equal(s.verdict, CHECK_HEALTHY);
    assert_int_equal(s.healthy_since_ms, 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_gives_its_verdicts),
        cmocka_unit_test(the_first_probe_is_due_at_once),
        cmocka_unit_test(the_next_probe_is_due_one_interval_after_the_last_one_ended),
        cmocka_unit_test(every_probe_counts_as_a_try),
        cmocka_unit_test(healthy_since_is_when_it_became_healthy_not_the_last_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
