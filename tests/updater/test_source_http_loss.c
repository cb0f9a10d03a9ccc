// SPDX-License-Identifier: Apache-2.0
// updater/source_http.c where connections are lost and servers say no: what is tried again, from
// which byte on, and when it ends.
#include "updater/source_http.h"

#include "tests/support/http_room.h"

#include <stdio.h>
#include <stdlib.h>

static void serve_and_open(struct http_room *r, const char *mode)
{
    http_room_serve(r, mode);
    http_room_open(r);
}

static void assert_range(const struct http_room *r, size_t n, const char *range)
{
    assert_string_equal(bad_server_text(&r->server, n, "range"), range);
}

// --- statuses -----------------------------------------------------------------------------------

static void assert_final(struct http_room *r, unsigned status, const char *sentence)
{
    struct error e;
    char mode[64];
    snprintf(mode, sizeof mode, "status=%u", status);
    serve_and_open(r, mode);
    assert_fails(ERR_NETWORK, sentence, source_start(r->source, 0, 10, &e));
    assert_int_equal(r->clock.count, 0);
    source_close(TAKE_PTR(r->source));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 1);
    bad_server_clear(&r->server);
}

static void a_status_that_will_not_change_is_final(void **state)
{
    struct http_room *r = *state;
    assert_final(r, 404, " answers 404 Not Found");
    assert_final(r, 410, " answers 410 Gone");
    assert_final(r, 403, " answers 403 Forbidden");
    assert_final(r, 400, " answers 400 Bad Request");
    assert_final(r, 300, " answers 300");
    assert_final(r, 204, " answers 204 No Content");
}

static void a_missing_file_is_said_with_url_and_status(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char wanted[512];
    serve_and_open(r, "status=404");
    snprintf(wanted, sizeof wanted, "%s: the server 127.0.0.1:%u answers 404 Not Found", r->url,
             r->server.port);
    assert_fails(ERR_NETWORK, wanted, source_start(r->source, 0, 10, &e));
    assert_string_equal(e.msg, wanted);
}

static void a_status_that_may_change_is_tried_again(void **state)
{
    struct http_room *r = *state;
    static const unsigned codes[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char mode[64];
        snprintf(mode, sizeof mode, "status=%u,first=1", codes[i]);
        serve_and_open(r, mode);
        http_room_expect(r, 100, 100);
        assert_int_equal(r->clock.count, i + 1);
        assert_int_equal(r->source->requests, 2);
        source_close(TAKE_PTR(r->source));
        bad_server_clear(&r->server);
    }
}

static void a_status_that_does_not_change_is_given_up(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "status=503");
    assert_fails(ERR_NETWORK, "answers 503 Service Unavailable; given up after 3 tries",
                 source_start(r->source, 0, 10, &e));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 3);
    assert_contains(r->logged, "503 Service Unavailable; trying again in ");
    assert_contains(r->logged, "(2 of 2)");
}

static void what_the_server_asks_to_wait_is_waited(void **state)
{
    struct http_room *r = *state;
    static const struct {
        const char *mode;
        uint64_t min_ms, max_ms;
    } cases[] = {
        {"status=503,retry-after=120,first=1", 120000, 180000},
        {"status=429,retry-after=90,first=1", 90000, 150000},
        {"status=503,retry-after=+300,first=1", 300000, 360000},
        {"status=503,retry-after=1800,first=1", 1800000, 1860000},
        // Not one of those for which RFC 9110 and RFC 6585 define it.
        {"status=500,retry-after=120,first=1", 750, 1250},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        serve_and_open(r, cases[i].mode);
        http_room_expect(r, 0, 10);
        assert_in_range(r->clock.sleeps_ms[i], cases[i].min_ms, cases[i].max_ms);
        source_close(TAKE_PTR(r->source));
        bad_server_clear(&r->server);
    }
}

static void a_server_that_asks_for_hours_is_told_with_what_it_asked_for(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "status=503,retry-after=7200,first=1");
    assert_fails(ERR_NETWORK, "503 Service Unavailable and asks",
                 source_start(r->source, 0, 10, &e));
    assert_contains(e.msg, "the server 127.0.0.1:");
    assert_contains(e.msg, "asks to be left alone for 2 h; of the 30 min");
    assert_contains(e.msg, "run install again later: it goes on where it stopped");
    assert_int_equal(r->clock.count, 0);
}

static void a_wait_is_for_the_failure_that_asked_for_it_only(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "status=503,retry-after=120,first=1");
    assert_ok(source_start(r->source, 0, 10, &e));
    bad_server_stop(&r->server);
    source_cancel(r->source);
    // The server is gone now: a refused connection has no Retry-After.
    assert_fails(ERR_NETWORK, "Connection refused", source_start(r->source, 0, 10, &e));
    assert_in_range(r->clock.sleeps_ms[0], 120000, 180000);
    assert_in_range(r->clock.sleeps_ms[1], 1500, 2500);
}

