// SPDX-License-Identifier: Apache-2.0
// updater/source_http.c read side by side: what a clone asks for and what it gives up at, and waits
// that are interrupted.
#include "updater/source_http.h"

#include "tests/support/http_room.h"
#include "updater/byte_budget.h"
#include "updater/http_rate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void serve_and_open(struct http_room *r, const char *mode)
{
    http_room_serve(r, mode);
    http_room_open(r);
}

static struct source *clone_of(struct http_room *r)
{
    static const atomic_bool never = false;
    struct source *clone = NULL;
    struct error e;
    assert_ok(source_clone(r->source, &never, &clone, &e));
    return clone;
}

static void assert_no_clone(struct http_room *r)
{
    static const atomic_bool never = false;
    struct source *clone = NULL;
    struct error e;
    assert_fails(ERR_NOT_NOW, "is read over one connection",
                 source_clone(r->source, &never, &clone, &e));
}

static void a_clone_asks_for_the_same_file_by_its_tag(void **state)
{
    struct http_room *r = *state;
    uint8_t bytes[1000];
    struct error e;
    serve_and_open(r, "ok");
    http_room_expect(r, 0, 1000);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_int_equal(clone->size_bytes, HTTP_ROOM_FILE_BYTES);
    assert_ok(source_start(clone, 5000, sizeof bytes, &e));
    assert_ok(source_read(clone, bytes, sizeof bytes, &e));
    assert_memory_equal(bytes, r->content + 5000, sizeof bytes);
    http_room_expect(r, 2000, 1000); // the first goes on beside it
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 3);
    assert_string_equal(bad_server_text(&r->server, 2, "range"), "bytes=5000-5999");
    assert_non_null(bad_server_text(&r->server, 2, "if_range"));
    assert_true(bad_server_number(&r->server, 2, "connection") !=
                bad_server_number(&r->server, 1, "connection"));
}

static void a_clone_of_a_source_with_a_login_has_it_too(void **state)
{
    struct http_room *r = *state;
    char url[256];
    uint8_t bytes[10];
    struct error e;
    http_room_serve(r, "login=anna:secret");
    snprintf(url, sizeof url, "http://anna:secret@127.0.0.1:%u/image.vvi", r->server.port);
    memcpy(r->url, url, sizeof url);
    http_room_open(r);
    http_room_expect(r, 0, 10);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_ok(source_start(clone, 100, sizeof bytes, &e));
    assert_ok(source_read(clone, bytes, sizeof bytes, &e));
}

static void a_clone_notices_that_the_file_changed(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "changed=1");
    http_room_expect(r, 0, 1000);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_fails(ERR_NETWORK, "the file changed", source_start(clone, 5000, 10, &e));
}

static void a_clone_tries_nothing_again(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "from=2,status=503");
    http_room_expect(r, 0, 1000);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_fails(ERR_NETWORK, "answers 503", source_start(clone, 5000, 10, &e));
    assert_int_equal(r->clock.count, 0);
    assert_int_equal(clone->requests, 1);
}

static void a_clone_takes_no_whole_file(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "from=2,no-range");
    http_room_expect(r, 0, 1000);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_fails(ERR_NETWORK, "does not honour ranges", source_start(clone, 5000, 10, &e));
}

static void a_server_that_sends_whole_files_is_read_over_one_connection(void **state)
{
    struct http_room *r = *state;
    serve_and_open(r, "no-range");
    http_room_expect(r, 0, 1000);
    assert_no_clone(r);
}

// Four times the limit's burst comes over two connections, and three quarters of it are rested for.
static void a_rate_limit_holds_for_both_connections_together(void **state)
{
    enum { RATE = 400000, PART = RATE / 2 };
    struct http_room *r = *state;
    uint8_t *bytes = malloc(PART);
    struct error e;
    assert_non_null(bytes);
    r->options.rate_limit = RATE;
    serve_and_open(r, "ok");
    http_room_expect(r, 0, 1);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    http_room_expect(r, 0, PART);
    assert_ok(source_start(clone, PART, PART, &e));
    assert_ok(source_read(clone, bytes, PART, &e));
    assert_memory_equal(bytes, r->content + PART, PART);
    assert_true(r->clock.slept_ms >= 1000 * 2 * PART / RATE - HTTP_RATE_BURST_MS - 100);
    free(bytes);
}

