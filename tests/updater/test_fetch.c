// SPDX-License-Identifier: Apache-2.0
#include "updater/fetch.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// Raw chunks, so that offsets in the payload are those in the content: 384 of 16 KiB, then the
// first again, then one of 1 MiB.
enum { KIB = 1024, MIB = 1024 * 1024, CHUNK = 16 * KIB, CHUNKS = 384, REPEAT = CHUNKS };
enum { LEN = (CHUNKS + 1) * CHUNK + MIB };

struct stage {
    struct bench *bench;
    struct bench_target t;
    struct fetch_map map;
    struct fetcher fetcher;
    struct fetch_range range;
    uint8_t *content;
    uint64_t payload;
};

static int make(void **state)
{
    static uint32_t cuts[CHUNKS + 3];
    for (size_t i = 0; i <= CHUNKS; i++) {
        cuts[i] = CHUNK;
    }
    cuts[CHUNKS + 1] = MIB;
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(LEN);
    assert_non_null(s->content);
    fill_random(s->content, LEN, 1);
    memcpy(s->content + REPEAT * CHUNK, s->content, CHUNK);
    s->bench = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.codec = CODEC_RAW;
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->payload = s->bench->image.header.payload_offset;
    s->map = (struct fetch_map){.table = s->t.image->table, .payload_off = s->payload};
    s->fetcher = (struct fetcher){.source = &s->bench->source.base, .map = &s->map};
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s->content);
    free(s);
    return 0;
}

// As a lane does: goes on with the range under way, or begins one.
static enum err try_get(struct stage *s, uint32_t index, uint8_t *stored, struct error *e)
{
    struct fetcher *f = &s->fetcher;
    if (f->pos == f->end) {
        s->range = fetch_range_at(&s->map, index, s->t.differs, FETCH_IN_FLIGHT_MAX);
        enum err err = fetcher_begin(f, &s->range, e);
        if (err != OK) {
            return err;
        }
    }
    assert_int_equal(s->range.index, index);
    enum err err = fetcher_read(f, index, stored, e);
    bool more = fetch_range_advance(&s->range, &s->map, s->t.differs);
    assert_true(err != OK || more == (f->pos != f->end));
    return err;
}

static void get(struct stage *s, uint32_t index)
{
    struct error e;
    struct chunk c = chunk_table_get(s->t.image->table, index, NULL);
    uint8_t *stored = malloc(c.stored_len);
    assert_non_null(stored);
    assert_ok(try_get(s, index, stored, &e));
    assert_memory_equal(stored, s->bench->image.bytes + s->payload + c.stored_off, c.stored_len);
    free(stored);
}

static void expect_range(const struct stage *s, size_t n, uint64_t off, uint64_t len)
{
    assert_true(s->bench->source.range_count > n);
    assert_int_equal(s->bench->source.ranges[n].off, s->payload + off);
    assert_int_equal(s->bench->source.ranges[n].len, len);
}

static void neighbours_come_in_ranges_of_at_most_three_mib(void **state)
{
    struct stage *s = *state;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
    for (uint32_t i = 0; i < CHUNKS; i++) {
        get(s, i);
    }
    assert_int_equal(s->bench->source.range_count, 2);
    expect_range(s, 0, 0, 3 * MIB);
    expect_range(s, 1, 3 * MIB, 3 * MIB);
    assert_int_equal(s->bench->source.read_bytes, 6 * MIB);
}

static void a_gap_of_16_kib_is_read_over_and_a_longer_one_ends_the_range(void **state)
{
    struct stage *s = *state;
    const uint32_t wanted[] = {2, 4, 5, 8};
    for (size_t i = 0; i < 4; i++) {
        chunk_set_add(s->t.differs, wanted[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        get(s, wanted[i]);
    }
    assert_int_equal(s->bench->source.range_count, 2);
    expect_range(s, 0, 2 * CHUNK, 4 * CHUNK);
    expect_range(s, 1, 8 * CHUNK, CHUNK);
    assert_int_equal(s->bench->source.read_bytes, 5 * CHUNK);
}

static void a_range_is_no_longer_than_asked_for_or_one_chunk(void **state)
{
    struct stage *s = *state;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
    assert_int_equal(fetch_range_at(&s->map, 2, s->t.differs, 3 * CHUNK).end, 5 * CHUNK);
    assert_int_equal(fetch_range_at(&s->map, 2, s->t.differs, 4 * CHUNK - 1).end, 5 * CHUNK);
    assert_int_equal(fetch_range_at(&s->map, 2, s->t.differs, 1).end, 3 * CHUNK);
}

static void a_repeated_chunk_is_fetched_from_where_its_first_stands(void **state)
{
    struct stage *s = *state;
    chunk_set_add(s->t.differs, REPEAT);
    chunk_set_add(s->t.differs, REPEAT + 1);
    get(s, REPEAT);
    expect_range(s, 0, 0, CHUNK); // and nothing behind it
    get(s, REPEAT + 1);
    expect_range(s, 1, CHUNKS * CHUNK, MIB);
}

static void a_large_chunk_is_taken_whole(void **state)
{
    struct stage *s = *state;
    chunk_set_add(s->t.differs, REPEAT + 1);
    get(s, REPEAT + 1);
    assert_int_equal(s->bench->source.read_bytes, MIB);
}

static void after_an_error_the_range_begins_anew(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint8_t *stored = malloc(CHUNK);
    assert_non_null(stored);
    chunk_set_add(s->t.differs, 0);
    chunk_set_add(s->t.differs, 1);
    get(s, 0);
    s->bench->source.cut_off = s->payload + CHUNK;
    assert_fails(ERR_NETWORK, "the connection was lost", try_get(s, 1, stored, &e));
    s->bench->source.cut_off = UINT64_MAX;
    get(s, 1);
    expect_range(s, 1, CHUNK, CHUNK);
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    assert_fails(ERR_IO, "source start", try_get(s, 9, stored, &e));
    get(s, 9);
    free(stored);
}

static void a_range_that_is_given_up_is_cancelled(void **state)
{
    struct stage *s = *state;
    chunk_set_add(s->t.differs, 0);
    chunk_set_add(s->t.differs, 1);
    get(s, 0);
    fetcher_drop(&s->fetcher);
    assert_int_equal(s->bench->source.end, 0);
    get(s, 1);
    expect_range(s, 1, CHUNK, CHUNK);
}

#define fetch_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fetch_test(neighbours_come_in_ranges_of_at_most_three_mib),
        fetch_test(a_gap_of_16_kib_is_read_over_and_a_longer_one_ends_the_range),
        fetch_test(a_range_is_no_longer_than_asked_for_or_one_chunk),
        fetch_test(a_repeated_chunk_is_fetched_from_where_its_first_stands),
        fetch_test(a_large_chunk_is_taken_whole),
        fetch_test(after_an_error_the_range_begins_anew),
        fetch_test(a_range_that_is_given_up_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
