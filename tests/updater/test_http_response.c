// SPDX-License-Identifier: Apache-2.0
#include "updater/http_response.h"

#include "tests/support/expect.h"

#include <stdio.h>
#include <stdlib.h>

// Feeds a head, given as one text with a line feed behind each line.
static struct http_response head_of(const char *text)
{
    struct http_response r;
    http_response_begin(&r);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n") + 1;
        assert_true(http_response_line(&r, text, len));
        text += len;
    }
    return r;
}

static void assert_refused(const char *text, const char *why)
{
    struct http_response r = head_of(text);
    if (r.refused == NULL) {
        fail_msg("expected a refusal (%s) of: %s", why, text);
    }
    assert_contains(r.refused, why);
}

static void assert_strong_tag(const char *field, const char *wanted)
{
    char text[1024];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", field);
    struct http_response r = head_of(text);
    assert_null(r.refused);
    assert_string_equal(r.etag, wanted);
}

static void a_whole_206_is_understood(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 206 Partial Content\r\n"
                                     "Content-Length: 100\r\n"
                                     "Content-Range: bytes 200-299/1000\r\n"
                                     "ETag: \"abc\"\r\n"
                                     "\r\n");
    assert_true(r.complete);
    assert_null(r.refused);
    assert_int_equal(r.status, 206);
    assert_true(r.has_length);
    assert_int_equal(r.length, 100);
    assert_int_equal(r.range, CONTENT_RANGE_BYTES);
    assert_int_equal(r.range_first, 200);
    assert_int_equal(r.range_last, 299);
    assert_int_equal(r.range_size, 1000);
    assert_string_equal(r.etag, "\"abc\"");
    assert_false(r.encoded);
    assert_false(r.multipart);
    assert_false(r.chunked);
}

static void names_of_fields_are_case_insensitive_and_values_trimmed(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 200\ncontent-length:7\nETAG: \t \"x\" \t\n\n");
    assert_true(r.complete);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.length, 7);
    assert_string_equal(r.etag, "\"x\"");
}

static void an_interim_answer_leaves_nothing_behind(void **state)
{
    (void)state;
    struct http_response r;
    http_response_begin(&r);
    static const char *const interim[] = {
        "HTTP/1.1 103 Early Hints\r\n", "Content-Length: early\r\n", "ETag: \"early\"\r\n", "\r\n"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(http_response_line(&r, interim[i], strlen(interim[i])));
    }
    assert_false(r.complete);
    assert_null(r.refused);
    assert_true(http_response_line(&r, "HTTP/1.1 200 OK\r\n", 17));
    assert_true(http_response_line(&r, "\r\n", 2));
    assert_true(r.complete);
    assert_int_equal(r.status, 200);
    assert_false(r.has_length);
    assert_string_equal(r.etag, "");
}

static void trailers_change_nothing(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 200 OK\nETag: \"head\"\n\n");
    static const char trailer[] = "ETag: \"trailer\"\r\n";
    assert_true(http_response_line(&r, trailer, sizeof trailer - 1));
    static const char range[] = "Content-Range: nonsense\r\n";
    assert_true(http_response_line(&r, range, sizeof range - 1));
    assert_string_equal(r.etag, "\"head\"");
    assert_null(r.refused);
}

static void a_status_line_that_is_not_http_is_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1\n\n", "status line");
    assert_refused("HTTP/1.1 \n\n", "status line");
    assert_refused("HTTP/1.1 20\n\n", "status line");
    assert_refused("HTTP/1.1 2000 OK\n\n", "status line");
    assert_refused("HTTP/1.1 099 OK\n\n", "status line");
    assert_refused("HTTP/1.1 abc OK\n\n", "status line");
}

static void a_content_length_that_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-1", "+1", "1 2", "0x10", "18446744073709551616", "1,1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\nContent-Length: %s\n\n", bad[i]);
        assert_refused(text, "Content-Length");
    }
}

static void two_different_content_lengths_are_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n", "Content-Length");
    struct http_response r = head_of("HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 1\n\n");
    assert_null(r.refused);
}

static void a_content_range_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "bytes",
        "bytes ",
        "items 0-1/2",
        "bytes 0-1",
        "bytes 0-1/",
        "bytes 0-1/*", // without the size nothing tells that the file changed
        "bytes 1-0/2", // ends before it begins
        "bytes 0-2/2", // ends behind the file
        "bytes -1/2",
        "bytes 0-/2",
        "bytes 0-1/2/3",
        "bytes 0-1/2,3-4/5",
        "bytes 0 - 1/2",
        "bytes=0-1/2",
        "bytes 18446744073709551616-1/2",
        "bytes */",
        "bytes */x",
        "bytes 000000000000000000000000000000000000000000000000000000000000000000000000000-1/2",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "HTTP/1.1 206 OK\nContent-Range: %s\n\n", bad[i]);
        assert_refused(text, "Content-Range");
    }
}

static void two_content_ranges_are_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 206 OK\nContent-Range: bytes 0-1/2\nContent-Range: bytes 0-1/2\n\n",
                   "Content-Range");
}