static void a_budget_is_that_of_all_connections(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 20000};
    uint8_t bytes[10000];
    struct error e;
    serve_and_open(r, "ok");
    r->source->budget = &budget;
    http_room_expect(r, 0, 10000);
    CLEANUP(cleanup_source) struct source *clone = clone_of(r);
    assert_ok(source_start(clone, 20000, sizeof bytes, &e));
    assert_ok(source_read(clone, bytes, sizeof bytes, &e));
    assert_int_equal(byte_budget_used(&budget), 20000);
    assert_fails(ERR_NOT_NOW, "byte budget", source_start(r->source, 30000, 1, &e));
}

static void an_interrupted_read_gives_up_at_once(void **state)
{
    struct http_room *r = *state;
    static const atomic_bool now = true;
    uint8_t bytes[2000];
    struct error e;
    serve_and_open(r, "stall-after=1000");
    assert_ok(source_start(r->source, 0, 2000, &e));
    source_watch(r->source, &now);
    assert_fails(ERR_NETWORK, "interrupted", source_read(r->source, bytes, sizeof bytes, &e));
    assert_int_equal(r->clock.count, 0); // and is not tried again
}

static void nobody_waits_for_another_try_that_was_interrupted(void **state)
{
    struct http_room *r = *state;
    static const atomic_bool now = true;
    struct error e;
    serve_and_open(r, "status=503,retry-after=600");
    source_watch(r->source, &now);
    assert_int_equal(source_start(r->source, 0, 10, &e), ERR_NETWORK);
    assert_int_equal(r->clock.count, 0);
}

static struct source *beside(struct http_room *r)
{
    struct source *s = NULL;
    struct error e;
    assert_ok(source_beside(r->source, ".from-1.vvd", &s, &e));
    return s;
}

static void that_a_file_beside_is_not_there_can_be_told(void **state)
{
    static const unsigned statuses[] = {401, 403, 404, 410};
    struct http_room *r = *state;
    struct error e;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char mode[32];
        snprintf(mode, sizeof mode, "status=%u", statuses[i]);
        serve_and_open(r, mode);
        CLEANUP(cleanup_source) struct source *s = beside(r);
        assert_int_equal(source_start(s, 0, 10, &e), ERR_NETWORK);
        assert_int_equal(e.sys, ENOENT);
        assert_contains(s->name, "/image.vvi.from-1.vvd");
        source_close(TAKE_PTR(r->source));
        bad_server_clear(&r->server);
    }
}

static void nobody_is_waited_for_who_has_a_file_beside(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "status=503,retry-after=1");
    CLEANUP(cleanup_source) struct source *s = beside(r);
    assert_int_equal(source_start(s, 0, 10, &e), ERR_NETWORK);
    assert_int_equal(e.sys, 0);
    assert_int_equal(r->clock.count, 0);
}

static void a_loss_of_a_file_beside_is_made_good_once(void **state)
{
    struct http_room *r = *state;
    struct error e;
    serve_and_open(r, "hang-up");
    CLEANUP(cleanup_source) struct source *s = beside(r);
    assert_int_equal(source_start(s, 0, 10, &e), ERR_NETWORK);
    assert_int_equal(s->requests, 2);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, http_room_make, http_room_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_clone_asks_for_the_same_file_by_its_tag),
        ROOM_TEST(a_clone_of_a_source_with_a_login_has_it_too),
        ROOM_TEST(a_clone_notices_that_the_file_changed),
        ROOM_TEST(a_clone_tries_nothing_again),
        ROOM_TEST(a_clone_takes_no_whole_file),
        ROOM_TEST(a_server_that_sends_whole_files_is_read_over_one_connection),
        ROOM_TEST(a_rate_limit_holds_for_both_connections_together),
        ROOM_TEST(a_budget_is_that_of_all_connections),
        ROOM_TEST(an_interrupted_read_gives_up_at_once),
        ROOM_TEST(that_a_file_beside_is_not_there_can_be_told),
        ROOM_TEST(nobody_is_waited_for_who_has_a_file_beside),
        ROOM_TEST(a_loss_of_a_file_beside_is_made_good_once),
        ROOM_TEST(nobody_waits_for_another_try_that_was_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
