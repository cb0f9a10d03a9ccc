// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/traffic.h"

#include "tests/support/expect.h"
#include "tests/support/state_mem.h"

#include <stdlib.h>
#include <time.h>

enum { DAY_S = 24 * 3600 };

// 2026-11-30 12:00 UTC.
static const uint64_t last_of_november_s = 1796040000;

struct room {
    struct seam_sim seam;
    struct state_mem store;
    struct journal journal;
    struct traffic traffic;
    struct traffic_clock clock;
};

static int make_room(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    setenv("TZ", "UTC0", 1);
    state_mem_init(&r->store, &r->seam);
    r->clock = (struct traffic_clock){last_of_november_s, 1700000000};
    *state = r;
    return 0;
}

static int free_room(void **state)
{
    struct room *r = *state;
    state_mem_free(&r->store);
    free(r);
    return 0;
}

// The journal says so much of release `n`; whether that is news, and the month's sum then.
static void expect_count(struct room *r, unsigned n, uint64_t journal_bytes, bool news,
                         uint64_t want)
{
    const struct release_id release = {.manifest_sha256 = {(uint8_t)n}};
    journal_set_fetched(&r->journal, &release, journal_bytes);
    assert_int_equal(traffic_count(&r->traffic, &r->journal, &r->clock), news);
    assert_int_equal(r->traffic.bytes, want);
}

static void what_the_journal_counts_is_taken_over_once(void **state)
{
    struct room *r = *state;
    expect_count(r, 1, 100, true, 100);
    expect_count(r, 1, 100, false, 100);
    expect_count(r, 1, 250, true, 250);
    expect_count(r, 2, 30, true, 280);
    expect_count(r, 1, 20, true, 300); // the first one again, counted anew
}

static void a_release_that_is_counted_anew_is_counted_from_nothing(void **state)
{
    struct room *r = *state;
    expect_count(r, 1, 100, true, 100);
    expect_count(r, 1, 0, true, 100); // installed
    traffic_add(&r->traffic, 40, &r->clock);
    assert_int_equal(r->traffic.bytes, 140);
    expect_count(r, 1, 110, true, 250);
}

static void a_month_ends_at_local_midnight(void **state)
{
    static const struct {
        const char *zone;
        int64_t begins_s; // from noon UTC of the last day of November
    } cases[] = {
        {"UTC0", 12 * 3600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 11 * 3600},
        {"<-11>11", 23 * 3600},
        {"<+14>-14", -2 * 3600 + 31 * DAY_S}, // December began two hours ago
    };
    struct room *r = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("TZ", cases[i].zone, 1);
        uint64_t next_s = traffic_next_month_s(&r->clock);
        assert_int_equal(next_s, last_of_november_s + (uint64_t)cases[i].begins_s);
        r->traffic = (struct traffic){0};
        expect_count(r, 1, 100, true, 100);
        r->clock.wall_s = next_s - 1;
        expect_count(r, 1, 100, false, 100);
        r->clock.wall_s = next_s;
        expect_count(r, 1, 100, true, 0);
        expect_count(r, 1, 130, true, 30);
        r->clock.wall_s = last_of_november_s;
    }
}

static void the_next_month_is_named(void **state)
{
    struct room *r = *state;
    char text[TRAFFIC_TEXT_SIZE];
    assert_string_equal(traffic_next_month_text(traffic_next_month_s(&r->clock), text), "1 Dec");
    r->clock.wall_s += DAY_S;
    assert_string_equal(traffic_next_month_text(traffic_next_month_s(&r->clock), text), "1 Jan");
}

static void a_clock_that_jumps_begins_another_month_and_one_in_1970_none(void **state)
{
    struct room *r = *state;
    expect_count(r, 1, 100, true, 100);
    r->clock.wall_s = 5;
    expect_count(r, 1, 110, true, 110);
    r->clock.wall_s = last_of_november_s + 365 * (uint64_t)DAY_S;
    expect_count(r, 1, 120, true, 10);
    r->clock.wall_s = last_of_november_s - 365 * (uint64_t)DAY_S;
    expect_count(r, 1, 125, true, 5);
}

static void the_record_is_read_as_it_was_written(void **state)
{
    struct room *r = *state;
    struct error e;
    struct traffic read;
    assert_ok(traffic_load(&r->store.base, &read, &e));
    assert_int_equal(read.month, 0);
    assert_false(read.lost);
    expect_count(r, 7, 1234567890123, true, 1234567890123);
    assert_ok(traffic_save(&r->store.base, &r->traffic, &e));
    assert_ok(traffic_load(&r->store.base, &read, &e));
    assert_int_equal(read.month, 2026 * 12 + 10);
    assert_int_equal(read.bytes, 1234567890123);
    assert_int_equal(read.taken_bytes, 1234567890123);
    assert_memory_equal(read.manifest_sha256, r->traffic.manifest_sha256, SHA256_SIZE);
}

static void a_damaged_record_counts_from_nothing_and_says_so(void **state)
{
    struct room *r = *state;
    struct error e;
    struct traffic read;
    expect_count(r, 7, 100, true, 100);
    assert_ok(traffic_save(&r->store.base, &r->traffic, &e));
    state_mem_spoil(&r->store, "traffic");
    assert_ok(traffic_load(&r->store.base, &read, &e));
    assert_true(read.lost);
    assert_int_equal(read.bytes + read.month + read.taken_bytes, 0);
}

#define in_room(name) cmocka_unit_test_setup_teardown(name, make_room, free_room)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(what_the_journal_counts_is_taken_over_once),
        in_room(a_release_that_is_counted_anew_is_counted_from_nothing),
        in_room(a_month_ends_at_local_midnight),
        in_room(the_next_month_is_named),
        in_room(a_clock_that_jumps_begins_another_month_and_one_in_1970_none),
        in_room(the_record_is_read_as_it_was_written),
        in_room(a_damaged_record_counts_from_nothing_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