static void the_largest_numbers_fit_a_content_range(void **state)
{
    (void)state;
    struct http_response r =
        head_of("HTTP/1.1 206 OK\n"
                "Content-Range: bytes 18446744073709551613-18446744073709551614/"
                "18446744073709551615\n\n");
    assert_null(r.refused);
    assert_true(r.range_first == UINT64_MAX - 2);
    assert_true(r.range_size == UINT64_MAX);
}

static void an_unsatisfied_range_tells_the_size(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 416 X\nContent-Range: bytes */47\n\n");
    assert_int_equal(r.range, CONTENT_RANGE_UNSATISFIED);
    assert_int_equal(r.range_size, 47);
}

static void only_a_strong_and_well_formed_entity_tag_is_kept(void **state)
{
    (void)state;
    char longest[HTTP_ETAG_MAX + 1];
    char field[512];
    assert_strong_tag("ETag: \"a!z\"", "\"a!z\"");
    assert_strong_tag("ETag: \"\"", "\"\"");
    assert_strong_tag("ETag: W/\"abc\"", "");
    assert_strong_tag("ETag: abc", "");
    assert_strong_tag("ETag: \"abc", "");
    assert_strong_tag("ETag: \"", "");
    assert_strong_tag("ETag: \"a b\"", "");
    assert_strong_tag("ETag: \"a\"b\"", "");
    assert_strong_tag("ETag: \"a\x7f\"", "");
    assert_strong_tag("ETag:", "");
    memset(longest, 'x', sizeof longest);
    longest[0] = longest[HTTP_ETAG_MAX - 1] = '"';
    longest[HTTP_ETAG_MAX] = '\0';
    snprintf(field, sizeof field, "ETag: %s", longest);
    assert_strong_tag(field, longest);
    snprintf(field, sizeof field, "ETag: \"x%s", longest + 1);
    assert_strong_tag(field, "");
}

static void encodings_other_than_identity_are_noticed(void **state)
{
    (void)state;
    assert_true(head_of("HTTP/1.1 200 OK\nContent-Encoding: gzip\n\n").encoded);
    assert_true(head_of("HTTP/1.1 200 OK\nContent-Encoding: identity, br\n\n").encoded);
    assert_true(
        head_of("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Encoding: identity\n\n").encoded);
    assert_false(head_of("HTTP/1.1 200 OK\nContent-Encoding: Identity\n\n").encoded);
    assert_false(head_of("HTTP/1.1 200 OK\nContent-Encoding:\n\n").encoded);
}

static void multipart_byteranges_are_noticed(void **state)
{
    (void)state;
    assert_true(
        head_of("HTTP/1.1 206 OK\nContent-Type: Multipart/Byteranges; boundary=x\n\n").multipart);
    assert_false(head_of("HTTP/1.1 206 OK\nContent-Type: application/x-vvi\n\n").multipart);
}

static void a_body_has_a_visible_end_with_a_length_or_chunked(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 200 OK\nContent-Length: 5\n\n");
    assert_true(http_response_is_delimited(&r));
    r = head_of("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n");
    assert_true(http_response_is_delimited(&r));
    assert_true(r.chunked);
    r = head_of("HTTP/1.0 200 OK\n\n");
    assert_false(http_response_is_delimited(&r));
}

static void a_location_is_kept_and_two_different_ones_are_refused(void **state)
{
    (void)state;
    struct http_response r = head_of("HTTP/1.1 302 X\nLocation: https://h/x?y=1\n\n");
    assert_string_equal(r.location, "https://h/x?y=1");
    assert_refused("HTTP/1.1 302 X\nLocation: /a\nLocation: /b\n\n", "Location");
}

static void a_field_that_is_too_long_or_holds_a_nul_is_refused(void **state)
{
    (void)state;
    size_t len = sizeof "Location: " - 1 + HTTP_LOCATION_MAX + 1;
    char *line = malloc(len);
    assert_non_null(line);
    memset(line, 'x', len);
    memcpy(line, "Location: ", sizeof "Location: " - 1);
    struct http_response r = head_of("HTTP/1.1 302 X\n");
    assert_true(http_response_line(&r, line, len - 1));
    assert_null(r.refused);
    assert_int_equal(strlen(r.location), HTTP_LOCATION_MAX);
    r = head_of("HTTP/1.1 302 X\n");
    assert_true(http_response_line(&r, line, len));
    assert_contains(r.refused, "8191");
    r = head_of("HTTP/1.1 302 X\n");
    assert_true(http_response_line(&r, "ETag: \"a\0\"", 10));
    assert_contains(r.refused, "NUL");
    free(line);
}

static void a_head_of_more_than_64_kib_is_refused(void **state)
{
    (void)state;
    static const char line[] = "X-Filler: 0123456789abcdef0123456789abcdef0123456789\r\n";
    struct http_response r = head_of("HTTP/1.1 200 OK\n");
    while (r.head_bytes + sizeof line - 1 <= HTTP_HEAD_MAX) {
        assert_true(http_response_line(&r, line, sizeof line - 1));
        assert_null(r.refused);
    }
    assert_false(http_response_line(&r, line, sizeof line - 1));
    assert_contains(r.refused, "64 KiB");
}

