// SPDX-License-Identifier: Apache-2.0
#include "updater/http_transfer.h"

#include "tests/support/http_room.h"
#include "tests/support/temp_dir.h"

#include <stdlib.h>

// What libcurl may hold of a body beyond what was read: its buffer and one piece.
enum { HELD_MAX = 64 * 1024 + 16 * 1024 };

static struct http_transfer *open_transfer(struct http_room *r, bool show_certificate)
{
    struct error e;
    struct http_transfer *t = NULL;
    assert_ok(http_transfer_open(&r->options, show_certificate, &r->clock.base, &t, &e));
    return t;
}

static struct http_url *url_of(const char *text)
{
    struct error e;
    struct http_url *url = NULL;
    assert_ok(http_url_parse(text, &url, &e));
    return url;
}

static enum err ask(struct http_transfer *t, const char *url, uint64_t first, uint64_t last,
                    struct error *e)
{
    CLEANUP(cleanup_http_url) struct http_url *u = url_of(url);
    struct http_request request = {.url = u, .first = first, .last = last};
    return http_transfer_begin(t, &request, e);
}

static void read_and_compare(struct http_room *r, struct http_transfer *t, size_t off, size_t len)
{
    struct error e;
    uint8_t *buf = malloc(len);
    size_t got = 0;
    assert_non_null(buf);
    assert_ok(http_transfer_read(t, buf, len, &got, &e));
    assert_int_equal(got, len);
    assert_memory_equal(buf, r->content + off, len);
    free(buf);
}

static void a_request_asks_for_one_range_unencoded(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 1000, 1999, &e));
    assert_int_equal(http_transfer_response(t)->status, 206);
    read_and_compare(r, t, 1000, 1000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 1);
    assert_string_equal(bad_server_text(&r->server, 1, "method"), "GET");
    assert_string_equal(bad_server_text(&r->server, 1, "path"), "/image.vvi");
    assert_string_equal(bad_server_text(&r->server, 1, "range"), "bytes=1000-1999");
    assert_string_equal(bad_server_text(&r->server, 1, "accept_encoding"), "identity");
    assert_contains(bad_server_text(&r->server, 1, "user_agent"), "vv-update/");
    assert_null(bad_server_text(&r->server, 1, "if_range"));
    assert_int_equal(bad_server_number(&r->server, 1, "authorization"), 0);
}

static void the_end_of_a_body_is_no_error(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[100];
    size_t got = 7;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 59, &e));
    assert_ok(http_transfer_read(t, buf, sizeof buf, &got, &e));
    assert_int_equal(got, 60);
    assert_ok(http_transfer_read(t, buf, sizeof buf, &got, &e));
    assert_int_equal(got, 0);
}

static void one_connection_serves_range_after_range(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    for (uint64_t i = 0; i < 5; i++) {
        assert_ok(ask(t, r->url, i * 100000, i * 100000 + 49999, &e));
        read_and_compare(r, t, i * 100000, 50000);
    }
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 5);
    for (size_t n = 1; n <= 5; n++) {
        assert_int_equal(bad_server_number(&r->server, n, "connection"), 1);
    }
}

static void a_body_that_nobody_reads_is_not_gathered(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, HTTP_ROOM_FILE_BYTES - 1, &e));
    size_t off = 0;
    for (size_t len = 1; off + len < HTTP_ROOM_FILE_BYTES; len = len * 3 / 2 + 1) {
        read_and_compare(r, t, off, len);
        off += len;
        assert_in_range(http_transfer_body_bytes(t), off, off + HELD_MAX);
    }
    read_and_compare(r, t, off, HTTP_ROOM_FILE_BYTES - off);
    assert_int_equal(http_transfer_body_bytes(t), HTTP_ROOM_FILE_BYTES);
}

static void an_answer_given_up_midway_costs_its_connection_and_no_more(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, HTTP_ROOM_FILE_BYTES - 1, &e));
    read_and_compare(r, t, 0, 1000);
    http_transfer_end(t);
    assert_ok(ask(t, r->url, 5, 9, &e));
    read_and_compare(r, t, 5, 5);
    assert_in_range(http_transfer_body_bytes(t), 1005, 1005 + HELD_MAX);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 1, "connection"), 1);
    assert_int_equal(bad_server_number(&r->server, 2, "connection"), 2);
}

