// SPDX-License-Identifier: Apache-2.0
#include "updater/http_rate.h"

#include "tests/support/http_room.h"

#include <pthread.h>

enum { START_MS = 5000, KIB = 1024, LIMIT = 100 * KIB };

static void without_a_limit_nobody_rests(void **state)
{
    struct http_rate r = http_rate_begin(0);
    (void)state;
    http_rate_count(&r, UINT64_MAX, START_MS);
    assert_int_equal(http_rate_rest_ms(&r, START_MS), 0);
}

static void bytes_take_their_time(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    (void)state;
    assert_int_equal(http_rate_rest_ms(&r, START_MS), 0);
    http_rate_count(&r, 2000, START_MS);
    // Less what may be caught up on.
    assert_int_equal(http_rate_rest_ms(&r, START_MS), 2000 - HTTP_RATE_BURST_MS);
    assert_int_equal(http_rate_rest_ms(&r, START_MS + 1000), 1000 - HTTP_RATE_BURST_MS);
    assert_int_equal(http_rate_rest_ms(&r, START_MS + 2000), 0);
}

// However the bytes come: no more than the limit over a long time, and all of it.
static void the_limit_holds_over_any_time_and_is_used(void **state)
{
    static const uint64_t pieces[] = {1, 100, 16384, 65536};
    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct http_rate r = http_rate_begin(100000);
        uint64_t now_ms = START_MS;
        uint64_t sum = 0;
        while (sum < 1000000) {
            http_rate_count(&r, pieces[i], now_ms);
            sum += pieces[i];
            now_ms += http_rate_rest_ms(&r, now_ms);
        }
        uint64_t took_ms = now_ms - START_MS;
        assert_in_range(took_ms, 10000 - HTTP_RATE_BURST_MS - 1, 10000 + 700);
    }
}

static void connections_share_it(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    (void)state;
    http_rate_count(&r, 1000, START_MS);
    http_rate_count(&r, 1000, START_MS);
    http_rate_count(&r, 1000, START_MS);
    assert_int_equal(http_rate_rest_ms(&r, START_MS), 3000 - HTTP_RATE_BURST_MS);
}

static void time_in_which_nobody_reads_is_not_saved_up(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    (void)state;
    http_rate_count(&r, 1000, START_MS);
    http_rate_count(&r, 1000, START_MS + 100000);
    assert_int_equal(http_rate_rest_ms(&r, START_MS + 100000), 1000 - HTTP_RATE_BURST_MS);
}

static void a_rest_that_was_cut_short_is_still_owed(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    (void)state;
    http_rate_count(&r, 10000, START_MS);
    http_rate_count(&r, 1000, START_MS + 1);
    assert_int_equal(http_rate_rest_ms(&r, START_MS + 1), 11000 - HTTP_RATE_BURST_MS - 1);
}

static void right_after_the_start_of_the_system_it_holds_too(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    (void)state;
    http_rate_count(&r, 1000, 10);
    assert_int_equal(http_rate_rest_ms(&r, 10), 990);
}

enum { THREADS = 4, ROUNDS = 100000 };

static void *count_many(void *rate)
{
    for (int i = 0; i < ROUNDS; i++) {
        http_rate_count(rate, 1, START_MS);
    }
    return NULL;
}

static void no_byte_is_lost_between_threads(void **state)
{
    struct http_rate r = http_rate_begin(1000);
    pthread_t threads[THREADS];
    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, &r), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(http_rate_rest_ms(&r, START_MS), THREADS * ROUNDS - HTTP_RATE_BURST_MS);
}

// --- of real connections -------------------------------------------------------------------------

// On the clock of the room a rest takes no time, and is seen.
static uint64_t now_ms(const struct http_room *r)
{
    return r->clock.base.ops->boottime_ms(&r->clock.base);
}

static void a_rate_limit_holds_from_the_first_byte_on(void **state)
{
    struct http_room *r = *state;
    http_room_serve(r, "ok");
    r->options.rate_limit = LIMIT;
    http_room_open(r);
    uint64_t before_ms = now_ms(r);
    http_room_expect(r, 0, HTTP_ROOM_FILE_BYTES);
    uint64_t took_ms = now_ms(r) - before_ms;
    assert_true(took_ms >= HTTP_ROOM_FILE_BYTES * 1000ULL / LIMIT - HTTP_RATE_BURST_MS - 250);
    assert_true(r->clock.slept_ms <= HTTP_ROOM_FILE_BYTES * 1000ULL / LIMIT);
}

static void sources_share_one_rate_limit(void **state)
{
    struct http_room *r = *state;
    struct http_rate rate = http_rate_begin(LIMIT);
    http_room_serve(r, "ok");
    r->options.rate_limit = LIMIT;
    r->options.rate = &rate;
    http_room_open(r);
    struct source *first = r->source;
    http_room_open(r);
    struct source *second = r->source;
    uint64_t before_ms = now_ms(r);
    enum { PIECE = HTTP_ROOM_FILE_BYTES / 8 };
    for (size_t i = 0; i < 8; i++) {
        r->source = i % 2 == 0 ? first : second;
        http_room_expect(r, i * PIECE, PIECE);
    }
    uint64_t took_ms = now_ms(r) - before_ms;
    assert_true(took_ms >= HTTP_ROOM_FILE_BYTES * 1000ULL / LIMIT - HTTP_RATE_BURST_MS - 500);
    r->source = first;
    source_close(second);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, http_room_make, http_room_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_nobody_rests),
        cmocka_unit_test(bytes_take_their_time),
        cmocka_unit_test(the_limit_holds_over_any_time_and_is_used),
        cmocka_unit_test(connections_share_it),
        cmocka_unit_test(time_in_which_nobody_reads_is_not_saved_up),
        cmocka_unit_test(a_rest_that_was_cut_short_is_still_owed),
        cmocka_unit_test(right_after_the_start_of_the_system_it_holds_too),
        cmocka_unit_test(no_byte_is_lost_between_threads),
        ROOM_TEST(a_rate_limit_holds_from_the_first_byte_on),
        ROOM_TEST(sources_share_one_rate_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