static void interim_answers_without_end_are_refused_too(void **state)
{
    (void)state;
    static const char status[] = "HTTP/1.1 100 Continue\r\n";
    struct http_response r;
    http_response_begin(&r);
    size_t lines = 0;
    while (http_response_line(&r, status, sizeof status - 1)) {
        lines++;
        assert_true(lines < HTTP_HEAD_MAX);
    }
    assert_contains(r.refused, "64 KiB");
}

static uint64_t wait_of(const char *fields, uint64_t now_s)
{
    char text[512];
    snprintf(text, sizeof text, "HTTP/1.1 503 X\n%s\n", fields);
    struct http_response r = head_of(text);
    assert_null(r.refused);
    return http_response_retry_after_ms(&r, now_s);
}

static void retry_after_is_understood_in_seconds(void **state)
{
    (void)state;
    assert_int_equal(wait_of("Retry-After: 120\n", 0), 120000);
    assert_int_equal(wait_of("Retry-After: 0\n", 0), 0);
    assert_int_equal(wait_of("", 0), 0);
    assert_true(wait_of("Retry-After: 18446744073709551615\n", 0) == UINT64_MAX);
}

static void retry_after_is_understood_as_a_date_in_all_three_forms(void **state)
{
    (void)state;
    const uint64_t now_s = 784111777 - 30;
    assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n", now_s), 30000);
    assert_int_equal(wait_of("Retry-After: Sunday, 06-Nov-94 08:49:37 GMT\n", now_s), 30000);
    assert_int_equal(wait_of("Retry-After: Sun Nov  6 08:49:37 1994\n", now_s), 30000);
}

static void a_date_is_measured_by_the_clock_of_the_server(void **state)
{
    (void)state;
    static const char fields[] = "Date: Sun, 06 Nov 1994 08:49:00 GMT\n"
                                 "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n";
    assert_int_equal(wait_of(fields, 0), 37000);
    assert_int_equal(wait_of(fields, 1), 37000);
}

static void a_date_without_any_clock_or_in_the_past_means_no_wait(void **state)
{
    (void)state;
    assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n", 0), 0);
    assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\n", 1700000000), 0);
}

static void a_retry_after_that_is_not_understood_means_no_wait(void **state)
{
    (void)state;
    assert_int_equal(wait_of("Retry-After: soon\n", 1), 0);
    assert_int_equal(wait_of("Retry-After: -5\n", 1), 0);
    assert_int_equal(wait_of("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT or so\n", 1), 0);
}

static void a_status_is_named_by_us(void **state)
{
    (void)state;
    char buf[HTTP_STATUS_TEXT_MAX];
    assert_string_equal(http_status_text(404, buf, sizeof buf), "404 Not Found");
    assert_string_equal(http_status_text(407, buf, sizeof buf),
                        "407 Proxy Authentication Required");
    assert_string_equal(http_status_text(599, buf, sizeof buf), "599");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_206_is_understood),
        cmocka_unit_test(names_of_fields_are_case_insensitive_and_values_trimmed),
        cmocka_unit_test(an_interim_answer_leaves_nothing_behind),
        cmocka_unit_test(trailers_change_nothing),
        cmocka_unit_test(a_status_line_that_is_not_http_is_refused),
        cmocka_unit_test(a_content_length_that_is_no_number_is_refused),
        cmocka_unit_test(two_different_content_lengths_are_refused),
        cmocka_unit_test(a_content_range_of_another_form_is_refused),
        cmocka_unit_test(two_content_ranges_are_refused),
        cmocka_unit_test(the_largest_numbers_fit_a_content_range),
        cmocka_unit_test(an_unsatisfied_range_tells_the_size),
        cmocka_unit_test(only_a_strong_and_well_formed_entity_tag_is_kept),
        cmocka_unit_test(encodings_other_than_identity_are_noticed),
        cmocka_unit_test(multipart_byteranges_are_noticed),
        cmocka_unit_test(a_body_has_a_visible_end_with_a_length_or_chunked),
        cmocka_unit_test(a_location_is_kept_and_two_different_ones_are_refused),
        cmocka_unit_test(a_field_that_is_too_long_or_holds_a_nul_is_refused),
        cmocka_unit_test(a_head_of_more_than_64_kib_is_refused),
        cmocka_unit_test(interim_answers_without_end_are_refused_too),
        cmocka_unit_test(retry_after_is_understood_in_seconds),
        cmocka_unit_test(retry_after_is_understood_as_a_date_in_all_three_forms),
        cmocka_unit_test(a_date_is_measured_by_the_clock_of_the_server),
        cmocka_unit_test(a_date_without_any_clock_or_in_the_past_means_no_wait),
        cmocka_unit_test(a_retry_after_that_is_not_understood_means_no_wait),
        cmocka_unit_test(a_status_is_named_by_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