// --- losses -------------------------------------------------------------------------------------

static void a_broken_answer_goes_on_at_the_next_missing_byte(void **state)
{
    struct http_room *r = *state;
    char lost[128];
    serve_and_open(r, "drop-after=300000,first=1");
    http_room_expect(r, 1000, 500000);
    assert_int_equal(r->source->fetched_bytes, 500000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_range(r, 1, "bytes=1000-500999");
    assert_range(r, 2, "bytes=301000-500999");
    snprintf(lost, sizeof lost,
             "warning: connection to 127.0.0.1:%u lost at 293.9 KiB (the answer was cut short); "
             "trying again in ",
             r->server.port);
    assert_contains(r->logged, lost);
    assert_contains(r->logged, "(1 of 2)");
}

static void an_answer_that_ends_short_of_its_range_goes_on_too(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "short=400,first=1");
    http_room_expect(r, 0, 1000);
    bad_server_stop(&r->server);
    assert_range(r, 2, "bytes=600-999");
    assert_contains(r->logged, "the answer ended too early");
}

static void a_reset_is_mended(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "drop-after=200000,reset,first=2");
    http_room_expect(r, 0, 900000);
    assert_contains(r->logged, "reset by peer");
}

static void a_server_that_stalls_is_asked_again(void **state)
{
    struct http_room *r = *state;
    r->options.low_speed_bytes = 1000;
    r->options.low_speed_ms = 200;
    serve_and_open(r, "stall-after=100000,first=1");
    http_room_expect(r, 0, 150000);
    bad_server_stop(&r->server);
    assert_range(r, 2, "bytes=100000-149999");
    assert_contains(r->logged, "slower than 1000 B a second");
}

static void losses_with_progress_between_them_never_end_it(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "drop-after=70000");
    http_room_expect(r, 0, HTTP_ROOM_FILE_BYTES);
    assert_int_equal(r->source->requests, 15);
    assert_int_equal(r->clock.count, 14);
    assert_int_equal(r->source->fetched_bytes, HTTP_ROOM_FILE_BYTES);
}

static void losses_without_progress_end_it(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[1000];
    serve_and_open(r, "drop-after=100");
    assert_ok(source_start(r->source, 0, 1000, &e));
    assert_fails(ERR_NETWORK, "lost at 300 B (the answer was cut short); given up after 3 tries",
                 source_read(r->source, buf, 1000, &e));
    assert_contains(e.msg, r->url);
    assert_int_equal(r->clock.count, 2);
}

static void without_ranges_a_loss_begins_again_from_the_first_byte(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-range,drop-after=300000@1");
    http_room_expect(r, 0, 500000);
    assert_int_equal(r->source->requests, 2);
    assert_in_range(r->source->fetched_bytes, 800000, 800000 + 80 * 1024);
}

static void without_ranges_a_loss_is_waste_within_its_limit(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t *buf = malloc(HTTP_ROOM_FILE_BYTES);
    assert_non_null(buf);
    r->options.max_waste_bytes = 400000;
    serve_and_open(r, "no-range,drop-after=450000");
    assert_ok(source_start(r->source, 0, HTTP_ROOM_FILE_BYTES, &e));
    assert_fails(ERR_NETWORK, "does not honour ranges",
                 source_read(r->source, buf, HTTP_ROOM_FILE_BYTES, &e));
    assert_int_equal(r->source->requests, 2);
    free(buf);
}

static void without_a_length_a_closed_connection_is_a_loss(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "close,drop-after=300000,first=1");
    http_room_expect(r, 0, 500000);
    assert_int_equal(r->source->requests, 2);
    assert_contains(r->logged, "the answer ended too early");
}

static void a_chunked_answer_without_its_last_chunk_is_a_loss(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "chunked,drop-after=300000,first=1");
    http_room_expect(r, 0, 500000);
    assert_int_equal(r->source->requests, 2);
}

static void a_loss_right_behind_the_last_byte_is_none(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "chunked,drop-after=1048576");
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    http_room_expect(r, 0, HTTP_ROOM_FILE_BYTES);
    assert_int_equal(r->source->requests, 1);
    assert_int_equal(r->source->size_bytes, HTTP_ROOM_FILE_BYTES);
}

static void the_gap_before_a_range_is_read_again_after_a_loss_in_it(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[10];
    serve_and_open(r, "drop-after=30000,first=1");
    assert_ok(source_start(r->source, 0, 200000, &e));
    assert_ok(source_read(r->source, buf, 10, &e));
    http_room_expect(r, 60000, 100000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_range(r, 2, "bytes=60000-159999");
}

static void a_server_that_is_not_there_is_tried_again_and_given_up(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "ok");
    bad_server_stop(&r->server);
    http_room_open(r);
    assert_fails(ERR_NETWORK, ": Connection refused; given up after 3 tries",
                 source_start(r->source, 0, 10, &e));
    assert_int_equal(r->clock.count, 2);
    assert_int_equal(r->source->requests, 3);
}

