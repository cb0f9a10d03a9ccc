// SPDX-License-Identifier: Apache-2.0
#include "image-tools/tool.h"

#include "base/cleanup.h"
#include "tests/support/expect.h"

#include <sched.h>
#include <signal.h>

static enum err run_nothing(void *context, const struct parsed *args, struct error *e)
{
    (void)context;
    (void)args;
    (void)e;
    return OK;
}

// The parsed form of `verb --n VALUE`, without the option when `value` is NULL.
static struct parsed parse(char *value)
{
    static const struct option_spec specs[] = {{"n", 0, "N", "a number", false, false}, {0}};
    static const struct command commands[] = {{"verb", "", 0, 0, "", specs, run_nothing}, {0}};
    static const struct program program = {
        .name = "p", .summary = "", .version = "", .commands = commands};
    char name[] = "p";
    char verb[] = "verb";
    char option[] = "--n";
    char *argv[] = {name, verb, option, value, NULL};
    struct parsed ret;
    struct error e;
    assert_ok(command_parse(&program, value != NULL ? 4 : 2, argv, stdout, &ret, &e));
    return ret;
}

static void a_number_in_range_is_taken(void **state)
{
    (void)state;
    struct error e;
    char low[] = "1";
    char high[] = "16";
    struct parsed args = parse(low);
    uint64_t n = 0;
    assert_ok(tool_option_number(&args, "n", 1, 16, &n, &e));
    assert_int_equal(n, 1);
    args = parse(high);
    assert_ok(tool_option_number(&args, "n", 1, 16, &n, &e));
    assert_int_equal(n, 16);
}

static void a_number_that_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    struct error e;
    struct parsed args = parse(NULL);
    uint64_t n = 7;
    assert_ok(tool_option_number(&args, "n", 1, 16, &n, &e));
    assert_int_equal(n, 7);
}

static void anything_but_a_number_in_range_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct error e;
    char texts[][24] = {"0", "17", "", "-1", "1x", " 1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct parsed args = parse(texts[i]);
        uint64_t n = 7;
        assert_fails(ERR_USAGE, "must be a whole number from 1 to 16",
                     tool_option_number(&args, "n", 1, 16, &n, &e));
        assert_int_equal(n, 7);
    }
}

static void a_size_is_taken_with_its_unit(void **state)
{
    (void)state;
    struct error e;
    char with[] = "2K";
    char without[] = "4096";
    struct parsed args = parse(with);
    uint64_t n = 7;
    assert_ok(tool_option_size(&args, "n", 4096, &n, &e));
    assert_int_equal(n, 2048);
    args = parse(without);
    assert_ok(tool_option_size(&args, "n", 4096, &n, &e));
    assert_int_equal(n, 4096);
    args = parse(NULL);
    assert_ok(tool_option_size(&args, "n", 4096, &n, &e));
    assert_int_equal(n, 4096);
}

static void anything_but_a_size_up_to_its_limit_is_refused(void **state)
{
    (void)state;
    struct error e;
    char texts[][24] = {"4097", "5K", "", "-1", "1X"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct parsed args = parse(texts[i]);
        uint64_t n = 7;
        assert_fails(ERR_USAGE, "of at most 4096 bytes",
                     tool_option_size(&args, "n", 4096, &n, &e));
        assert_int_equal(n, 7);
    }
}

static void output_that_a_full_device_does_not_take_is_an_error(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    struct tool tool = {.out = full};
    fputs("data", full);
    assert_fails(ERR_IO, "write to standard output", tool_finish_output(&tool, &e));
}

static void an_earlier_write_error_is_not_forgotten(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_fclose) FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    setvbuf(full, NULL, _IONBF, 0);
    struct tool tool = {.out = full};
    assert_int_equal(fputc('x', full), EOF);
    assert_fails(ERR_IO, "write to standard output", tool_finish_output(&tool, &e));
}

static void output_that_arrived_is_fine(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(cleanup_fclose) FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    struct tool tool = {.out = null};
    fputs("data", null);
    assert_ok(tool_finish_output(&tool, &e));
}

static void there_is_no_progress_where_nobody_watches(void **state)
{
    (void)state;
    CLEANUP(cleanup_fclose) FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    struct tool tool = {.log = {.stream = null}, .clock = &clock_system};
    struct progress p = tool_progress(&tool);
    assert_int_equal(p.kind, PROGRESS_NONE);
}

static void the_default_is_one_job_for_each_processor_allowed(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(tool_default_jobs(), CPU_COUNT(&all));
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
            break;
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    unsigned jobs = tool_default_jobs();
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(jobs, 1);
}

static void *note_mask(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
    return NULL;
}

static void a_thread_takes_no_signals_and_its_creator_keeps_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    sigset_t inside;
    sigset_t before;
    sigset_t after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(tool_start_thread(&thread, note_mask, &inside), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&inside, SIGINT), 1);
    assert_int_equal(sigismember(&inside, SIGTERM), 1);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void times_are_written_in_utc(void **state)
{
    (void)state;
    char buf[TOOL_TIME_SIZE];
    assert_string_equal(tool_format_time(0, buf, sizeof(buf)), "1970-01-01 00:00:00 UTC");
    assert_string_equal(tool_format_time(1700000000, buf, sizeof(buf)), "2023-11-14 22:13:20 UTC");
    assert_string_equal(tool_format_time(253402300799, buf, sizeof(buf)),
                        "9999-12-31 23:59:59 UTC");
}

static void a_time_behind_the_year_9999_is_a_bare_number(void **state)
{
    (void)state;
    char buf[TOOL_TIME_SIZE];
    assert_string_equal(tool_format_time(253402300800, buf, sizeof(buf)), "253402300800");
    assert_string_equal(tool_format_time(UINT64_MAX, buf, sizeof(buf)), "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_in_range_is_taken),
        cmocka_unit_test(a_number_that_is_not_given_keeps_its_default),
        cmocka_unit_test(anything_but_a_number_in_range_is_refused_and_changes_nothing),
        cmocka_unit_test(a_size_is_taken_with_its_unit),
        cmocka_unit_test(anything_but_a_size_up_to_its_limit_is_refused),
        cmocka_unit_test(output_that_a_full_device_does_not_take_is_an_error),
        cmocka_unit_test(an_earlier_write_error_is_not_forgotten),
        cmocka_unit_test(output_that_arrived_is_fine),
        cmocka_unit_test(there_is_no_progress_where_nobody_watches),
        cmocka_unit_test(the_default_is_one_job_for_each_processor_allowed),
        cmocka_unit_test(a_thread_takes_no_signals_and_its_creator_keeps_its_own),
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(a_time_behind_the_year_9999_is_a_bare_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