static void a_connection_on_which_too_much_comes_is_dropped(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "long=1000000,first=1");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 99, &e));
    read_and_compare(r, t, 0, 100);
    http_transfer_end(t);
    assert_ok(ask(t, r->url, 100, 199, &e));
    read_and_compare(r, t, 100, 100);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 2, "connection"), 2);
}

static void an_interim_answer_and_trailers_are_passed_over(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "interim,chunked,trailers");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 99, &e));
    assert_int_equal(http_transfer_response(t)->status, 200);
    assert_int_equal(http_transfer_response(t)->range, CONTENT_RANGE_NONE);
    read_and_compare(r, t, 0, HTTP_ROOM_FILE_BYTES);
    assert_int_equal(http_transfer_response(t)->range, CONTENT_RANGE_NONE);
    assert_null(http_transfer_response(t)->refused);
}

static void the_entity_tag_of_a_request_is_sent_as_it_is(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    CLEANUP(cleanup_http_url) struct http_url *url = url_of(r->url);
    struct http_request request = {.url = url, .last = 9, .if_range = "\"some tag\""};
    assert_ok(http_transfer_begin(t, &request, &e));
    assert_int_equal(http_transfer_response(t)->status, 200);
    http_transfer_end(t);
    assert_ok(ask(t, r->url, 0, 9, &e));
    assert_int_equal(http_transfer_response(t)->status, 206);
    bad_server_stop(&r->server);
    assert_string_equal(bad_server_text(&r->server, 1, "if_range"), "\"some tag\"");
    assert_null(bad_server_text(&r->server, 2, "if_range"));
}

static void a_login_goes_out_with_the_requests_that_name_it_only(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "login=dev:p@ss");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    CLEANUP(cleanup_http_url) struct http_url *url = url_of(r->url);
    CLEANUP(cleanup_http_url) struct http_url *login = url_of("http://dev:p%40ss@h/");
    struct http_request request = {.url = url, .login = login, .last = 9};
    assert_ok(http_transfer_begin(t, &request, &e));
    assert_int_equal(http_transfer_response(t)->status, 206);
    request.login = NULL;
    assert_ok(http_transfer_begin(t, &request, &e));
    assert_int_equal(http_transfer_response(t)->status, 401);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 1, "authorization"), 1);
    assert_int_equal(bad_server_number(&r->server, 2, "authorization"), 0);
}

// --- losses -------------------------------------------------------------------------------------

static void bytes_that_came_before_a_loss_are_handed_out_before_the_error(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t *buf = malloc(HTTP_ROOM_FILE_BYTES);
    size_t got = 0;
    assert_non_null(buf);
    http_room_serve(r, "drop-after=300000");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, HTTP_ROOM_FILE_BYTES - 1, &e));
    assert_ok(http_transfer_read(t, buf, HTTP_ROOM_FILE_BYTES, &got, &e));
    assert_int_equal(got, 300000);
    assert_memory_equal(buf, r->content, got);
    assert_fails(ERR_NETWORK, "the answer was cut short",
                 http_transfer_read(t, buf, HTTP_ROOM_FILE_BYTES, &got, &e));
    assert_true(http_transfer_may_retry(t));
    free(buf);
}

static void a_reset_is_named_and_worth_another_try(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[1000];
    size_t got = 0;
    http_room_serve(r, "drop-after=500,reset");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    enum err begun = ask(t, r->url, 0, 99999, &e);
    // The reset may take away bytes, and even the head, that came before it.
    while (begun == OK) {
        begun = http_transfer_read(t, buf, sizeof buf, &got, &e);
    }
    assert_int_equal(begun, ERR_NETWORK);
    assert_contains(e.msg, "reset by peer");
    assert_true(http_transfer_may_retry(t));
}

static void a_refused_connection_is_named_and_worth_another_try(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    bad_server_stop(&r->server);
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_fails(ERR_NETWORK, "Connection refused", ask(t, r->url, 0, 9, &e));
    assert_true(http_transfer_may_retry(t));
}