static void after_giving_up_a_later_start_begins_afresh(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "status=503,first=3");
    assert_fails(ERR_NETWORK, "given up", source_start(r->source, 0, 10, &e));
    http_room_expect(r, 5, 10);
}

static void a_certificate_that_is_refused_is_not_tried_again(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_make_certificate(r);
    serve_and_open(r, "tls");
    assert_fails(ERR_NETWORK, "its certificate is refused", source_start(r->source, 0, 10, &e));
    assert_contains(e.msg, r->url);
    assert_int_equal(r->clock.count, 0);
}

static void a_file_is_read_over_tls(void **state)
{
    struct http_room *r = *state;
    http_room_make_certificate(r);
    r->options.ca = r->tls_cert;
    serve_and_open(r, "tls,drop-after=300000,first=1");
    http_room_expect(r, 1000, 900000);
    assert_int_equal(r->source->requests, 2);
}

static void a_lost_mirror_is_left_for_the_first_url(void **state)
{
    struct http_room *r = *state;
    char mode[512];
    http_room_serve_other(r, "ok");
    bad_server_stop(&r->other);
    snprintf(mode, sizeof mode, "redirect=%s,first=1", r->other_url);
    serve_and_open(r, mode);
    http_room_expect(r, 0, 1000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_int_equal(r->source->requests, 3);
}

static void no_secret_is_logged(void **state)
{
    struct http_room *r = *state;
    char url[256];
    http_room_serve(r, "drop-after=1000,first=1");
    snprintf(url, sizeof url, "http://dev:secret@127.0.0.1:%u/image.vvi?token=hidden",
             r->server.port);
    memcpy(r->url, url, sizeof url);
    http_room_open(r);
    http_room_expect(r, 0, 2000);
    assert_contains(r->logged, "trying again");
    assert_null(strstr(r->logged, "secret"));
    assert_null(strstr(r->logged, "hidden"));
}

static void a_slow_link_under_a_rate_limit_delivers_every_byte(void **state)
{
    struct http_room *r = *state;
    r->options.rate_limit = 1 << 20;
    serve_and_open(r, "throttle=1000000,one");
    http_room_expect(r, 0, 100000);
    http_room_expect(r, 200000, 100000);
    assert_int_equal(r->source->requests, 2);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 2, "connection"), 1);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, http_room_make, http_room_remove)
    static const struct CMUnitTest tests[] = {
        ROOM_TEST(a_status_that_will_not_change_is_final),
        ROOM_TEST(a_missing_file_is_said_with_url_and_status),
        ROOM_TEST(a_status_that_may_change_is_tried_again),
        ROOM_TEST(a_status_that_does_not_change_is_given_up),
        ROOM_TEST(what_the_server_asks_to_wait_is_waited),
        ROOM_TEST(a_server_that_asks_for_hours_is_told_with_what_it_asked_for),
        ROOM_TEST(a_wait_is_for_the_failure_that_asked_for_it_only),
        ROOM_TEST(a_broken_answer_goes_on_at_the_next_missing_byte),
        ROOM_TEST(an_answer_that_ends_short_of_its_range_goes_on_too),
        ROOM_TEST(a_reset_is_mended),
        ROOM_TEST(a_server_that_stalls_is_asked_again),
        ROOM_TEST(losses_with_progress_between_them_never_end_it),
        ROOM_TEST(losses_without_progress_end_it),
        ROOM_TEST(without_ranges_a_loss_begins_again_from_the_first_byte),
        ROOM_TEST(without_ranges_a_loss_is_waste_within_its_limit),
        ROOM_TEST(without_a_length_a_closed_connection_is_a_loss),
        ROOM_TEST(a_chunked_answer_without_its_last_chunk_is_a_loss),
        ROOM_TEST(a_loss_right_behind_the_last_byte_is_none),
        ROOM_TEST(the_gap_before_a_range_is_read_again_after_a_loss_in_it),
        ROOM_TEST(a_server_that_is_not_there_is_tried_again_and_given_up),
        ROOM_TEST(after_giving_up_a_later_start_begins_afresh),
        ROOM_TEST(a_certificate_that_is_refused_is_not_tried_again),
        ROOM_TEST(a_file_is_read_over_tls),
        ROOM_TEST(a_lost_mirror_is_left_for_the_first_url),
        ROOM_TEST(no_secret_is_logged),
        ROOM_TEST(a_slow_link_under_a_rate_limit_delivers_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
