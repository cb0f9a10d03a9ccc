// SPDX-License-Identifier: Apache-2.0
// What is asked for, and how answers are read. Answers that are not believed are in
// test_source_http_refusal.c, losses and statuses in test_source_http_loss.c.
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

static void assert_start_fails(struct http_room *r, uint64_t off, uint64_t len, enum err code,
                               const char *part)
{
    struct error e;
    assert_fails(code, part, source_start(r->source, off, len, &e));
    assert_contains(e.msg, r->url);
    // Nothing that is refused for what it says is tried again.
    assert_int_equal(r->clock.count, 0);
}

// --- what is asked for --------------------------------------------------------------------------

static void http_and_https_are_urls_and_files_are_not(void **state)
{
    (void)state;
    assert_true(source_http_is_url("http://h/x"));
    assert_true(source_http_is_url("HTTPS://h/x"));
    assert_false(source_http_is_url("/media/usb/image.vvi"));
    assert_false(source_http_is_url("http:/h/x"));
    assert_false(source_http_is_url("ftp://h/x"));
    assert_false(source_http_is_url("httpx.vvi"));
}

static void nothing_is_sent_before_the_first_range_is_started(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "ok");
    assert_true(r->source->size_bytes == SOURCE_SIZE_UNKNOWN);
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    assert_ok(source_start(r->source, 5, 0, &e));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 0);
    assert_int_equal(r->source->requests, 0);
}

static void the_first_range_tells_the_size_of_the_file(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, 0, 100, &e));
    assert_int_equal(r->source->size_bytes, HTTP_ROOM_FILE_BYTES);
}

static void each_range_is_one_request_for_exactly_its_bytes(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "ok");
    http_room_expect(r, 0, 1000);
    http_room_expect(r, 500000, 70000);
    http_room_expect(r, 1000, 1);
    assert_int_equal(r->source->requests, 3);
    assert_int_equal(r->source->fetched_bytes, 71001);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 3);
    assert_range(r, 1, "bytes=0-999");
    assert_range(r, 2, "bytes=500000-569999");
    assert_range(r, 3, "bytes=1000-1000");
    assert_int_equal(bad_server_number(&r->server, 3, "connection"), 1);
    assert_null(bad_server_text(&r->server, 1, "if_range"));
    assert_non_null(bad_server_text(&r->server, 2, "if_range"));
}

static void a_range_is_cut_at_the_end_of_the_file(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[101];
    serve_and_open(r, "ok");
    for (int known = 0; known < 2; known++) {
        assert_ok(source_start(r->source, HTTP_ROOM_FILE_BYTES - 100, 1000, &e));
        assert_ok(source_read(r->source, buf, 100, &e));
        assert_memory_equal(buf, r->content + HTTP_ROOM_FILE_BYTES - 100, 100);
        assert_fails(ERR_FORMAT, "the file ends at 1048576 bytes",
                     source_read(r->source, buf, 1, &e));
    }
    bad_server_stop(&r->server);
    assert_range(r, 1, "bytes=1048476-1049475");
    assert_range(r, 2, "bytes=1048476-1048575");
}

static void reading_past_the_end_is_an_error_and_never_short(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[101];
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, HTTP_ROOM_FILE_BYTES - 100, 1000, &e));
    assert_fails(ERR_FORMAT, "the file ends at", source_read(r->source, buf, 101, &e));
}

static void a_range_behind_the_known_end_is_refused_unasked(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "ok");
    http_room_expect(r, 0, 10);
    assert_start_fails(r, HTTP_ROOM_FILE_BYTES, 1, ERR_FORMAT, "the file ends at 1048576 bytes");
    assert_start_fails(r, HTTP_ROOM_FILE_BYTES + 1, 0, ERR_FORMAT, "the file ends at");
    assert_int_equal(r->source->requests, 1);
}

static void a_range_that_overflows_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "ok");
    assert_start_fails(r, UINT64_MAX, 2, ERR_INTERNAL, "a range of more than");
}

static void reading_behind_the_range_that_was_started_is_refused(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[20];
    serve_and_open(r, "ok");
    assert_fails(ERR_INTERNAL, "behind the range", source_read(r->source, buf, 1, &e));
    assert_ok(source_start(r->source, 0, 10, &e));
    assert_fails(ERR_INTERNAL, "behind the range", source_read(r->source, buf, 11, &e));
    source_cancel(r->source);
    assert_fails(ERR_INTERNAL, "behind the range", source_read(r->source, buf, 1, &e));
    http_room_expect(r, 3, 10);
}

static void a_range_close_ahead_goes_on_with_the_answer_under_way(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[10];
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, 0, 500000, &e));
    assert_ok(source_read(r->source, buf, 10, &e));
    http_room_expect(r, 10, 1000);
    http_room_expect(r, 1010 + 65536, 100000);
    assert_int_equal(r->source->requests, 1);
}

