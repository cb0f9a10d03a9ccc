// SPDX-License-Identifier: Apache-2.0
#include "updater/write.h"

#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"
#include "updater/scan.h"

#include <stdlib.h>

enum { KIB = 1024, MIB = 1024 * 1024, IMAGE_LEN = 5 * MIB + 700, SLOT_LEN = IMAGE_LEN + 8 * KIB };

// A target for an image of IMAGE_LEN bytes; `content` is what will be written.
struct stage {
    struct bench *bench;
    struct blk_mem *medium;
    struct bench_target t;
    uint8_t *content;
};

static int make(void **state)
{
    static const uint32_t cuts[] = {MIB, 0};
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(IMAGE_LEN);
    assert_non_null(s->content);
    fill_random(s->content, IMAGE_LEN, 77);
    s->bench = bench_new(SLOT_LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.codec = CODEC_RAW;
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, IMAGE_LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->medium = &s->bench->slots[SLOT_B][0];
    s->bench->seam.tracing = true;
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

static void put(struct stage *s, uint64_t off, size_t len)
{
    struct error e;
    assert_ok(writer_put(s->t.writer, 0, off, s->content + off, len, &e));
}

static void expect_written(const struct stage *s, uint64_t off, size_t len)
{
    assert_memory_equal(s->medium->data + off, s->content + off, len);
}

static void neighbours_are_written_together_in_aligned_pieces_of_half_a_mib(void **state)
{
    struct stage *s = *state;
    struct error e;
    for (uint64_t off = 64 * KIB; off < MIB + 192 * KIB; off += 64 * KIB) {
        put(s, off, 64 * KIB);
    }
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 65536+524288\n"
                                              "b.rootfs write 589824+524288\n");
    assert_ok(writer_sync(s->t.writer, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 65536+524288\n"
                                              "b.rootfs write 589824+524288\n"
                                              "b.rootfs write 1114112+131072\n"
                                              "b.rootfs sync\n");
    expect_written(s, 64 * KIB, MIB + 128 * KIB);
    assert_int_equal(writer_written(s->t.writer), MIB + 128 * KIB);
}

static void a_run_that_begins_inside_a_block_is_aligned_from_the_next_one_on(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 10000, 3000);
    put(s, 13000, 20000);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 10000+2288\n"
                                              "b.rootfs write 12288+20480\n"
                                              "b.rootfs write 32768+232\n"
                                              "b.rootfs sync\n");
    expect_written(s, 10000, 23000);
}

static void a_run_inside_one_block_is_written_as_it_is(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 9000, 5);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 9000+5\nb.rootfs sync\n");
    for (size_t off = 0; off < SLOT_LEN; off++) {
        assert_int_equal(s->medium->touched[off], off >= 9000 && off < 9005);
    }
}

static void the_largest_chunks_at_the_oddest_offsets_arrive(void **state)
{
    struct stage *s = *state;
    struct error e;
    const uint64_t start = 4096 + 4095;
    put(s, start, MIB - 4096); // keeps the run just below the limit
    put(s, start + MIB - 4096, MIB);
    put(s, start + 2 * MIB - 4096, MIB);
    put(s, start + 3 * MIB - 4096, MIB);
    assert_ok(writer_sync(s->t.writer, &e));
    expect_written(s, start, 4 * MIB - 4096);
    assert_true(s->medium->largest_write <= WRITE_MAX);
    assert_int_equal(writer_written(s->t.writer), 4 * MIB - 4096);
}

static void chunks_of_any_length_in_any_mixture_arrive(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint64_t off = 0;
    for (uint64_t seed = 1; off < IMAGE_LEN; seed++) {
        uint32_t dice;
        fill_random(&dice, sizeof dice, seed);
        size_t len = 1 + dice % (seed % 3 == 0 ? MIB : 9000);
        len = len < IMAGE_LEN - off ? len : (size_t)(IMAGE_LEN - off);
        if (dice % 5 != 0) { // else a hole
            put(s, off, len);
        } else {
            memcpy(s->content + off, s->medium->data + off, len);
            heads_put(s->t.heads, 0, off, s->content + off, len);
        }
        off += len;
    }
    assert_ok(writer_sync(s->t.writer, &e));
    expect_written(s, HEAD_SIZE, IMAGE_LEN - HEAD_SIZE);
    assert_memory_equal(s->t.heads->bytes, s->content, HEAD_SIZE);
    for (size_t i = 0; i < HEAD_SIZE; i++) {
        assert_int_equal(s->medium->touched[i], 0);
    }
}

