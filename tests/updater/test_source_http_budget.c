// SPDX-License-Identifier: Apache-2.0
// updater/source_http.c with a byte budget: what is asked for, what is taken, and when it ends.
#include "updater/source_http.h"

#include "tests/support/http_room.h"
#include "updater/byte_budget.h"

#include <stdlib.h>

enum { KIB = 1024, IN_FLIGHT = 128 * KIB };

static const char used_up[] = "the byte budget of this release does not allow 1 B more";

static void serve_and_open(struct http_room *r, const char *mode, struct byte_budget *budget)
{
    http_room_serve(r, mode);
    http_room_open(r);
    r->source->budget = budget;
}

// How many bytes can be read from `off` on before an error of the budget.
static size_t read_until_used_up(struct http_room *r, uint64_t off)
{
    struct error e;
    uint8_t buf[KIB];
    size_t sum = 0;
    enum err err = source_start(r->source, off, HTTP_ROOM_FILE_BYTES - off, &e);
    while (err == OK) {
        err = source_read(r->source, buf, sizeof buf, &e);
        if (err == OK) {
            assert_memory_equal(buf, r->content + off + sum, sizeof buf);
            sum += sizeof buf;
        }
    }
    assert_int_equal(err, ERR_NOT_NOW);
    assert_contains(e.msg, used_up);
    assert_int_equal(r->clock.count, 0); // it is not tried again
    return sum;
}

static void a_budget_that_is_large_enough_changes_nothing(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 150 * KIB};
    serve_and_open(r, "ok", &budget);
    http_room_expect(r, 0, 100 * KIB);
    http_room_expect(r, 500 * KIB, 50 * KIB); // the last byte of it is one of these
    assert_int_equal(byte_budget_used(&budget), 150 * KIB);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 2);
    assert_string_equal(bad_server_text(&r->server, 1, "range"), "bytes=0-102399");
}

static void no_more_is_asked_for_than_is_left(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 100 * KIB, .used_bytes = 60 * KIB};
    serve_and_open(r, "ok", &budget);
    assert_int_equal(read_until_used_up(r, 0), 40 * KIB);
    assert_int_equal(byte_budget_used(&budget), 100 * KIB);
    assert_int_equal(r->source->fetched_bytes, 40 * KIB);
    bad_server_stop(&r->server);
    assert_int_equal(bad_server_count(&r->server), 1);
    assert_string_equal(bad_server_text(&r->server, 1, "range"), "bytes=0-40959");
}

static void a_budget_that_is_used_up_asks_for_nothing(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 10, .used_bytes = 11};
    serve_and_open(r, "ok", &budget);
    assert_int_equal(read_until_used_up(r, 0), 0);
    assert_int_equal(r->source->requests, 0);
}

static void with_a_larger_budget_it_goes_on_at_the_next_byte(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 40 * KIB};
    serve_and_open(r, "ok", &budget);
    assert_int_equal(read_until_used_up(r, 0), 40 * KIB);
    budget.limit_bytes = 60 * KIB;
    http_room_expect(r, 40 * KIB, 20 * KIB);
    assert_int_equal(byte_budget_used(&budget), 60 * KIB);
}

static void a_server_without_ranges_is_left_where_the_budget_ends(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = 300 * KIB};
    serve_and_open(r, "no-range", &budget);
    // What comes before the wanted byte is dropped, and counts.
    size_t got = read_until_used_up(r, 200 * KIB);
    assert_true(got >= 100 * KIB && got <= 100 * KIB + IN_FLIGHT);
    assert_true(byte_budget_used(&budget) >= 300 * KIB);
    assert_true(byte_budget_used(&budget) <= 300 * KIB + IN_FLIGHT);
    assert_int_equal(r->source->requests, 1);
}

static void what_is_lost_and_asked_for_again_counts_twice(void **state)
{
    struct http_room *r = *state;
    struct byte_budget budget = {.limit_bytes = HTTP_ROOM_FILE_BYTES};
    serve_and_open(r, "no-range,drop-after=200000@1", &budget);
    http_room_expect(r, 0, 400 * KIB);
    assert_int_equal(r->source->requests, 2);
    assert_true(byte_budget_used(&budget) > 200000 + 400 * KIB - IN_FLIGHT);
    assert_int_equal(byte_budget_used(&budget), r->source->fetched_bytes);
}

static void sources_share_one_budget(void **state)
{
    struct http_room *r = *state;
    struct error e;
    struct source *first;
    struct byte_budget budget = {.limit_bytes = 100 * KIB};
    serve_and_open(r, "ok", &budget);
    http_room_expect(r, 0, 70 * KIB);
    first = r->source;
    http_room_open(r);
    r->source->budget = &budget;
    assert_int_equal(read_until_used_up(r, 0), 30 * KIB);
    assert_fails(ERR_NOT_NOW, used_up, source_start(first, 500 * KIB, 10, &e));
    source_close(first);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, http_room_make, http_room_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_budget_that_is_large_enough_changes_nothing),
        ROOM_TEST(no_more_is_asked_for_than_is_left),
        ROOM_TEST(a_budget_that_is_used_up_asks_for_nothing),
        ROOM_TEST(with_a_larger_budget_it_goes_on_at_the_next_byte),
        ROOM_TEST(a_server_without_ranges_is_left_where_the_budget_ends),
        ROOM_TEST(what_is_lost_and_asked_for_again_counts_twice),
        ROOM_TEST(sources_share_one_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
