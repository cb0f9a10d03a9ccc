// SPDX-License-Identifier: Apache-2.0
// What an answer is taken for is in the tests of the kinds.
#include "updater/probe_request.h"

#include "tests/support/canned_server.h"
#include "tests/support/captured.h"
#include "tests/support/post_server.h"
#include "tests/support/temp_dir.h"

#include <stdlib.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

static struct probe_answer answer;

static bool ask(const struct probe_request *r, const char *says)
{
    struct captured out = captured_begin();
    bool answered = probe_request(r, &answer, out.fd);
    assert_contains(captured_text(&out), says);
    captured_end(&out);
    return answered;
}

static void status_and_body_arrive(void **state)
{
    (void)state;
    struct canned_server server;
    canned_server_start(&server, "HTTP/1.1 404 None\r\nConnection: close\r\n\r\nno such thing", 1,
                        false);
    const struct probe_request r = {.url = server.url, .timeout_ms = 5000};
    assert_true(ask(&r, ""));
    assert_int_equal(answer.status, 404);
    assert_int_equal(answer.len, strlen("no such thing"));
    assert_string_equal(answer.body, "no such thing");
    canned_server_stop(&server);
}

static void a_unix_socket_stands_for_the_host(void **state)
{
    char path[512];
    struct canned_server server;
    canned_server_start_at(&server, temp_dir_path(path, sizeof path, *state, "s"), OK_HEAD "here",
                           1, false);
    const struct probe_request r = {
        .url = "http://localhost/x", .timeout_ms = 5000, .socket = path};
    assert_true(ask(&r, ""));
    assert_string_equal(answer.body, "here");
    canned_server_stop(&server);
}

static void only_a_connection_is_made_when_no_more_is_wanted(void **state)
{
    (void)state;
    struct canned_server server;
    canned_server_start(&server, "", 0, true);
    const struct probe_request r = {.url = server.url, .timeout_ms = 5000, .connect_only = true};
    assert_true(ask(&r, ""));
    assert_int_equal(answer.status, 0);
    assert_int_equal(canned_server_requests(&server), 0);
    canned_server_stop(&server);
}

static void an_endless_body_ends_with_the_room_for_it(void **state)
{
    (void)state;
    struct canned_server server;
    canned_server_start(&server, OK_HEAD "endless\n", SIZE_MAX, false);
    const struct probe_request r = {.url = server.url, .timeout_ms = 60000};
    assert_true(ask(&r, ""));
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.len, PROBE_BODY_MAX);
    assert_int_equal(answer.body[PROBE_BODY_MAX], '\0');
    canned_server_stop(&server);
}

// A server of [network] is asked as the fleet client asks: a proxy that is named is used.
static void proxies_are_asked_for_a_server_of_the_network_only(void **state)
{
    (void)state;
    struct canned_server server;
    const struct http_options network = {.ca = NULL};
    canned_server_start(&server, OK_HEAD "direct", 1, false);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("no_proxy", "", 1);
    struct probe_request r = {.url = server.url, .timeout_ms = 5000};
    assert_true(ask(&r, ""));
    r.network = &network;
    assert_false(ask(&r, "onnect"));
    unsetenv("http_proxy");
    unsetenv("no_proxy");
    canned_server_stop(&server);
}

static void a_certificate_that_cannot_be_read_is_no_answer(void **state)
{
    (void)state;
    const struct http_options network = {.ca = "/nowhere/ca.pem", .client_cert = "/nowhere/c.pem"};
    const struct probe_request r = {
        .url = "https://127.0.0.1:1/", .timeout_ms = 5000, .network = &network};
    assert_false(ask(&r, "\n"));
}

static void a_body_is_posted_with_the_headers_that_are_named(void **state)
{
    (void)state;
    struct post_server server;
    static const char *const answers[] = {OK_HEAD "taken"};
    static const char *const headers[] = {"x-one: 1", "Content-Type: text/x", NULL};
    post_server_start(&server, answers, 1);
    struct probe_request r = {
        .url = server.url, .timeout_ms = 5000, .body = "a=b", .headers = headers};
    assert_true(ask(&r, ""));
    assert_string_equal(answer.body, "taken");
    const char *text = post_server_requests(&server);
    assert_int_equal(strncmp(text, "POST /base HTTP/1.1\r\n", 21), 0);
    assert_contains(text, "\r\nx-one: 1\r\n");
    assert_contains(text, "\r\nContent-Type: text/x\r\n");
    assert_contains(text, "\r\n\r\na=b");
    // Headers alone make no POST.
    r.body = NULL;
    assert_true(ask(&r, ""));
    assert_contains(post_server_requests(&server), "GET /base HTTP/1.1\r\n");
    post_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_and_body_arrive),
        cmocka_unit_test_setup_teardown(a_unix_socket_stands_for_the_host, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test(only_a_connection_is_made_when_no_more_is_wanted),
        cmocka_unit_test(an_endless_body_ends_with_the_room_for_it),
        cmocka_unit_test(proxies_are_asked_for_a_server_of_the_network_only),
        cmocka_unit_test(a_body_is_posted_with_the_headers_that_are_named),
        cmocka_unit_test(a_certificate_that_cannot_be_read_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
