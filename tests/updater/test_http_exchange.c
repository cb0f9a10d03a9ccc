// SPDX-License-Identifier: Apache-2.0
#include "updater/http_exchange.h"

#include "tests/support/http_room.h"

#include <stdio.h>

static struct http_exchange *open_exchange(struct http_room *r, const char *url)
{
    struct error e;
    struct http_exchange *x = NULL;
    assert_ok(http_exchange_open(url, &r->options, &r->clock.base, &x, &e));
    return x;
}

static void get(struct http_exchange *x, uint64_t first, uint64_t last, unsigned status)
{
    struct error e;
    assert_ok(http_exchange_get(x, first, last, &e));
    assert_int_equal(http_exchange_response(x)->status, status);
}

// Reads the body of a range that was got, so that the connection can be used again.
static void drain(struct http_exchange *x, size_t len)
{
    struct error e;
    uint8_t buf[1000];
    size_t got = 0;
    assert_true(len <= sizeof buf);
    assert_ok(http_transfer_read(x->transfer, buf, len, &got, &e));
    assert_int_equal(got, len);
    http_transfer_end(x->transfer);
}

static void assert_path(const struct bad_server *s, size_t n, const char *path)
{
    assert_string_equal(bad_server_text(s, n, "path"), path);
}

// --- redirects ----------------------------------------------------------------------------------

static void each_kind_of_redirect_is_followed(void **state)
{
    struct http_room *r = *state;
    static const unsigned codes[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char mode[64];
        snprintf(mode, sizeof mode, "chain=1,code=%u", codes[i]);
        http_room_serve(r, mode);
        CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
        get(x, 5, 9, 206);
        assert_int_equal(x->requests, 2);
        bad_server_stop(&r->server);
        assert_path(&r->server, 1, "/image.vvi");
        assert_path(&r->server, 2, "/hop-1/image.vvi");
        assert_string_equal(bad_server_text(&r->server, 2, "range"), "bytes=5-9");
        bad_server_clear(&r->server);
    }
}

static void other_statuses_with_a_location_are_not_followed(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "redirect=/elsewhere,code=300");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 300);
    assert_int_equal(x->requests, 1);
}

static void five_redirects_are_followed(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "chain=5");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_int_equal(x->requests, 6);
}

static void six_redirects_are_not(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "chain=6");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "redirects once more after 5 redirects",
                 http_exchange_get(x, 0, 9, &e));
    assert_false(x->may_retry);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 6);
}

static void a_redirect_to_itself_ends(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "loop");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "after 5 redirects", http_exchange_get(x, 0, 9, &e));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 6);
}

static void a_redirect_without_a_location_is_refused(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "no-location");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "answers 302 Found without a Location",
                 http_exchange_get(x, 0, 9, &e));
    assert_false(x->may_retry);
}

static void a_redirect_that_is_not_followed_is_final(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "redirect=ftp://127.0.0.1/image.vvi");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "neither http nor https", http_exchange_get(x, 0, 9, &e));
    assert_false(x->may_retry);
}

static void where_a_redirect_led_is_asked_again_on_the_same_connection(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "chain=2");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    drain(x, 10);
    get(x, 10, 19, 206);
    drain(x, 10);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 4);
    assert_path(&r->server, 3, "/hop-2/image.vvi");
    assert_path(&r->server, 4, "/hop-2/image.vvi");
    assert_int_equal(bad_server_number(&r->server, 4, "connection"),
                     bad_server_number(&r->server, 3, "connection"));
}

static void after_a_restart_the_first_url_is_asked(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "chain=1");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_restart(x, &e));
    get(x, 10, 19, 206);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 4);
    assert_path(&r->server, 3, "/image.vvi");
}

static void a_link_that_expired_is_asked_for_anew(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "signed=2");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    for (uint64_t i = 0; i < 6; i++) {
        get(x, i * 10, i * 10 + 9, 206);
        drain(x, 10);
    }
    bad_server_stop(&r->server);
    // Three links, each asked for once and good for two ranges, and two refusals between them.
    assert_int_equal(bad_server_count(&r->server), 3 + 6 + 2);
    assert_path(&r->server, 4, "/image.vvi?sig=1");
    assert_int_equal(bad_server_number(&r->server, 4, "status"), 403);
    assert_path(&r->server, 5, "/image.vvi");
    assert_path(&r->server, 6, "/image.vvi?sig=2");
}

static void a_fresh_link_that_is_refused_is_final(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "signed=0");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 403);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
}

static void the_first_url_is_not_asked_twice_for_what_it_does_not_have(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "status=404");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 404);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 1);
}

// --- what is shown to whom ----------------------------------------------------------------------

static void login_url(const struct http_room *r, char *buf, size_t len)
{
    snprintf(buf, len, "http://dev:secret@127.0.0.1:%u/image.vvi", r->server.port);
}

static void a_login_is_shown_to_its_own_origin_after_a_redirect_too(void **state)
{
    struct http_room *r = *state;
    char url[256];
    http_room_serve(r, "login=dev:secret,chain=1");
    login_url(r, url, sizeof url);
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, url);
    get(x, 0, 9, 206);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 1, "authorization"), 1);
    assert_int_equal(bad_server_number(&r->server, 2, "authorization"), 1);
}

