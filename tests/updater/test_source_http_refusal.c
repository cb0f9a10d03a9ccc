// SPDX-License-Identifier: Apache-2.0
// updater/source_http.c where an answer is not believed, or the file is not what it was.
#include "updater/source_http.h"

#include "tests/support/http_room.h"
#include "tests/support/temp_dir.h"

static void serve_and_open(struct http_room *r, const char *mode)
{
    http_room_serve(r, mode);
    http_room_open(r);
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

// --- what is not believed -----------------------------------------------------------------------

static void a_content_range_of_other_bytes_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "wrong-range");
    assert_start_fails(r, 100, 100, ERR_NETWORK,
                       "answers with bytes 101-200 when 100-199 were asked for");
}

static void a_content_range_that_begins_elsewhere_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "wrong-range=first");
    assert_start_fails(r, 100, 100, ERR_NETWORK, "answers with bytes 101-199 when 100-199");
}

static void a_content_range_that_ends_elsewhere_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "wrong-range=last");
    assert_start_fails(r, 100, 100, ERR_NETWORK, "answers with bytes 100-200 when 100-199");
    source_close(TAKE_PTR(r->source));
    bad_server_clear(&r->server);
    serve_and_open(r, "wrong-range=early");
    assert_start_fails(r, 100, 100, ERR_NETWORK, "answers with bytes 100-198 when 100-199");
}

static void a_206_without_a_content_range_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-content-range");
    assert_start_fails(r, 0, 100, ERR_NETWORK, "206 without a Content-Range");
}

static void a_content_range_without_the_size_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "star");
    assert_start_fails(r, 0, 100, ERR_NETWORK, "Content-Range is not of the form");
}

static void a_compressed_answer_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "gzip");
    assert_start_fails(r, 0, 100, ERR_NETWORK, "compressed");
}

static void a_multipart_answer_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "multipart");
    assert_start_fails(r, 0, 100, ERR_NETWORK, "multipart/byteranges");
}

static void a_start_behind_the_end_says_how_long_the_file_is(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "ok");
    assert_start_fails(r, HTTP_ROOM_FILE_BYTES, 1, ERR_FORMAT,
                       "the file ends at 1048576 bytes, byte 1048576 was to be read");
}

static void a_start_behind_the_end_of_a_whole_answer_is_refused(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-range");
    assert_start_fails(r, HTTP_ROOM_FILE_BYTES, 1, ERR_FORMAT,
                       "the file ends at 1048576 bytes, byte 1048576 was to be read");
}

static void a_416_without_a_size_says_what_it_can(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "bare-416");
    assert_start_fails(r, HTTP_ROOM_FILE_BYTES, 1, ERR_FORMAT, "the file ends before byte 1048576");
}

// --- files that change --------------------------------------------------------------------------

static void assert_change_noticed(struct http_room *r, const char *mode)
{
    serve_and_open(r, mode);
    http_room_expect(r, 0, 1000);
    assert_start_fails(r, 2000, 1000, ERR_NETWORK, "the file changed while it was being read; run");
    assert_int_equal(r->source->requests, 2);
}

static void another_entity_tag_is_a_changed_file(void **state)
{
    assert_change_noticed(*state, "changed=1");
}

static void another_size_is_a_changed_file(void **state)
{
    assert_change_noticed(*state, "changed=1,grow=5,no-etag");
}

static void another_size_of_the_whole_file_is_a_changed_file(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "changed=1,grow=5,no-etag,no-range");
    http_room_expect(r, 1000, 1000);
    assert_start_fails(r, 0, 1000, ERR_NETWORK, "the file changed");
}

static void a_file_that_shrank_under_us_is_a_changed_file(void **state)
{
    struct http_room *r = *state;
    char path[512];
    serve_and_open(r, "bare-416,no-etag");
    http_room_expect(r, 0, 1000);
    assert_int_equal(truncate(temp_dir_path(path, sizeof path, r->dir, "image.vvi"), 1000), 0);
    assert_start_fails(r, 2000, 1000, ERR_NETWORK, "the file changed");
}

