// SPDX-License-Identifier: Apache-2.0
// Images cut by the byte rule: chunks begin and end anywhere inside blocks.
#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"
#include "updater/fill.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    KIB = 1024,
    MIB = 1024 * 1024,
    AVERAGE = 64 * 1024,
    LEN = 20 * MIB + 777,
    SLOT_LEN = LEN + 8 * KIB,
    // Zeros that fill blocks but for their first and their last, to be found by the cutter.
    ZEROS_OFF = 5 * MIB + 123,
    ZEROS_LEN = 2 * MIB,
};

// A device and the image of release 2.0 for it.
struct stage {
    struct bench *bench;
    struct blk_mem *medium;
    uint8_t *content;
    uint32_t chunks;
    size_t *chunk_off; // chunks + 1 of them
};

static void serve(struct stage *s, const char *version, uint64_t index)
{
    struct error e;
    struct image_recipe r = bench_recipe(version, index);
    r.codec = CODEC_RAW;
    r.rule = CUT_BYTE;
    r.average = AVERAGE;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    struct cutter c;
    assert_ok(cutter_init(&c, CUT_BYTE, AVERAGE, &e));
    s->chunks = 0;
    for (size_t off = 0; off < LEN; s->chunks++) {
        s->chunk_off[s->chunks] = off;
        off += cutter_next(&c, off, s->content + off, LEN - off);
    }
    s->chunk_off[s->chunks] = LEN;
}

static int make(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(LEN);
    s->chunk_off = calloc(LEN / (4 * KIB), sizeof *s->chunk_off);
    assert_true(s->content != NULL && s->chunk_off != NULL);
    fill_random(s->content, LEN, 4);
    memset(s->content + ZEROS_OFF, 0, ZEROS_LEN);
    s->bench = bench_new(SLOT_LEN, 0);
    s->medium = &s->bench->slots[SLOT_B][0];
    serve(s, "2.0", 2);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct stage *s = *state;
    bench_free(s->bench);
    free(s->chunk_off);
    free(s->content);
    free(s);
    return 0;
}

// What was done to the slot, out of the trace.
struct changes {
    unsigned whole, partial; // writes of whole blocks, and others
    unsigned syncs;
    uint64_t written, zeroed; // bytes
    bool zeroed_partly;       // a range that is no whole blocks
};