static void a_login_is_not_shown_to_another_origin(void **state)
{
    struct http_room *r = *state;
    char mode[512];
    char url[256];
    http_room_serve_other(r, "ok");
    snprintf(mode, sizeof mode, "login=dev:secret,redirect=%s", r->other_url);
    http_room_serve(r, mode);
    login_url(r, url, sizeof url);
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, url);
    get(x, 0, 9, 206);
    drain(x, 10);
    get(x, 10, 19, 206);
    bad_server_stop(&r->server);
    bad_server_stop(&r->other);
    assert_int_equal(bad_server_number(&r->server, 1, "authorization"), 1);
    assert_int_equal(bad_server_count(&r->other), 2);
    assert_int_equal(bad_server_number(&r->other, 1, "authorization"), 0);
    assert_int_equal(bad_server_number(&r->other, 2, "authorization"), 0);
}

static void a_login_is_shown_again_on_the_way_back(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char mode[512];
    char url[256];
    http_room_serve_other(r, "ok");
    snprintf(mode, sizeof mode, "login=dev:secret,redirect=%s,first=1", r->other_url);
    http_room_serve(r, mode);
    login_url(r, url, sizeof url);
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_restart(x, &e));
    get(x, 10, 19, 206);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 2, "authorization"), 1);
    assert_int_equal(bad_server_number(&r->server, 2, "status"), 206);
}

static void a_client_certificate_is_not_shown_to_another_origin(void **state)
{
    struct http_room *r = *state;
    char mode[1024];
    http_room_make_certificate(r);
    snprintf(mode, sizeof mode, "tls,client-ca=%s", r->tls_cert);
    http_room_serve_other(r, mode);
    snprintf(mode, sizeof mode, "tls,client-ca=%s,redirect=%s", r->tls_cert, r->other_url);
    http_room_serve(r, mode);
    r->options.ca = r->options.client_cert = r->tls_cert;
    r->options.client_key = r->tls_key;
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    bad_server_stop(&r->server);
    bad_server_stop(&r->other);
    assert_int_equal(bad_server_number(&r->server, 1, "client_cert"), 1);
    assert_int_equal(bad_server_number(&r->other, 1, "client_cert"), 0);
}

static void from_https_nothing_is_asked_over_http(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char mode[512];
    http_room_make_certificate(r);
    http_room_serve_other(r, "ok");
    snprintf(mode, sizeof mode, "tls,redirect=%s", r->other_url);
    http_room_serve(r, mode);
    r->options.ca = r->tls_cert;
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "from https to http", http_exchange_get(x, 0, 9, &e));
    bad_server_stop(&r->other);
    assert_int_equal(bad_server_count(&r->other), 0);
}

// --- entity tags --------------------------------------------------------------------------------

static void a_strong_tag_is_sent_back_with_the_next_range(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_keep_tag(x, &e));
    get(x, 10, 19, 206);
    assert_false(http_exchange_tag_changed(x));
    bad_server_stop(&r->server);
    assert_null(bad_server_text(&r->server, 1, "if_range"));
    assert_non_null(bad_server_text(&r->server, 2, "if_range"));
    assert_string_equal(bad_server_text(&r->server, 2, "if_range"), x->tag);
}

static void a_weak_tag_is_not_sent_back(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "weak-etag");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_keep_tag(x, &e));
    get(x, 10, 19, 206);
    bad_server_stop(&r->server);
    assert_null(bad_server_text(&r->server, 2, "if_range"));
}

static void another_tag_from_the_same_url_is_noticed(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "changed=1");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_false(http_exchange_tag_changed(x));
    assert_ok(http_exchange_keep_tag(x, &e));
    get(x, 10, 19, 200);
    assert_true(http_exchange_tag_changed(x));
}

static void an_answer_without_a_tag_is_no_change(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "no-etag,from=2");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_keep_tag(x, &e));
    get(x, 10, 19, 206);
    assert_false(http_exchange_tag_changed(x));
    assert_ok(http_exchange_keep_tag(x, &e));
    assert_string_not_equal(x->tag, "");
}

static void a_tag_is_sent_to_the_url_it_came_from_and_to_no_other(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "signed=1");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 9, 206);
    assert_ok(http_exchange_keep_tag(x, &e));
    assert_ok(http_exchange_restart(x, &e));
    get(x, 10, 19, 206);
    bad_server_stop(&r->server);
    // Two links to one name, told apart by their signatures only.
    assert_path(&r->server, 4, "/image.vvi?sig=2");
    assert_non_null(bad_server_text(&r->server, 4, "if_range"));
    bad_server_clear(&r->server);

    http_room_serve(r, "chain=1");
    CLEANUP(cleanup_http_exchange) struct http_exchange *y = open_exchange(r, r->url);
    get(y, 0, 9, 206);
    assert_ok(http_exchange_keep_tag(y, &e));
    assert_ok(http_exchange_restart(y, &e));
    get(y, 10, 19, 206);
    bad_server_stop(&r->server);
    assert_path(&r->server, 3, "/image.vvi");
    assert_null(bad_server_text(&r->server, 3, "if_range"));
    assert_non_null(bad_server_text(&r->server, 4, "if_range"));
}

