// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/fleet_lock.h"

#include "tests/support/post_server.h"
#include "tests/support/run_wait.h"
#include "tests/support/talk.h"

#include <signal.h>
#include <stdio.h>

#define ANSWER(status, body)                                                                       \
    "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body

static enum fleet_lock_answer ask(const struct fleet_lock *l, enum fleet_lock_op op, char *reason,
                                  size_t size)
{
    struct error e;
    struct bounded_run r = {0};
    reason[0] = '\0';
    assert_ok(fleet_lock_check(l, &e));
    assert_ok(fleet_lock_start(&r, l, op, run_now_ms(), &e));
    enum fleet_lock_answer answer = fleet_lock_answer(&r, run_finish(&r), reason, size);
    run_let_go(&r);
    return answer;
}

// What one answer is taken for.
static void expect(const char *answer, enum fleet_lock_answer want, const char *want_reason)
{
    char reason[256];
    struct post_server server;
    post_server_start(&server, &answer, 1);
    const struct fleet_lock l = {server.url, "workers", "dev1", NULL};
    enum fleet_lock_answer got = ask(&l, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason);
    post_server_stop(&server);
    if (got != want || strcmp(reason, want_reason) != 0) {
        fail_msg("expected %d '%s' of %s, got %d '%s'", want, want_reason, answer, got, reason);
    }
}

static void requests_are_as_the_protocol_has_them(void **state)
{
    (void)state;
    char reason[256];
    struct post_server server;
    static const char *const answers[] = {ANSWER("200 OK", "{}")};
    static const char body[] =
        "\r\n\r\n{\"client_params\":{\"group\":\"all.eu-1\",\"id\":\"a\\\"b\"}}";
    post_server_start(&server, answers, 1);
    const struct fleet_lock l = {server.url, "all.eu-1", "a\"b", NULL};
    assert_int_equal(ask(&l, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason), FLEET_LOCK_GRANTED);
    const char *text = post_server_requests(&server);
    assert_int_equal(strncmp(text, "POST /base/v1/pre-reboot HTTP/1.1\r\n", 35), 0);
    assert_contains(text, "\r\nfleet-lock-protocol: true\r\n");
    assert_contains(text, "\r\nContent-Type: application/json\r\n");
    assert_contains(text, body);
    assert_int_equal(count_of(text, "Expect:"), 0);
    assert_int_equal(ask(&l, FLEET_LOCK_STEADY_STATE, reason, sizeof reason), FLEET_LOCK_GRANTED);
    text = post_server_requests(&server);
    assert_contains(text, "POST /base/v1/steady-state HTTP/1.1\r\n");
    assert_int_equal(count_of(text, "fleet-lock-protocol: true"), 2);
    assert_int_equal(count_of(text, body), 2);
    post_server_stop(&server);
}

static void slashes_at_the_end_of_the_url_do_not_matter(void **state)
{
    (void)state;
    char url[80];
    char reason[256];
    struct post_server server;
    static const char *const answers[] = {ANSWER("200 OK", "")};
    post_server_start(&server, answers, 1);
    snprintf(url, sizeof url, "%s//", server.url);
    const struct fleet_lock l = {url, "default", "dev1", NULL};
    assert_int_equal(ask(&l, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason), FLEET_LOCK_GRANTED);
    assert_contains(post_server_requests(&server), "POST /base/v1/pre-reboot HTTP/1.1\r\n");
    post_server_stop(&server);
}

