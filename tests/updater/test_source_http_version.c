// SPDX-License-Identifier: Apache-2.0
#include "updater/source_http_parts.h"

#include "tests/support/http_room.h"

#include <stdio.h>

enum { VERSION_SIZE = 512 };

static void open_anew(struct http_room *r)
{
    source_close(TAKE_PTR(r->source));
    http_room_open(r);
}

static enum err start(struct http_room *r, struct error *e)
{
    return source_start(r->source, 0, 1000, e);
}

// Of the file as it is now; costs one request.
static void read_version(struct http_room *r, char version[VERSION_SIZE])
{
    http_room_open(r);
    http_room_expect(r, 0, 1000);
    source_version(r->source, version, VERSION_SIZE);
    open_anew(r);
}

static const char *condition(const struct http_room *r, size_t n)
{
    return bad_server_text(&r->server, n, "if_none_match");
}

static void a_file_that_is_known_is_one_answer_without_a_body(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char version[VERSION_SIZE];
    http_room_serve(r, "ok");
    read_version(r, version);
    for (int i = 0; i < 9; i++) {
        assert_ok(source_unless(r->source, version, &e));
        assert_int_equal(start(r, &e), ERR_NOT_NOW);
        assert_true(source_is_unchanged(&e));
        assert_contains(e.msg, "known already");
        assert_int_equal(r->source->requests, 1);
        assert_int_equal(r->source->fetched_bytes, 0);
        open_anew(r);
    }
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 10);
    assert_null(condition(r, 1));
    for (size_t n = 2; n <= 10; n++) {
        assert_int_equal(bad_server_number(&r->server, n, "status"), 304);
        assert_int_equal(bad_server_number(&r->server, n, "sent"), 0);
    }
}

static void a_version_is_the_tag_and_where_it_is_from(void **state)
{
    struct http_room *r = *state;
    char version[VERSION_SIZE];
    char wanted[VERSION_SIZE];
    http_room_serve(r, "ok");
    http_room_open(r);
    source_version(r->source, version, sizeof version);
    assert_string_equal(version, ""); // nothing was read
    http_room_expect(r, 0, 1000);
    source_version(r->source, version, sizeof version);
    const struct http_exchange *x = http_of(r->source)->exchange;
    snprintf(wanted, sizeof wanted, "%s %s", x->tag, x->original->name);
    assert_string_equal(version, wanted);
    source_version(r->source, version, strlen(wanted)); // no room for its end
    assert_string_equal(version, "");
}

static void another_file_is_read(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char version[VERSION_SIZE];
    char other[VERSION_SIZE];
    http_room_serve(r, "changed=1");
    read_version(r, version);
    assert_ok(source_unless(r->source, version, &e));
    assert_ok(start(r, &e));
    source_version(r->source, other, sizeof other);
    assert_string_not_equal(version, other);
    bad_server_stop(&r->server);
    assert_non_null(condition(r, 2));
    assert_int_equal(bad_server_number(&r->server, 2, "status"), 206);
}

// From then on the file is read, and has to stay what it is.
static void the_condition_ends_with_the_first_answer(void **state)
{
    struct http_room *r = *state;
    struct error e;
    uint8_t buf[1000];
    char version[VERSION_SIZE];
    http_room_serve(r, "changed=1");
    read_version(r, version);
    assert_ok(source_unless(r->source, version, &e));
    assert_ok(start(r, &e));
    assert_ok(source_read(r->source, buf, sizeof buf, &e));
    assert_ok(source_start(r->source, 500000, 1000, &e));
    bad_server_stop(&r->server);
    assert_null(condition(r, 3));
    assert_non_null(bad_server_text(&r->server, 3, "if_range"));
}

static void a_lost_answer_is_asked_for_under_the_same_condition(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char version[VERSION_SIZE];
    http_room_serve(r, "status=503,from=2,first=2");
    read_version(r, version);
    assert_ok(source_unless(r->source, version, &e));
    assert_int_equal(start(r, &e), ERR_NOT_NOW);
    assert_true(source_is_unchanged(&e));
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_number(&r->server, 2, "status"), 503);
    assert_string_equal(condition(r, 2), condition(r, 3));
}

static void a_version_is_shown_where_it_is_from_and_nowhere_else(void **state)
{
    struct http_room *r = *state;
    struct error e;
    char version[VERSION_SIZE];
    char mode[300];
    http_room_serve_other(r, "ok");
    snprintf(mode, sizeof mode, "redirect=%s", r->other_url);
    http_room_serve(r, mode);
    read_version(r, version);
    assert_contains(version, r->other_url);
    assert_ok(source_unless(r->source, version, &e));
    assert_int_equal(start(r, &e), ERR_NOT_NOW);
    bad_server_stop(&r->server);
    bad_server_stop(&r->other);
    assert_null(condition(r, 1));
    assert_null(condition(r, 2));
    assert_non_null(bad_server_text(&r->other, 2, "if_none_match"));
    // The same file, and the same tag, under another name.
    bad_server_clear(&r->server);
    http_room_serve(r, "ok");
    open_anew(r);
    assert_ok(source_unless(r->source, version, &e));
    assert_ok(start(r, &e));
    bad_server_stop(&r->server);
    assert_null(condition(r, 1));
}

static void what_is_no_version_is_no_condition(void **state)
{
    static const char *const texts[] = {"",       "\"a\"",         "\"a\" ", "a %s", "W/\"a\" %s",
                                        "\"a %s", "\"a\nX:b\" %s", " %s",    "* %s"};
    struct http_room *r = *state;
    struct error e;
    char text[VERSION_SIZE];
    size_t count = sizeof texts / sizeof texts[0];
    http_room_serve(r, "ok");
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(texts[i], "%s");
        snprintf(text, sizeof text, "%.*s%s", (int)strcspn(texts[i], "%"), texts[i],
                 at != NULL ? r->url : "");
        open_anew(r);
        assert_ok(source_unless(r->source, text, &e));
        assert_ok(start(r, &e));
    }
    bad_server_stop(&r->server);
    for (size_t n = 1; n <= count; n++) {
        assert_null(condition(r, n));
    }
}

static void without_a_strong_tag_there_is_no_version(void **state)
{
    static const char *const modes[] = {"no-etag", "weak-etag"};
    struct http_room *r = *state;
    char version[VERSION_SIZE];
    for (size_t i = 0; i < 2; i++) {
        http_room_serve(r, modes[i]);
        read_version(r, version);
        assert_string_equal(version, "");
        source_close(TAKE_PTR(r->source));
        bad_server_clear(&r->server);
    }
}

static void a_304_that_nobody_asked_for_is_refused(void **state)
{
    struct http_room *r = *state;
    struct error e;
    http_room_serve(r, "status=304");
    http_room_open(r);
    assert_fails(ERR_NETWORK, "answers 304 Not Modified", start(r, &e));
    assert_false(source_is_unchanged(&e));
}

#define room_test(name) cmocka_unit_test_setup_teardown(name, http_room_make, http_room_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        room_test(a_file_that_is_known_is_one_answer_without_a_body),
        room_test(a_version_is_the_tag_and_where_it_is_from),
        room_test(another_file_is_read),
        room_test(the_condition_ends_with_the_first_answer),
        room_test(a_lost_answer_is_asked_for_under_the_same_condition),
        room_test(a_version_is_shown_where_it_is_from_and_nowhere_else),
        room_test(what_is_no_version_is_no_condition),
        room_test(without_a_strong_tag_there_is_no_version),
        room_test(a_304_that_nobody_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