static void a_name_that_does_not_resolve_is_said_and_worth_another_try(void **state)
{
    struct http_room *r = *state;
    struct error e;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    // A label of more than 63 letters: no resolver has to be asked.
    assert_fails(ERR_NETWORK, "its name cannot be resolved",
                 ask(t,
                     "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                     ".invalid/",
                     0, 9, &e));
    assert_true(http_transfer_may_retry(t));
}

static void what_does_not_speak_http_is_not_tried_again(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "not-http");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_fails(ERR_NETWORK, "not HTTP", ask(t, r->url, 0, 9, &e));
    assert_false(http_transfer_may_retry(t));
}

static void a_head_without_end_is_refused(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "huge-head");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 9, &e));
    assert_non_null(http_transfer_response(t)->refused);
    assert_contains(http_transfer_response(t)->refused, "64 KiB");
}

// --- speed --------------------------------------------------------------------------------------

static void a_server_that_stalls_is_given_up(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[200];
    size_t got = 0;
    http_room_serve(r, "stall-after=100");
    r->options.low_speed_bytes = 1000;
    r->options.low_speed_ms = 200;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 9999, &e));
    assert_ok(http_transfer_read(t, buf, sizeof buf, &got, &e));
    assert_int_equal(got, 100);
    assert_fails(ERR_NETWORK, "slower than 1000 B a second over 200 ms",
                 http_transfer_read(t, buf, sizeof buf, &got, &e));
    assert_true(http_transfer_may_retry(t));
}

static void a_server_that_never_answers_is_given_up(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "silent");
    r->options.low_speed_bytes = 1;
    r->options.low_speed_ms = 200;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_fails(ERR_NETWORK, "slower than", ask(t, r->url, 0, 9, &e));
    assert_true(http_transfer_may_retry(t));
}

static void time_in_which_nobody_reads_does_not_make_a_server_slow(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    r->options.low_speed_bytes = 100;
    r->options.low_speed_ms = 1000;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 499999, &e));
    for (size_t off = 0; off < 500000; off += 50000) {
        read_and_compare(r, t, off, 50000);
        r->clock.base.ops->sleep_ms(&r->clock.base, 60000);
    }
}

static void our_own_rate_limit_does_not_make_a_server_slow(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    r->options.rate_limit = 100 * 1024;
    r->options.low_speed_bytes = 10 * 1024 * 1024;
    r->options.low_speed_ms = 200;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 99999, &e));
    read_and_compare(r, t, 0, 100000);
}

// --- TLS ----------------------------------------------------------------------------------------

static void a_certificate_nobody_vouches_for_is_refused_for_good(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_make_certificate(r);
    http_room_serve(r, "tls");
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_fails(ERR_NETWORK, "its certificate is refused", ask(t, r->url, 0, 9, &e));
    assert_contains(e.msg, "[network] ca=");
    assert_false(http_transfer_may_retry(t));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 0);
}

static void a_certificate_vouched_for_by_a_file_is_accepted(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_make_certificate(r);
    http_room_serve(r, "tls");
    r->options.ca = r->tls_cert;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 9, &e));
    read_and_compare(r, t, 0, 10);
}

static void a_certificate_vouched_for_by_a_directory_is_accepted(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char command[512];
    http_room_make_certificate(r);
    snprintf(command, sizeof command, "openssl rehash %s", r->dir);
    assert_int_equal(system(command), 0);
    http_room_serve(r, "tls");
    r->options.ca = r->dir;
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_ok(ask(t, r->url, 0, 9, &e));
    read_and_compare(r, t, 0, 10);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char url[256];
    http_room_make_certificate(r);
    http_room_serve(r, "tls");
    r->options.ca = r->tls_cert;
    snprintf(url, sizeof url, "https://localhost:%u/image.vvi", r->server.port);
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, false);
    assert_fails(ERR_NETWORK, "its certificate is refused", ask(t, url, 0, 9, &e));
    assert_false(http_transfer_may_retry(t));
}