static void a_range_far_ahead_or_behind_is_asked_for_anew(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[10];
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, 0, 500000, &e));
    assert_ok(source_read(r->source, buf, 10, &e));
    http_room_expect(r, 10 + 65537, 1000);
    http_room_expect(r, 0, 1000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 3);
    assert_range(r, 2, "bytes=65547-66546");
    assert_range(r, 3, "bytes=0-999");
}

static void only_what_lies_behind_the_answer_under_way_is_asked_for(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[500];
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, 0, 1000, &e));
    assert_ok(source_read(r->source, buf, 500, &e));
    http_room_expect(r, 600, 1000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_range(r, 2, "bytes=1000-1599");
    assert_int_equal(r->source->fetched_bytes, 1600);
}

static void the_rest_of_an_answer_is_read_rather_than_its_connection_dropped(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[500];
    serve_and_open(r, "ok");
    assert_ok(source_start(r->source, 0, 1000, &e));
    assert_ok(source_read(r->source, buf, 500, &e));
    http_room_expect(r, 50000, 1000);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_range(r, 2, "bytes=50000-50999");
    assert_int_equal(bad_server_number(&r->server, 2, "connection"), 1);
}

static void more_bytes_than_asked_for_are_not_handed_out(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "long=3000000");
    http_room_expect(r, 100, 1000);
    http_room_expect(r, 1100, 1000);
    // What libcurl had taken in before the end was seen, of both.
    assert_in_range(r->source->fetched_bytes, 2000, 2000 + 2 * 80 * 1024);
}

// --- answers with the whole file ----------------------------------------------------------------

static void a_server_without_ranges_is_read_in_order_from_one_answer(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-range");
    http_room_expect(r, 0, 1000);
    assert_int_equal(r->source->size_bytes, HTTP_ROOM_FILE_BYTES);
    http_room_expect(r, 1000, 200000);
    http_room_expect(r, 500000, HTTP_ROOM_FILE_BYTES - 500000);
    assert_int_equal(r->source->requests, 1);
    assert_int_equal(r->source->fetched_bytes, HTTP_ROOM_FILE_BYTES);
}

static void a_server_without_ranges_is_asked_again_for_what_lies_behind(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-range");
    http_room_expect(r, 300000, 1000);
    http_room_expect(r, 200000, 1000);
    assert_int_equal(r->source->requests, 2);
}

static void as_much_waste_as_allowed_is_read_and_dropped(void **state)
{
    struct http_room *r = *state;
    r->options.max_waste_bytes = 200000;
    serve_and_open(r, "no-range");
    http_room_expect(r, 150000, 1000);
    http_room_expect(r, 201000, 1000);
}

static void more_waste_than_allowed_is_refused_with_host_and_figure(void **state)
{
    struct http_room *r = *state;
    struct error e;
    r->options.max_waste_bytes = 100 * 1024;
    serve_and_open(r, "no-range");
    assert_start_fails(r, 200 * 1024, 10, ERR_NETWORK,
                       "does not honour ranges: 200.0 KiB would have to be read and dropped, "
                       "max_waste leaves 100.0 KiB");
    // All that was dropped counts, not one gap alone.
    http_room_expect(r, 60 * 1024, 10);
    assert_fails(ERR_NETWORK, "max_waste leaves 40.0 KiB",
                 source_start(r->source, 120 * 1024, 10, &e));
    assert_contains(e.msg, "127.0.0.1:");
}

static void without_a_length_the_end_of_the_answer_must_be_where_the_header_says(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "chunked");
    http_room_expect(r, 0, 1000);
    assert_true(r->source->size_bytes == SOURCE_SIZE_UNKNOWN);
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    http_room_expect(r, 1000, HTTP_ROOM_FILE_BYTES - 1000);
    assert_int_equal(r->source->size_bytes, HTTP_ROOM_FILE_BYTES);
    assert_int_equal(r->source->requests, 1);
}

static void bytes_behind_the_end_are_noticed_without_a_length(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t *buf = malloc(HTTP_ROOM_FILE_BYTES);
    assert_non_null(buf);
    serve_and_open(r, "chunked,long=1");
    assert_ok(source_start(r->source, 0, HTTP_ROOM_FILE_BYTES, &e));
    assert_ok(source_read(r->source, buf, 1000, &e));
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    assert_fails(ERR_FORMAT, "goes on behind the 1048576 bytes",
                 source_read(r->source, buf, HTTP_ROOM_FILE_BYTES - 1000, &e));
    free(buf);
}

