// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "tests/support/canned_server.h"
#include "tests/support/captured.h"
#include "tests/support/checks.h"

#include <stdlib.h>

#define HEAD(status) "HTTP/1.1 " status "\r\nConnection: close\r\n"

// Asks a server that answers so; its output must begin with `says`.
static void expect_answer(const char *answer, const struct config_check *limits, int exit_status,
                          const char *says)
{
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = *limits;
    canned_server_start(&server, answer, 1, false);
    c.url = server.url;
    assert_int_equal(probe_http(&c, out.fd), exit_status);
    assert_string_equal(captured_text(&out), says);
    assert_int_equal(canned_server_requests(&server), 1);
    canned_server_stop(&server);
    captured_end(&out);
}

static void a_status_within_the_expected_is_healthy(void **state)
{
    (void)state;
    struct config_check c = check_make("x");
    expect_answer(HEAD("200 OK") "\r\nfine", &c, PROBE_EXIT_HEALTHY, "HTTP 200: fine\n");
    expect_answer(HEAD("204 No Content") "\r\n", &c, PROBE_EXIT_HEALTHY, "HTTP 204\n");
    expect_answer(HEAD("299 Odd") "\r\n", &c, PROBE_EXIT_HEALTHY, "HTTP 299\n");
    c.expect_first = c.expect_last = 503;
    expect_answer(HEAD("503 Busy") "\r\n", &c, PROBE_EXIT_HEALTHY, "HTTP 503\n");
}

static void a_status_outside_the_expected_has_failed(void **state)
{
    (void)state;
    struct config_check c = check_make("x");
    expect_answer(HEAD("500 Broken") "\r\nno camera\nmore\n", &c, PROBE_EXIT_FAILED,
                  "HTTP 500: no camera\n");
    expect_answer(HEAD("300 Choices") "\r\n", &c, PROBE_EXIT_FAILED, "HTTP 300\n");
    expect_answer(HEAD("199 Odd") "\r\n" HEAD("404 None") "\r\n", &c, PROBE_EXIT_FAILED,
                  "HTTP 404\n");
    c.expect_first = c.expect_last = 503;
    expect_answer(HEAD("200 OK") "\r\nfine", &c, PROBE_EXIT_FAILED, "HTTP 200: fine\n");
}

static void a_redirect_is_an_answer_and_is_not_followed(void **state)
{
    (void)state;
    struct config_check c = check_make("x");
    expect_answer(HEAD("302 Found") "Location: /elsewhere\r\n\r\n", &c, PROBE_EXIT_FAILED,
                  "HTTP 302\n");
}

static void proxies_of_the_environment_are_not_asked(void **state)
{
    (void)state;
    struct config_check c = check_make("x");
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    expect_answer(HEAD("200 OK") "\r\nfine", &c, PROBE_EXIT_HEALTHY, "HTTP 200: fine\n");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void a_long_first_line_is_cut(void **state)
{
    (void)state;
    char answer[1024];
    char says[512];
    struct config_check c = check_make("x");
    snprintf(answer, sizeof answer, HEAD("200 OK") "\r\n%0400d", 0);
    snprintf(says, sizeof says, "HTTP 200: %0255d\n", 0);
    expect_answer(answer, &c, PROBE_EXIT_HEALTHY, says);
}

static void of_an_endless_body_only_the_beginning_is_read(void **state)
{
    (void)state;
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    // The header comes again as body: who cares.
    canned_server_start(&server, HEAD("200 OK") "\r\nendless\n", SIZE_MAX, false);
    c.url = server.url;
    c.timeout_ms = 60000;
    assert_int_equal(probe_http(&c, out.fd), PROBE_EXIT_HEALTHY);
    assert_string_equal(captured_text(&out), "HTTP 200: endless\n");
    canned_server_stop(&server);
    captured_end(&out);
}

static void a_server_that_does_not_answer_in_time_has_failed(void **state)
{
    (void)state;
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, HEAD("200 OK"), 1, true);
    c.url = server.url;
    c.timeout_ms = 100;
    assert_int_equal(probe_http(&c, out.fd), PROBE_EXIT_FAILED);
    assert_string_equal(captured_text(&out), "no answer within 100 ms\n");
    canned_server_stop(&server);
    captured_end(&out);
}

static void where_nobody_listens_the_reason_is_told(void **state)
{
    (void)state;
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, "", 0, false);
    canned_server_stop(&server); // its port is free again
    c.url = server.url;
    assert_int_equal(probe_http(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "onnect to 127.0.0.1");
    captured_end(&out);
}

static void what_is_not_http_has_failed(void **state)
{
    (void)state;
    struct canned_server server;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    canned_server_start(&server, "SSH-2.0-OpenSSH\r\n", 1, false);
    c.url = server.url;
    assert_int_equal(probe_http(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "HTTP/0.9");
    canned_server_stop(&server);
    captured_end(&out);
}

static void no_other_protocol_is_spoken(void **state)
{
    (void)state;
    struct captured out = captured_begin();
    struct config_check c = check_make("x");
    c.url = "file:///etc/hostname";
    assert_int_equal(probe_http(&c, out.fd), PROBE_EXIT_FAILED);
    assert_contains(captured_text(&out), "file");
    captured_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_within_the_expected_is_healthy),
        cmocka_unit_test(a_status_outside_the_expected_has_failed),
        cmocka_unit_test(a_redirect_is_an_answer_and_is_not_followed),
        cmocka_unit_test(proxies_of_the_environment_are_not_asked),
        cmocka_unit_test(a_long_first_line_is_cut),
        cmocka_unit_test(of_an_endless_body_only_the_beginning_is_read),
        cmocka_unit_test(a_server_that_does_not_answer_in_time_has_failed),
        cmocka_unit_test(where_nobody_listens_the_reason_is_told),
        cmocka_unit_test(what_is_not_http_has_failed),
        cmocka_unit_test(no_other_protocol_is_spoken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