static void the_end_of_an_image_is_padded_with_zeros_to_its_block(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 5 * MIB, 700);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 5242880+4096\nb.rootfs sync\n");
    expect_written(s, 5 * MIB, 700);
    for (size_t i = 700; i < 4096; i++) {
        assert_int_equal(s->medium->data[5 * MIB + i], 0);
    }
}

static void the_padding_ends_with_the_slot(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->t.slot->partitions[0].blk->size_bytes = IMAGE_LEN + 324; // two sectors
    put(s, 5 * MIB, 700);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 5242880+1024\nb.rootfs sync\n");
}

static void a_head_is_held_back(void **state)
{
    struct stage *s = *state;
    struct error e;
    put(s, 0, 100);
    put(s, 100, 5000);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_memory_equal(s->t.heads->bytes, s->content, HEAD_SIZE);
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 4096+1004\nb.rootfs sync\n");
    memset(s->t.heads->bytes, 0, HEAD_SIZE);
    put(s, 3000, 50);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_memory_equal(s->t.heads->bytes + 3000, s->content + 3000, 50);
    assert_int_equal(s->t.heads->bytes[2999], 0);
    assert_int_equal(s->t.heads->bytes[3050], 0);
}

static void zeros_are_a_range_and_not_data(void **state)
{
    struct stage *s = *state;
    struct error e;
    memset(s->t.heads->bytes, 0xee, HEAD_SIZE);
    assert_ok(writer_zero(s->t.writer, 0, 100, 10000, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs zero 4096+6004\n");
    assert_int_equal(s->t.heads->bytes[99], 0xee);
    for (size_t i = 100; i < HEAD_SIZE; i++) {
        assert_int_equal(s->t.heads->bytes[i], 0);
    }
    assert_ok(writer_zero(s->t.writer, 0, 200, 300, &e)); // in the head altogether
    assert_string_equal(s->bench->seam.trace, "b.rootfs zero 4096+6004\n");
    assert_int_equal(writer_written(s->t.writer), 0);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_int_equal(s->medium->syncs, 1); // zeros are synced too
}

static void what_waits_and_what_is_held_back_is_read(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint8_t place[10000];
    put(s, 0, 10000); // a part in the head, a part waiting
    assert_ok(writer_read(s->t.writer, 0, 0, place, sizeof place, &e));
    assert_memory_equal(place, s->content, sizeof place);
}

static void reading_from_afar_does_not_break_the_run(void **state)
{
    struct stage *s = *state;
    struct error e;
    uint8_t place[1000];
    put(s, 2 * MIB, 100);
    assert_ok(writer_read(s->t.writer, 0, MIB, place, sizeof place, &e));
    assert_memory_equal(place, s->medium->data + MIB, sizeof place);
    put(s, 2 * MIB + 100, 1000);
    assert_int_equal(s->medium->writes, 0);
}

static void only_what_was_written_to_is_synced(void **state)
{
    struct stage *s = *state;
    struct error e;
    assert_ok(writer_sync(s->t.writer, &e));
    assert_int_equal(s->medium->syncs, 0);
    put(s, 8192, 5000);
    assert_int_equal(writer_unsynced(s->t.writer), 5000);
    put(s, 2 * MIB, 10);
    assert_int_equal(writer_unsynced(s->t.writer), 5010);
    assert_ok(writer_sync(s->t.writer, &e));
    assert_int_equal(writer_unsynced(s->t.writer), 0);
    assert_int_equal(s->medium->syncs, 1);
}

static void a_write_that_fails_names_slot_and_partition(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->bench->seam.fail_at = s->bench->seam.calls + 1;
    put(s, 8192, 4096);
    assert_fails(ERR_IO, "slot b, partition rootfs: write",
                 writer_put(s->t.writer, 0, MIB, s->content, 1, &e));
    assert_int_equal(writer_written(s->t.writer), 0);
}

#define writer_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        writer_test(neighbours_are_written_together_in_aligned_pieces_of_half_a_mib),
        writer_test(a_run_that_begins_inside_a_block_is_aligned_from_the_next_one_on),
        writer_test(a_run_inside_one_block_is_written_as_it_is),
        writer_test(the_largest_chunks_at_the_oddest_offsets_arrive),
        writer_test(chunks_of_any_length_in_any_mixture_arrive),
        writer_test(the_end_of_an_image_is_padded_with_zeros_to_its_block),
        writer_test(the_padding_ends_with_the_slot),
        writer_test(a_head_is_held_back),
        writer_test(zeros_are_a_range_and_not_data),
        writer_test(what_waits_and_what_is_held_back_is_read),
        writer_test(reading_from_afar_does_not_break_the_run),
        writer_test(only_what_was_written_to_is_synced),
        writer_test(a_write_that_fails_names_slot_and_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
