// SPDX-License-Identifier: Apache-2.0
#include "updater/http_retry.h"

#include "tests/support/expect.h"
#include "tests/support/fast_clock.h"
#include "updater/http_backoff.h"

#include <stdio.h>
#include <stdlib.h>

struct room {
    struct fast_clock clock;
    struct log log;
    char *text; // what was logged
    size_t len;
    struct http_retry retry;
    struct error e;
};

static int set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->clock = fast_clock_make();
    r->log = (struct log){.stream = open_memstream(&r->text, &r->len), .program = "t"};
    assert_non_null(r->log.stream);
    r->retry = (struct http_retry){.clock = &r->clock.base, .log = &r->log, .retries = 3};
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;
    fclose(r->log.stream);
    free(r->text);
    free(r);
    return 0;
}

static enum err fail_once(struct room *r, enum err code)
{
    struct error *e = &r->e;
    enum err code_again = fail(e, code, 0, "connection to h lost");
    assert_int_equal(code_again, code);
    return http_retry_wait(&r->retry, 0, e);
}

static void a_network_error_is_tried_again_as_often_as_allowed(void **state)
{
    struct room *r = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fail_once(r, ERR_NETWORK), OK);
    }
    assert_int_equal(r->clock.count, 3);
    assert_int_equal(fail_once(r, ERR_NETWORK), ERR_NETWORK);
    assert_int_equal(r->clock.count, 3);
    assert_string_equal(r->e.msg, "connection to h lost; given up after 4 tries without progress");
}

static void each_wait_is_longer_than_the_one_before(void **state)
{
    struct room *r = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fail_once(r, ERR_NETWORK), OK);
    }
    assert_in_range(r->clock.sleeps_ms[0], 750, 1250);
    assert_in_range(r->clock.sleeps_ms[1], 1500, 2500);
    assert_in_range(r->clock.sleeps_ms[2], 3000, 5000);
}

// Interrupted by its own clock, in the third slice of a wait.
static void interrupt_late(const struct clock *c, uint64_t ms);

struct late_clock {
    struct clock base;
    unsigned slices;
    uint64_t slept_ms;
    atomic_bool interrupted;
};

static const struct clock_ops late_ops = {.sleep_ms = interrupt_late};

static void interrupt_late(const struct clock *c, uint64_t ms)
{
    struct late_clock *late = (struct late_clock *)(uintptr_t)c;
    late->slept_ms += ms;
    if (++late->slices == 3) {
        atomic_store(&late->interrupted, true);
    }
}

static void a_wait_that_is_interrupted_ends_with_the_error(void **state)
{
    struct room *r = *state;
    struct late_clock late = {.base = {&late_ops}};
    r->retry.clock = &late.base;
    r->retry.interrupted = &late.interrupted;
    assert_int_equal(fail_once(r, ERR_NETWORK), ERR_NETWORK);
    assert_int_equal(late.slept_ms, 3 * CLOCK_INTERRUPT_MS);
    assert_int_equal(fail_once(r, ERR_NETWORK), ERR_NETWORK);
    assert_int_equal(late.slices, 3);
}

static void a_wait_that_nobody_interrupts_is_as_long_as_any(void **state)
{
    struct room *r = *state;
    static const atomic_bool never = false;
    r->retry.interrupted = &never;
    assert_int_equal(fail_once(r, ERR_NETWORK), OK);
    assert_in_range(r->clock.slept_ms, 750, 1250);
}

static void each_retry_is_one_line_of_the_log(void **state)
{
    struct room *r = *state;
    assert_int_equal(fail_once(r, ERR_NETWORK), OK);
    assert_contains(r->text, "t: warning: connection to h lost; trying again in ");
    assert_contains(r->text, "(1 of 3)\n");
    assert_int_equal(fail_once(r, ERR_NETWORK), OK);
    assert_contains(r->text, "(2 of 3)\n");
    size_t lines = 0;
    for (const char *p = r->text; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    assert_int_equal(lines, 2);
}

static void an_error_of_another_kind_is_final(void **state)
{
    struct room *r = *state;
    assert_int_equal(fail_once(r, ERR_FORMAT), ERR_FORMAT);
    assert_int_equal(fail_once(r, ERR_IO), ERR_IO);
    assert_string_equal(r->e.msg, "connection to h lost");
    assert_int_equal(r->clock.count, 0);
    assert_int_equal(r->retry.failures, 0);
}

static void without_retries_the_first_error_is_final_and_said_as_it_is(void **state)
{
    struct room *r = *state;
    r->retry.retries = 0;
    assert_int_equal(fail_once(r, ERR_NETWORK), ERR_NETWORK);
    assert_string_equal(r->e.msg, "connection to h lost");
    assert_int_equal(r->clock.count, 0);
}

static void sixty_four_kib_of_progress_begin_the_count_again(void **state)
{
    struct room *r = *state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fail_once(r, ERR_NETWORK), OK);
        http_retry_progress(&r->retry, 1);
        http_retry_progress(&r->retry, HTTP_PROGRESS_MIN - 1);
    }
    assert_int_equal(r->clock.count, 10);
    assert_in_range(r->clock.sleeps_ms[9], 750, 1250);
}