static void only_200_is_yes_and_the_reason_is_what_the_server_says(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum fleet_lock_answer want;
        const char *reason;
    } cases[] = {
        {ANSWER("200 OK", ""), FLEET_LOCK_GRANTED, ""},
        {ANSWER("200 OK", "{\"kind\":\"x\",\"value\":\"y\"}"), FLEET_LOCK_GRANTED, ""},
        {ANSWER("409 Conflict", "{\"kind\":\"failed_lock_semaphore_full\",\"value\":"
                                "\"semaphore currently full, all slots are locked already\"}"),
         FLEET_LOCK_DENIED,
         "fleet lock: HTTP 409: failed_lock_semaphore_full: "
         "semaphore currently full, all slots are locked already"},
        {ANSWER("204 No Content", ""), FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 204"},
        {ANSWER("201 Created", "{\"kind\":\"k\"}"), FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 201: k"},
        {ANSWER("500 Oops", "{\"value\":\"v\"}"), FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 500: v"},
        {ANSWER("500 Oops", "{}"), FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 500"},
        {ANSWER("500 Oops", "{\"kind\":1,\"value\":[]}"), FLEET_LOCK_UNCLEAR,
         "fleet lock: HTTP 500"},
        {ANSWER("502 Bad", "<html>\n<b>"), FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 502: <html>"},
        {ANSWER("503 Bad", "{\"kind\":\"a\\u001b[31m\",\"value\":\"one\\ntwo\"}"),
         FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 503: a?[31m: one"},
        // Of a redirection that is no part of the protocol.
        {"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n",
         FLEET_LOCK_UNCLEAR, "fleet lock: HTTP 307"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(cases[i].answer, cases[i].want, cases[i].reason);
    }
}

static void an_answer_that_goes_too_deep_is_shown_as_text(void **state)
{
    (void)state;
    expect(ANSWER("409 No", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), FLEET_LOCK_DENIED,
           "fleet lock: HTTP 409: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]");
}

static void no_answer_is_no(void **state)
{
    (void)state;
    char reason[256];
    const struct fleet_lock l = {"http://127.0.0.1:1/", "default", "dev1", NULL};
    assert_int_equal(ask(&l, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason), FLEET_LOCK_UNCLEAR);
    assert_contains(reason, "fleet lock: ");
    assert_contains(reason, "127.0.0.1");
    struct post_server server;
    static const char *const answers[] = {"garbage\r\n\r\n"};
    post_server_start(&server, answers, 1);
    const struct fleet_lock other = {server.url, "default", "dev1", NULL};
    assert_int_equal(ask(&other, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason), FLEET_LOCK_UNCLEAR);
    assert_true(strlen(reason) > strlen("fleet lock: "));
    post_server_stop(&server);
}

static void a_server_that_hangs_is_given_up_by_the_time_of_the_caller(void **state)
{
    (void)state;
    struct error e;
    int status = 0;
    char reason[256];
    struct bounded_run r = {0};
    struct post_server server;
    static const char *const answers[] = {"hang"};
    post_server_start(&server, answers, 1);
    const struct fleet_lock l = {server.url, "default", "dev1", NULL};
    assert_ok(fleet_lock_start(&r, &l, FLEET_LOCK_PRE_REBOOT, 5000, &e));
    assert_int_equal(r.deadline_ms, 5000 + FLEET_LOCK_TIMEOUT_MS);
    assert_false(bounded_run_step(&r, 5000 + FLEET_LOCK_TIMEOUT_MS - 1, &status));
    assert_true(bounded_run_step(&r, 5000 + FLEET_LOCK_TIMEOUT_MS, &status));
    assert_int_equal(fleet_lock_answer(&r, status, reason, sizeof reason), FLEET_LOCK_UNCLEAR);
    assert_string_equal(reason, "fleet lock: no answer within 10 s");
    run_let_go(&r);
    post_server_stop(&server);
}

static void an_endless_answer_ends(void **state)
{
    (void)state;
    static char answer[700 * 1024];
    static const char head[] = ANSWER("409 No", "");
    memset(answer, 'x', sizeof answer - 1);
    memcpy(answer, head, sizeof head - 1);
    char reason[256];
    struct post_server server;
    const char *const answers[] = {answer};
    post_server_start(&server, answers, 1);
    const struct fleet_lock l = {server.url, "default", "dev1", NULL};
    assert_int_equal(ask(&l, FLEET_LOCK_PRE_REBOOT, reason, sizeof reason), FLEET_LOCK_DENIED);
    assert_contains(reason, "fleet lock: HTTP 409: xxxx");
    assert_true(strlen(reason) < 200);
    post_server_stop(&server);
}

static void what_could_not_be_asked_with_is_refused(void **state)
{
    (void)state;
    char long_id[FLEET_LOCK_ID_MAX + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    const struct {
        struct fleet_lock l;
        const char *says;
    } cases[] = {
        {{"ftp://host/", "default", "dev1", NULL}, "URL"},
        {{"host", "default", "dev1", NULL}, "URL"},
        {{"http://host/?a=b", "default", "dev1", NULL}, "URL"},
        {{"http://host/#a", "default", "dev1", NULL}, "URL"},
        {{"http://host", "", "dev1", NULL}, "group"},
        {{"http://host", NULL, "dev1", NULL}, "group"},
        {{"http://host", "two words", "dev1", NULL}, "group"},
        {{"http://host", "under_score", "dev1", NULL}, "group"},
        {{"http://host", "default", "", NULL}, "id"},
        {{"http://host", "default", NULL, NULL}, "id"},
        {{"http://host", "default", long_id, NULL}, "128"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e;
        assert_fails(ERR_CONFIG, cases[i].says, fleet_lock_check(&cases[i].l, &e));
    }
    struct error e;
    const struct fleet_lock good = {"https://host/base", "A-z.09", long_id + 1, NULL};
    assert_ok(fleet_lock_check(&good, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_as_the_protocol_has_them),
        cmocka_unit_test(slashes_at_the_end_of_the_url_do_not_matter),
        cmocka_unit_test(only_200_is_yes_and_the_reason_is_what_the_server_says),
        cmocka_unit_test(an_answer_that_goes_too_deep_is_shown_as_text),
        cmocka_unit_test(no_answer_is_no),
        cmocka_unit_test(a_server_that_hangs_is_given_up_by_the_time_of_the_caller),
        cmocka_unit_test(an_endless_answer_ends),
        cmocka_unit_test(what_could_not_be_asked_with_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
