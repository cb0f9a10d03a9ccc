// SPDX-License-Identifier: Apache-2.0
#include "updater/read_back.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { KIB = 1024, CHUNK = 8 * KIB, CHUNKS = 10, LEN = CHUNKS * CHUNK };

// Filled and not yet read back; the head is still held.
struct stage {
    struct bench *bench;
    struct blk_mem *medium;
    struct bench_target t;
    struct scan scan;
    struct fill fill;
    uint8_t content[LEN];
};

static int make(void **state)
{
    static const uint32_t cuts[] = {CHUNK, 0};
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    fill_random(s->content, LEN, 1);
    memset(s->content + 4 * CHUNK, 0, CHUNK);
    memcpy(s->content + 6 * CHUNK, s->content + CHUNK, CHUNK);
    s->bench = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->medium = &s->bench->slots[SLOT_B][0];
    s->scan = bench_scan(s->bench, &s->t);
    s->scan.heads = s->t.heads;
    s->fill = bench_fill(s->bench, &s->t);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
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

static enum err fill_and_read_back(struct stage *s, struct error *e)
{
    enum err err = fill_chunks(&s->fill, s->t.differs, e);
    return err == OK ? read_back(&s->scan, &s->fill, s->t.differs, e) : err;
}

static void what_arrived_is_read_once_and_left_alone(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(fill_and_read_back(s, &e));
    assert_int_equal(s->medium->written_bytes, LEN - HEAD_SIZE - CHUNK);
    assert_int_equal(s->bench->source.range_count, 1);
    assert_memory_equal(s->medium->data + HEAD_SIZE, s->content + HEAD_SIZE, LEN - HEAD_SIZE);
}

static void a_chunk_that_was_stored_wrongly_is_brought_again(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->medium->spoil_off = 2 * CHUNK + 99;
    s->medium->spoil_times = READ_BACK_ROUNDS;
    assert_ok(fill_and_read_back(s, &e));
    assert_int_equal(s->medium->spoil_times, 0);
    assert_memory_equal(s->medium->data + HEAD_SIZE, s->content + HEAD_SIZE, LEN - HEAD_SIZE);
    assert_int_equal(s->bench->source.range_count, 1 + READ_BACK_ROUNDS);
    assert_int_equal(s->medium->written_bytes, LEN - HEAD_SIZE - CHUNK + READ_BACK_ROUNDS * CHUNK);
}

static void zeros_and_repetitions_are_mended_without_the_source(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    s->medium->data[4 * CHUNK] ^= 1;
    s->medium->data[6 * CHUNK] ^= 1;
    uint64_t fetched = s->bench->source.read_bytes;
    assert_ok(read_back(&s->scan, &s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->source.read_bytes, fetched);
    assert_memory_equal(s->medium->data + HEAD_SIZE, s->content + HEAD_SIZE, LEN - HEAD_SIZE);
}

static void a_place_that_stays_bad_is_named_after_three_more_tries(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->medium->spoil_off = 5 * CHUNK + 1;
    s->medium->spoil_times = READ_BACK_ROUNDS + 1;
    assert_fails(ERR_IO, "slot b, partition rootfs, offset 40960: 8192 bytes do not read back",
                 fill_and_read_back(s, &e));
    assert_int_equal(s->medium->spoil_times, 0); // it was written as often as that
}

static void a_place_that_cannot_be_read_is_written_again(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    s->medium->unreadable_off = 3 * CHUNK;
    assert_ok(read_back(&s->scan, &s->fill, s->t.differs, &e));
    assert_memory_equal(s->medium->data + HEAD_SIZE, s->content + HEAD_SIZE, LEN - HEAD_SIZE);
}

static void an_error_while_mending_comes_through(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    s->medium->data[7 * CHUNK] ^= 1;
    s->bench->source.cut_off = 0;
    assert_fails(ERR_NETWORK, "chunk 7", read_back(&s->scan, &s->fill, s->t.differs, &e));
}

#define read_back_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        read_back_test(what_arrived_is_read_once_and_left_alone),
        read_back_test(a_chunk_that_was_stored_wrongly_is_brought_again),
        read_back_test(zeros_and_repetitions_are_mended_without_the_source),
        read_back_test(a_place_that_stays_bad_is_named_after_three_more_tries),
        read_back_test(a_place_that_cannot_be_read_is_written_again),
        read_back_test(an_error_while_mending_comes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