static void a_client_certificate_is_shown_only_by_a_transfer_opened_for_it(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char mode[512];
    http_room_make_certificate(r);
    snprintf(mode, sizeof mode, "tls,client-ca=%s", r->tls_cert);
    http_room_serve(r, mode);
    r->options.ca = r->options.client_cert = r->tls_cert;
    r->options.client_key = r->tls_key;
    for (int show = 0; show < 2; show++) {
        CLEANUP(cleanup_http_transfer) struct http_transfer *t = open_transfer(r, show == 1);
        assert_ok(ask(t, r->url, 0, 9, &e));
        read_and_compare(r, t, 0, 10);
    }
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 1, "client_cert"), 0);
    assert_int_equal(bad_server_number(&r->server, 2, "client_cert"), 1);
}

static void a_path_that_cannot_be_read_is_an_error_of_the_configuration(void **state)
{
    struct http_room *r = *state;
    struct error e;
    struct http_transfer *t = NULL;
    r->options.ca = "/nowhere/ca.pem";
    assert_fails(ERR_CONFIG, "[network] ca: /nowhere/ca.pem: No such file",
                 http_transfer_open(&r->options, true, &r->clock.base, &t, &e));
    r->options.ca = NULL;
    r->options.client_cert = "/nowhere/c.pem";
    assert_fails(ERR_CONFIG, "[network] client_cert: /nowhere/c.pem",
                 http_transfer_open(&r->options, true, &r->clock.base, &t, &e));
    r->options.client_cert = r->dir;
    assert_fails(ERR_CONFIG, "[network] client_cert: is a directory",
                 http_transfer_open(&r->options, true, &r->clock.base, &t, &e));
    r->options.client_cert = NULL;
    r->options.client_key = "/nowhere/k.pem";
    assert_fails(ERR_CONFIG, "[network] client_key: /nowhere/k.pem",
                 http_transfer_open(&r->options, true, &r->clock.base, &t, &e));
    assert_null(t);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, http_room_make, http_room_remove)
    static const struct CMUnitTest tests[] = {
        ROOM_TEST(a_request_asks_for_one_range_unencoded),
        ROOM_TEST(the_end_of_a_body_is_no_error),
        ROOM_TEST(one_connection_serves_range_after_range),
        ROOM_TEST(a_body_that_nobody_reads_is_not_gathered),
        ROOM_TEST(an_answer_given_up_midway_costs_its_connection_and_no_more),
        ROOM_TEST(a_connection_on_which_too_much_comes_is_dropped),
        ROOM_TEST(an_interim_answer_and_trailers_are_passed_over),
        ROOM_TEST(the_entity_tag_of_a_request_is_sent_as_it_is),
        ROOM_TEST(a_login_goes_out_with_the_requests_that_name_it_only),
        ROOM_TEST(bytes_that_came_before_a_loss_are_handed_out_before_the_error),
        ROOM_TEST(a_reset_is_named_and_worth_another_try),
        ROOM_TEST(a_refused_connection_is_named_and_worth_another_try),
        ROOM_TEST(a_name_that_does_not_resolve_is_said_and_worth_another_try),
        ROOM_TEST(what_does_not_speak_http_is_not_tried_again),
        ROOM_TEST(a_head_without_end_is_refused),
        ROOM_TEST(a_server_that_stalls_is_given_up),
        ROOM_TEST(a_server_that_never_answers_is_given_up),
        ROOM_TEST(time_in_which_nobody_reads_does_not_make_a_server_slow),
        ROOM_TEST(our_own_rate_limit_does_not_make_a_server_slow),
        ROOM_TEST(a_certificate_nobody_vouches_for_is_refused_for_good),
        ROOM_TEST(a_certificate_vouched_for_by_a_file_is_accepted),
        ROOM_TEST(a_certificate_vouched_for_by_a_directory_is_accepted),
        ROOM_TEST(a_certificate_for_another_name_is_refused),
        ROOM_TEST(a_client_certificate_is_shown_only_by_a_transfer_opened_for_it),
        ROOM_TEST(a_path_that_cannot_be_read_is_an_error_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