static void another_size_than_the_header_says_is_refused_in_two_sentences(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "ok");
    http_room_expect(r, 0, 1000);
    assert_ok(source_expect_size(r->source, HTTP_ROOM_FILE_BYTES, &e));
    assert_fails(ERR_FORMAT, "the file is 1048576 bytes, its header says 1048577: it was cut short",
                 source_expect_size(r->source, HTTP_ROOM_FILE_BYTES + 1, &e));
    assert_fails(ERR_FORMAT,
                 "the file is 1048576 bytes, its header says 1000: something was added behind",
                 source_expect_size(r->source, 1000, &e));
    assert_contains(e.msg, r->url);
}

static void a_size_that_is_learned_later_is_compared_with_the_header(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "ok");
    assert_ok(source_expect_size(r->source, 77, &e));
    assert_start_fails(r, 0, 10, ERR_FORMAT, "its header says 77");
}

// --- what is left of an answer ------------------------------------------------------------------

static void who_failed_to_read_knows_the_status_and_the_wait_asked_for(void **state)
{
    struct http_room *r = *state;
    static const struct {
        const char *mode;
        unsigned status;
        uint64_t retry_after_ms;
    } cases[] = {
        {"status=503,retry-after=600", 503, 600000},
        {"status=429,retry-after=+90", 429, 90000},
        {"status=503", 503, 0},
        {"status=500,retry-after=600", 500, 0}, // for which RFC 9110 does not define it
        {"status=404", 404, 0},
        {"gzip", 206, 0},
        {"loop", 302, 0},
        {"silent,hang-up", 0, 0},
        {"redirect=http://127.0.0.1:1/image.vvi", 0, 0}, // of the last request
    };
    r->options.retries = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e;
        serve_and_open(r, cases[i].mode);
        assert_int_equal(source_start(r->source, 0, 10, &e), ERR_NETWORK);
        assert_int_equal(r->source->http_status, cases[i].status);
        assert_int_equal(r->source->retry_after_ms, cases[i].retry_after_ms);
        source_close(TAKE_PTR(r->source));
        bad_server_clear(&r->server);
    }
    assert_int_equal(r->clock.count, 0);
}

static void what_was_asked_for_before_is_not_what_is_asked_for_now(void **state)
{
    struct http_room *r = *state;
    struct error e;
    r->options.retries = 0;
    serve_and_open(r, "status=503,retry-after=600,first=1");
    assert_int_equal(r->source->http_status, 0);
    assert_int_equal(source_start(r->source, 0, 10, &e), ERR_NETWORK);
    assert_int_equal(r->source->http_status, 503);
    http_room_expect(r, 0, 10);
    assert_int_equal(r->source->http_status, 206);
    assert_int_equal(r->source->retry_after_ms, 0);
}

int main(void)
{
#define ROOM_TEST(f) cmocka_unit_test_setup_teardown(f, http_room_make, http_room_remove)
    static const struct CMUnitTest tests[] = {
        ROOM_TEST(a_content_range_of_other_bytes_is_refused),
        ROOM_TEST(a_content_range_that_begins_elsewhere_is_refused),
        ROOM_TEST(a_content_range_that_ends_elsewhere_is_refused),
        ROOM_TEST(a_206_without_a_content_range_is_refused),
        ROOM_TEST(a_content_range_without_the_size_is_refused),
        ROOM_TEST(a_compressed_answer_is_refused),
        ROOM_TEST(a_multipart_answer_is_refused),
        ROOM_TEST(a_start_behind_the_end_says_how_long_the_file_is),
        ROOM_TEST(a_start_behind_the_end_of_a_whole_answer_is_refused),
        ROOM_TEST(a_416_without_a_size_says_what_it_can),
        ROOM_TEST(another_entity_tag_is_a_changed_file),
        ROOM_TEST(another_size_is_a_changed_file),
        ROOM_TEST(another_size_of_the_whole_file_is_a_changed_file),
        ROOM_TEST(a_file_that_shrank_under_us_is_a_changed_file),
        ROOM_TEST(another_size_than_the_header_says_is_refused_in_two_sentences),
        ROOM_TEST(a_size_that_is_learned_later_is_compared_with_the_header),
        ROOM_TEST(who_failed_to_read_knows_the_status_and_the_wait_asked_for),
        ROOM_TEST(what_was_asked_for_before_is_not_what_is_asked_for_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