// --- the rest -----------------------------------------------------------------------------------

static void a_loss_names_the_host_and_nothing_secret(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char url[256];
    http_room_serve(r, "ok");
    bad_server_stop(&r->server);
    snprintf(url, sizeof url, "http://dev:secret@127.0.0.1:%u/image.vvi?token=hidden",
             r->server.port);
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, url);
    assert_fails(ERR_NETWORK, "no answer from 127.0.0.1:", http_exchange_get(x, 0, 9, &e));
    assert_true(x->may_retry);
    assert_null(strstr(e.msg, "secret"));
    assert_null(strstr(e.msg, "hidden"));
    assert_null(strstr(e.msg, "dev"));
}

static void an_answer_with_a_head_that_is_refused_is_final(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "star");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "is refused: its Content-Range", http_exchange_get(x, 0, 9, &e));
    assert_false(x->may_retry);
}

static void a_request_that_is_not_answered_is_worth_another_try_and_its_refusal_is_not(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "hang-up@1,star");
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    assert_fails(ERR_NETWORK, "closed without an answer", http_exchange_get(x, 0, 9, &e));
    assert_true(x->may_retry);
    assert_fails(ERR_NETWORK, "is refused", http_exchange_get(x, 0, 9, &e));
    assert_false(x->may_retry);
}

static void body_bytes_of_all_transfers_are_counted(void **state)
{
    struct http_room *r = *state;
    char mode[512];
    http_room_serve_other(r, "ok");
    snprintf(mode, sizeof mode, "redirect=%s,from=2", r->other_url);
    http_room_serve(r, mode);
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = open_exchange(r, r->url);
    get(x, 0, 99, 206);
    drain(x, 100);
    assert_int_equal(http_exchange_body_bytes(x), 100);
    get(x, 100, 299, 206);
    drain(x, 200);
    uint64_t bytes = http_exchange_body_bytes(x);
    // The few words below a redirect may have come in or not.
    assert_in_range(bytes, 300, 300 + sizeof "this is not the file\n");
}

static void a_url_that_is_none_is_refused_at_once(void **state)
{
    struct http_room *r = *state;
    struct error e;
    struct http_exchange *x = NULL;
    assert_fails(ERR_USAGE, "neither http nor https",
                 http_exchange_open("ftp://h/", &r->options, &r->clock.base, &x, &e));
    r->options.ca = "/nowhere";
    assert_fails(ERR_CONFIG, "/nowhere",
                 http_exchange_open("http://h/", &r->options, &r->clock.base, &x, &e));
    assert_null(x);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, http_room_make, http_room_remove)
    static const struct CMUnitTest tests[] = {
        ROOM_TEST(each_kind_of_redirect_is_followed),
        ROOM_TEST(other_statuses_with_a_location_are_not_followed),
        ROOM_TEST(five_redirects_are_followed),
        ROOM_TEST(six_redirects_are_not),
        ROOM_TEST(a_redirect_to_itself_ends),
        ROOM_TEST(a_redirect_without_a_location_is_refused),
        ROOM_TEST(a_redirect_that_is_not_followed_is_final),
        ROOM_TEST(where_a_redirect_led_is_asked_again_on_the_same_connection),
        ROOM_TEST(after_a_restart_the_first_url_is_asked),
        ROOM_TEST(a_link_that_expired_is_asked_for_anew),
        ROOM_TEST(a_fresh_link_that_is_refused_is_final),
        ROOM_TEST(the_first_url_is_not_asked_twice_for_what_it_does_not_have),
        ROOM_TEST(a_login_is_shown_to_its_own_origin_after_a_redirect_too),
        ROOM_TEST(a_login_is_not_shown_to_another_origin),
        ROOM_TEST(a_login_is_shown_again_on_the_way_back),
        ROOM_TEST(a_client_certificate_is_not_shown_to_another_origin),
        ROOM_TEST(from_https_nothing_is_asked_over_http),
        ROOM_TEST(a_strong_tag_is_sent_back_with_the_next_range),
        ROOM_TEST(a_weak_tag_is_not_sent_back),
        ROOM_TEST(another_tag_from_the_same_url_is_noticed),
        ROOM_TEST(an_answer_without_a_tag_is_no_change),
        ROOM_TEST(a_tag_is_sent_to_the_url_it_came_from_and_to_no_other),
        ROOM_TEST(a_loss_names_the_host_and_nothing_secret),
        ROOM_TEST(an_answer_with_a_head_that_is_refused_is_final),
        ROOM_TEST(a_request_that_is_not_answered_is_worth_another_try_and_its_refusal_is_not),
        ROOM_TEST(body_bytes_of_all_transfers_are_counted),
        ROOM_TEST(a_url_that_is_none_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