static void less_progress_does_not(void **state)
{
    struct room *r = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fail_once(r, ERR_NETWORK), OK);
        http_retry_progress(&r->retry, HTTP_PROGRESS_MIN - 1);
    }
    assert_int_equal(fail_once(r, ERR_NETWORK), ERR_NETWORK);
}

static void what_the_server_asks_for_is_waited(void **state)
{
    struct room *r = *state;
    struct error *e = &r->e;
    assert_int_equal(fail(e, ERR_NETWORK, 0, "busy"), ERR_NETWORK);
    assert_int_equal(http_retry_wait(&r->retry, 90000, e), OK);
    assert_in_range(r->clock.sleeps_ms[0], 90000, 150000);
    assert_contains(r->text, "trying again in ");
}

static enum err asked_to_wait(struct room *r, uint64_t retry_after_ms)
{
    struct error *e = &r->e;
    enum err err = fail(e, ERR_NETWORK, 0, "the server h answers 503 Service Unavailable");
    assert_int_equal(err, ERR_NETWORK);
    return http_retry_wait(&r->retry, retry_after_ms, e);
}

static void a_server_that_asks_for_more_than_half_an_hour_is_not_waited_for(void **state)
{
    struct room *r = *state;
    assert_int_equal(asked_to_wait(r, HTTP_RETRY_AFTER_SUM_MS + 1000), ERR_NETWORK);
    assert_int_equal(r->clock.count, 0);
    assert_string_equal(r->e.msg,
                        "the server h answers 503 Service Unavailable and asks to be left alone "
                        "for 30 min 1 s; of the 30 min that are waited for a server in all, 30 min "
                        "are left: run install again later: it goes on where it stopped");
    assert_int_equal(asked_to_wait(r, UINT64_MAX), ERR_NETWORK);
    assert_int_equal(r->clock.count, 0);
    assert_int_equal(asked_to_wait(r, HTTP_RETRY_AFTER_SUM_MS), OK);
}

static void progress_does_not_let_a_server_ask_for_more(void **state)
{
    struct room *r = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(asked_to_wait(r, HTTP_RETRY_AFTER_SUM_MS / 3), OK);
        http_retry_progress(&r->retry, HTTP_PROGRESS_MIN);
    }
    uint64_t slept_ms = r->clock.slept_ms;
    assert_in_range(slept_ms, HTTP_RETRY_AFTER_SUM_MS,
                    HTTP_RETRY_AFTER_SUM_MS + 3 * HTTP_BACKOFF_MAX_MS);
    assert_int_equal(asked_to_wait(r, 1000), ERR_NETWORK);
    assert_contains(r->e.msg,
                    "asks to be left alone for 1 s; of the 30 min that are waited for a server in "
                    "all, 0 ms are left");
    assert_int_equal(r->clock.slept_ms, slept_ms);
    assert_int_equal(asked_to_wait(r, 0), OK); // it does not ask any more
}

static void waits_of_several_devices_differ(void **state)
{
    struct room *r = *state;
    r->retry.retries = 40;
    bool differ = false;
    for (int i = 0; i < 40; i++) {
        r->retry.failures = 0;
        assert_int_equal(fail_once(r, ERR_NETWORK), OK);
        differ = differ || r->clock.sleeps_ms[i] != r->clock.sleeps_ms[0];
    }
    assert_true(differ);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        ROOM_TEST(a_network_error_is_tried_again_as_often_as_allowed),
        ROOM_TEST(each_wait_is_longer_than_the_one_before),
        ROOM_TEST(a_wait_that_is_interrupted_ends_with_the_error),
        ROOM_TEST(a_wait_that_nobody_interrupts_is_as_long_as_any),
        ROOM_TEST(each_retry_is_one_line_of_the_log),
        ROOM_TEST(an_error_of_another_kind_is_final),
        ROOM_TEST(without_retries_the_first_error_is_final_and_said_as_it_is),
        ROOM_TEST(sixty_four_kib_of_progress_begin_the_count_again),
        ROOM_TEST(less_progress_does_not),
        ROOM_TEST(what_the_server_asks_for_is_waited),
        ROOM_TEST(a_server_that_asks_for_more_than_half_an_hour_is_not_waited_for),
        ROOM_TEST(progress_does_not_let_a_server_ask_for_more),
        ROOM_TEST(waits_of_several_devices_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
