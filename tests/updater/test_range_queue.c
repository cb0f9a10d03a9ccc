// SPDX-License-Identifier: Apache-2.0
#include "updater/range_queue.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { CHUNK = 8 * 1024, CHUNKS = 40, LEN = CHUNKS * CHUNK };

struct stage {
    struct bench *bench;
    struct bench_target t;
    struct fetch_map map;
    uint8_t content[LEN];
};

static int make(void **state)
{
    static const uint32_t cuts[] = {CHUNK, 0};
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    fill_random(s->content, LEN, 1);
    s->bench = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.codec = CODEC_RAW;
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->map.table = s->t.image->table;
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s);
    return 0;
}

static struct range_queue queue_of(struct stage *s, uint32_t max_chunks)
{
    return range_queue_begin(&s->map, s->t.differs, (uint64_t)max_chunks * CHUNK);
}

static void expect_next(struct range_queue *q, uint32_t first, uint32_t end)
{
    struct fetch_range range;
    assert_true(range_queue_take(q, &range));
    assert_int_equal(range.index, first);
    assert_int_equal(range.end, (uint64_t)end * CHUNK);
}

static void nothing_is_wanted_and_nothing_is_handed_out(void **state)
{
    struct range_queue q = queue_of(*state, 4);
    struct fetch_range range;
    assert_false(range_queue_take(&q, &range));
    assert_false(range_queue_has_before(&q, CHUNKS));
}

static void ranges_come_in_order_and_hold_each_wanted_chunk_once(void **state)
{
    struct stage *s = *state;
    struct fetch_range range;
    for (uint32_t i = 3; i < 10; i++) {
        chunk_set_add(s->t.differs, i);
    }
    chunk_set_add(s->t.differs, 30);
    struct range_queue q = queue_of(s, 4);
    expect_next(&q, 3, 7);
    expect_next(&q, 7, 10);
    expect_next(&q, 30, 31);
    assert_false(range_queue_take(&q, &range));
}

static void what_was_given_back_comes_first_and_in_order(void **state)
{
    struct stage *s = *state;
    struct fetch_range ranges[4];
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
    struct range_queue q = queue_of(s, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(range_queue_take(&q, &ranges[i]));
    }
    assert_true(fetch_range_advance(&ranges[1], &s->map, s->t.differs));
    range_queue_give_back(&q, &ranges[3]);
    range_queue_give_back(&q, &ranges[1]); // what is left of it
    range_queue_give_back(&q, &ranges[2]);
    assert_false(range_queue_has_before(&q, 5));
    assert_true(range_queue_has_before(&q, 6));
    expect_next(&q, 5, 8);
    expect_next(&q, 8, 12);
    expect_next(&q, 12, 16);
    expect_next(&q, 16, 20);
}

#define queue_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(nothing_is_wanted_and_nothing_is_handed_out),
        queue_test(ranges_come_in_order_and_hold_each_wanted_chunk_once),
        queue_test(what_was_given_back_comes_first_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