static void a_size_told_after_its_end_was_passed_is_noticed(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "chunked");
    http_room_expect(r, 0, 1000);
    assert_fails(ERR_FORMAT, "goes on behind the 999 bytes",
                 source_expect_size(r->source, 999, &e));
    source_close(TAKE_PTR(r->source));
    http_room_open(r);
    http_room_expect(r, 0, 1000);
    assert_fails(ERR_FORMAT, "goes on behind the 1000 bytes",
                 source_expect_size(r->source, 1000, &e));
    source_close(TAKE_PTR(r->source));
    http_room_open(r);
    http_room_expect(r, 0, HTTP_ROOM_FILE_BYTES);
    assert_fails(ERR_FORMAT, "goes on behind the 1048575 bytes",
                 source_expect_size(r->source, HTTP_ROOM_FILE_BYTES - 1, &e));
}

static void a_file_that_ends_early_is_noticed_without_a_length(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t *buf = malloc(HTTP_ROOM_FILE_BYTES);
    assert_non_null(buf);
    serve_and_open(r, "chunked,short=1");
    assert_ok(source_start(r->source, 0, HTTP_ROOM_FILE_BYTES, &e));
    assert_fails(ERR_FORMAT, "the file ends at 1048575 bytes",
                 source_read(r->source, buf, HTTP_ROOM_FILE_BYTES, &e));
    assert_int_equal(r->clock.count, 0);
    free(buf);
}

static void the_end_of_the_connection_may_be_the_end_of_the_file(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "close");
    http_room_expect(r, 0, 1000);
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    http_room_expect(r, 1000, HTTP_ROOM_FILE_BYTES - 1000);
    assert_int_equal(r->source->requests, 1);
}

// --- opening ------------------------------------------------------------------------------------

static void the_name_of_a_source_shows_no_secrets(void **state)
{
    struct http_room *r = *state;
    snprintf(r->url, sizeof r->url, "https://dev:secret@example.org/image.vvi?token=hidden#x");
    http_room_open(r);
    assert_string_equal(r->source->name, "https://example.org/image.vvi");
}

static void a_url_or_path_that_is_wrong_is_refused_on_opening(void **state)
{
    struct http_room *r = *state;
    struct error e;
    struct source *s = NULL;
    assert_fails(ERR_USAGE, "cannot be understood",
                 source_http_open("http://", &r->options, &r->clock.base, &r->log, &s, &e));
    r->options.ca = "/nowhere";
    assert_fails(ERR_CONFIG, "[network] ca: /nowhere",
                 source_http_open("http://h/", &r->options, &r->clock.base, &r->log, &s, &e));
    assert_null(s);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, http_room_make, http_room_remove)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_and_https_are_urls_and_files_are_not),
        ROOM_TEST(nothing_is_sent_before_the_first_range_is_started),
        ROOM_TEST(the_first_range_tells_the_size_of_the_file),
        ROOM_TEST(each_range_is_one_request_for_exactly_its_bytes),
        ROOM_TEST(a_range_is_cut_at_the_end_of_the_file),
        ROOM_TEST(reading_past_the_end_is_an_error_and_never_short),
        ROOM_TEST(a_range_behind_the_known_end_is_refused_unasked),
        ROOM_TEST(a_range_that_overflows_is_refused),
        ROOM_TEST(reading_behind_the_range_that_was_started_is_refused),
        ROOM_TEST(a_range_close_ahead_goes_on_with_the_answer_under_way),
        ROOM_TEST(a_range_far_ahead_or_behind_is_asked_for_anew),
        ROOM_TEST(only_what_lies_behind_the_answer_under_way_is_asked_for),
        ROOM_TEST(the_rest_of_an_answer_is_read_rather_than_its_connection_dropped),
        ROOM_TEST(more_bytes_than_asked_for_are_not_handed_out),
        ROOM_TEST(a_server_without_ranges_is_read_in_order_from_one_answer),
        ROOM_TEST(a_server_without_ranges_is_asked_again_for_what_lies_behind),
        ROOM_TEST(as_much_waste_as_allowed_is_read_and_dropped),
        ROOM_TEST(more_waste_than_allowed_is_refused_with_host_and_figure),
        ROOM_TEST(without_a_length_the_end_of_the_answer_must_be_where_the_header_says),
        ROOM_TEST(bytes_behind_the_end_are_noticed_without_a_length),
        ROOM_TEST(a_size_told_after_its_end_was_passed_is_noticed),
        ROOM_TEST(a_file_that_ends_early_is_noticed_without_a_length),
        ROOM_TEST(the_end_of_the_connection_may_be_the_end_of_the_file),
        ROOM_TEST(the_name_of_a_source_shows_no_secrets),
        ROOM_TEST(a_url_or_path_that_is_wrong_is_refused_on_opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