static struct changes count_changes(char *trace)
{
    struct changes c = {0};
    char *rest = NULL;
    for (char *line = strtok_r(trace, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        unsigned long long off;
        unsigned long long len;
        if (sscanf(line, "b.rootfs write %llu+%llu", &off, &len) == 2) {
            bool whole = off % BLK_ALIGN == 0 && len % BLK_ALIGN == 0;
            c.whole += whole ? 1 : 0;
            c.partial += whole ? 0 : 1;
            c.written += len;
        } else if (sscanf(line, "b.rootfs zero %llu+%llu", &off, &len) == 2) {
            c.zeroed_partly = c.zeroed_partly || (off >= HEAD_SIZE && (off | len) % BLK_ALIGN != 0);
            c.zeroed += off >= HEAD_SIZE ? len : 0;
        } else if (strcmp(line, "b.rootfs sync") == 0) {
            c.syncs++;
        }
    }
    return c;
}

static void chunks_are_written_as_whole_blocks_and_zeros_as_ranges(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    s->bench->seam.tracing = true;
    assert_ok(bench_install(s->bench, &report, &e));
    bench_expect_content(s->bench, 0, s->content, LEN);
    bench_expect_running_untouched(s->bench);
    assert_true(bench_bootable(s->bench, SLOT_B));
    struct changes c = count_changes(s->bench->seam.trace);
    // All of the run but its two ends, which are less than a block each.
    assert_false(c.zeroed_partly);
    assert_in_range(c.zeroed, ZEROS_LEN - 2 * BLK_ALIGN, ZEROS_LEN);
    // No byte twice: the image up to the end of its last block, and of the head two sectors, which
    // are written once more behind the rest of it.
    uint64_t blocks = (LEN + BLK_ALIGN - 1) / BLK_ALIGN * BLK_ALIGN;
    assert_int_equal(c.written, blocks - c.zeroed + (size_t)2 * 512);
    assert_int_equal(report.written_bytes + (size_t)2 * 512, c.written);
    // Some 300 chunks end inside blocks; only where a sync comes between two is a block written in
    // two pieces.
    assert_true(s->chunks > 250);
    assert_true(c.partial <= 2 * c.syncs);
    assert_true(c.partial < 20);
    assert_true(s->medium->largest_write <= WRITE_MAX);
    assert_true(c.whole <= LEN / WRITE_MAX + c.partial + 5);
}

// All that is in front of the mark is on the medium, and shares no block with what is not.
static void expect_up_to_the_mark(const struct stage *s)
{
    uint32_t next = s->bench->device.journal.next_chunk;
    assert_in_range(next, 1, s->chunks - 1);
    size_t end = s->chunk_off[next];
    assert_true(end % BLK_ALIGN != 0);
    assert_true(end >= 2 * FILL_SYNC && end < 2 * FILL_SYNC + ZEROS_LEN + 4 * AVERAGE);
    assert_memory_equal(s->medium->data + HEAD_SIZE, s->content + HEAD_SIZE, end - HEAD_SIZE);
}

// Loses the connection behind 16 MiB, then the power.
static void cut_off(struct stage *s, enum blk_mem_fate fate, uint64_t seed)
{
    struct error e;
    struct install_report report;
    s->bench->source.cut_off = s->bench->image.header.payload_offset + 17 * MIB;
    assert_fails(ERR_NETWORK, "the connection was lost", bench_install(s->bench, &report, &e));
    assert_int_equal(s->bench->device.journal.step, STEP_INSTALLING);
    assert_int_equal(s->bench->device.journal.chunk_count, s->chunks);
    assert_false(bench_bootable(s->bench, SLOT_B));
    bench_power_cut(s->bench, fate, seed);
}

static void the_mark_claims_no_byte_that_was_not_synced(void **state)
{
    struct stage *s = *state;
    cut_off(s, BLK_MEM_LOSE, 1);
    expect_up_to_the_mark(s);
}

static void what_was_cut_off_inside_a_block_goes_on_there(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    cut_off(s, BLK_MEM_LOSE, 1);
    // The chunk at the mark was synced as well, and its last block would have been written again.
    uint32_t next = s->bench->device.journal.next_chunk + 1;
    bench_restart(s->bench);
    s->bench->seam.tracing = true;
    assert_ok(bench_install(s->bench, &report, &e));
    bench_expect_content(s->bench, 0, s->content, LEN);
    bench_expect_running_untouched(s->bench);
    // The first chunk, whose head was held back, and what was not synced.
    assert_int_equal(report.planned_bytes, s->chunk_off[1] + (LEN - s->chunk_off[next]));
    assert_int_equal(report.reused_bytes, s->chunk_off[next] - s->chunk_off[1]);
    struct changes c = count_changes(s->bench->seam.trace);
    uint64_t blocks = (LEN + BLK_ALIGN - 1) / BLK_ALIGN * BLK_ALIGN;
    assert_int_equal(c.written, s->chunk_off[1] + (blocks - s->chunk_off[next]) + (size_t)2 * 512);
    for (size_t off = s->chunk_off[1]; off < s->chunk_off[next]; off++) {
        assert_int_equal(s->medium->touched[off], 0);
    }
}

// The chunk at the mark shares a sector with the next, and may be torn with it.
static void whatever_a_cut_leaves_of_shared_blocks_is_mended(void **state)
{
    struct stage *s = *state;
    struct error e;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct install_report report;
        cut_off(s, BLK_MEM_MIX, seed);
        expect_up_to_the_mark(s);
        uint32_t next = s->bench->device.journal.next_chunk;
        state_mem_forget(&s->bench->state, "journal");
        bench_restart(s->bench);
        assert_ok(bench_install(s->bench, &report, &e));
        bench_expect_content(s->bench, 0, s->content, LEN);
        assert_true(report.planned_bytes <= s->chunk_off[1] + (LEN - s->chunk_off[next]));
        // The next round finds nothing of it.
        fill_random(s->content, LEN, 4 + seed);
        memset(s->content + ZEROS_OFF, 0, ZEROS_LEN);
        serve(s, "2.1", 2 + seed);
    }
}

static void a_byte_more_leaves_the_chunks_around_it_untouched(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct install_report report;
    const size_t at = 12 * MIB + 5;
    assert_ok(bench_install(s->bench, &report, &e));
    // It takes the place of one further on, so that in between everything moves.
    memmove(s->content + at + 1, s->content + at, 100);
    s->content[at] ^= 1;
    serve(s, "2.1", 3);
    assert_ok(bench_install(s->bench, &report, &e));
    bench_expect_content(s->bench, 0, s->content, LEN);
    size_t touched = 0;
    for (size_t off = HEAD_SIZE; off < SLOT_LEN; off++) {
        if (s->medium->touched[off] != 0) {
            assert_in_range(off, at - 4 * AVERAGE, at + 8 * AVERAGE);
            touched++;
        }
    }
    assert_int_equal(report.planned_bytes, touched);
    assert_true(touched <= 6 * AVERAGE);
}

#define BYTE_TEST(f) cmocka_unit_test_setup_teardown(f, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BYTE_TEST(chunks_are_written_as_whole_blocks_and_zeros_as_ranges),
        BYTE_TEST(the_mark_claims_no_byte_that_was_not_synced),
        BYTE_TEST(what_was_cut_off_inside_a_block_goes_on_there),
        BYTE_TEST(whatever_a_cut_leaves_of_shared_blocks_is_mended),
        BYTE_TEST(a_byte_more_leaves_the_chunks_around_it_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
