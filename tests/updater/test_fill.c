// SPDX-License-Identifier: Apache-2.0
#include "updater/fill.h"

#include "tests/support/bench_content.h"
#include "tests/support/expect.h"
#include "tests/support/install_bench.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

// 20 raw chunks of 1 MiB; the third is zeros, the fifth repeats the first, the seventh the fourth.
enum { MIB = 1024 * 1024, CHUNKS = 20, LEN = CHUNKS * MIB };

struct stage {
    struct bench *bench;
    struct blk_mem *medium;
    struct bench_target t;
    struct fill fill;
    uint8_t *content;
};

static int make(void **state)
{
    static const uint32_t cuts[] = {MIB, 0};
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(LEN);
    assert_non_null(s->content);
    fill_random(s->content, LEN, 1);
    memset(s->content + 2 * MIB, 0, MIB);
    memcpy(s->content + 4 * MIB, s->content, MIB);
    memcpy(s->content + 6 * MIB, s->content + 3 * MIB, MIB);
    s->bench = bench_new(LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.codec = CODEC_RAW;
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    s->fill = bench_fill(s->bench, &s->t);
    s->medium = &s->bench->slots[SLOT_B][0];
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

static void want(struct stage *s, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        chunk_set_add(s->t.differs, i);
    }
}

static void expect_filled(const struct stage *s, uint64_t off, size_t len)
{
    assert_memory_equal(s->medium->data + off, s->content + off, len);
}

static void zeros_are_zeroed_repetitions_copied_and_the_rest_fetched(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 0, 8);
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    expect_filled(s, HEAD_SIZE, 8 * MIB - HEAD_SIZE);
    assert_memory_equal(s->t.heads->bytes, s->content, HEAD_SIZE);
    assert_int_equal(s->bench->source.read_bytes, 5 * MIB); // 0, 1, 3, 5, 7
    assert_int_equal(s->medium->zeroings, 1);
    assert_int_equal(s->medium->written_bytes, 7 * MIB - HEAD_SIZE);
}

static void only_the_chunks_asked_for_are_touched(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 2, 4);
    want(s, 9, 10);
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    for (size_t mib = 0; mib < CHUNKS; mib++) {
        bool expected = mib == 2 || mib == 3 || mib == 9;
        assert_int_equal(s->medium->touched[mib * MIB], expected);
        assert_int_equal(s->medium->touched[mib * MIB + MIB - 1], expected);
    }
}

static void a_repetition_is_copied_from_a_chunk_that_was_in_place(void **state)
{
    struct stage *s = *state;
    struct error e;
    memcpy(s->medium->data + 3 * MIB, s->content + 3 * MIB, MIB);
    want(s, 6, 7);
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    expect_filled(s, 6 * MIB, MIB);
    assert_int_equal(s->bench->source.range_count, 0);
}

static void a_repetition_whose_first_is_not_right_any_more_is_fetched(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 6, 7); // and at 3 MiB stands old content
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    expect_filled(s, 6 * MIB, MIB);
    assert_int_equal(s->bench->source.read_bytes, MIB);
}

static void after_every_eight_mib_comes_a_sync_and_then_the_journal(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 7, CHUNKS);
    s->bench->device.journal.step = STEP_INSTALLING;
    s->bench->seam.tracing = true;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    assert_string_equal(s->bench->seam.trace, "b.rootfs write 7340032+524288\n"
                                              "b.rootfs write 7864320+524288\n"
                                              "b.rootfs write 8388608+524288\n"
                                              "b.rootfs write 8912896+524288\n"
                                              "b.rootfs write 9437184+524288\n"
                                              "b.rootfs write 9961472+524288\n"
                                              "b.rootfs write 10485760+524288\n"
                                              "b.rootfs write 11010048+524288\n"
                                              "b.rootfs write 11534336+524288\n"
                                              "b.rootfs write 12058624+524288\n"
                                              "b.rootfs write 12582912+524288\n"
                                              "b.rootfs write 13107200+524288\n"
                                              "b.rootfs write 13631488+524288\n"
                                              "b.rootfs write 14155776+524288\n"
                                              "b.rootfs write 14680064+524288\n"
                                              "b.rootfs write 15204352+524288\n"
                                              "b.rootfs sync\n"
                                              "journal installing\n"
                                              "b.rootfs write 15728640+524288\n"
                                              "b.rootfs write 16252928+524288\n"
                                              "b.rootfs write 16777216+524288\n"
                                              "b.rootfs write 17301504+524288\n"
                                              "b.rootfs write 17825792+524288\n"
                                              "b.rootfs write 18350080+524288\n"
                                              "b.rootfs write 18874368+524288\n"
                                              "b.rootfs write 19398656+524288\n"
                                              "b.rootfs write 19922944+524288\n"
                                              "b.rootfs write 20447232+524288\n"
                                              "b.rootfs sync\n");
    assert_int_equal(s->bench->device.journal.next_chunk, 15);
}

static void the_journal_is_not_moved_when_the_sync_fails(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 7, CHUNKS);
    for (unsigned n = 1; n < 40; n++) {
        assert_ok(writer_sync(s->t.writer, &e)); // what the one before left behind
        unsigned before = s->medium->syncs;
        s->bench->seam.fail_at = s->bench->seam.calls + n;
        if (fill_chunks(&s->fill, s->t.differs, &e) != OK && strstr(e.msg, "sync") != NULL) {
            assert_int_equal(s->medium->syncs, before);
            assert_int_equal(s->bench->device.journal.next_chunk, 0);
            return;
        }
        s->bench->device.journal.next_chunk = 0;
    }
    fail_msg("expected a failing sync among the first 40 calls");
}

static void a_chunk_with_a_wrong_hash_never_reaches_the_medium(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 7, 9);
    s->bench->source.flip_off = (int64_t)(s->bench->image.header.payload_offset +
                                          chunk_table_get(s->t.image->table, 8, NULL).stored_off);
    assert_fails(ERR_FORMAT, "chunk 8: chunk: corrupt: its stored bytes do not match",
                 fill_chunks(&s->fill, s->t.differs, &e));
    for (size_t i = 8 * MIB; i < LEN; i++) {
        assert_int_equal(s->medium->touched[i], 0);
    }
}

static void the_first_chunk_is_tried_without_writing_and_not_fetched_twice(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 2, 3); // zeros: nothing to try
    assert_ok(fill_try_first(&s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->source.range_count, 0);
    want(s, 7, 9);
    assert_ok(fill_try_first(&s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->source.read_bytes, MIB);
    assert_int_equal(s->medium->writes + s->medium->zeroings + s->medium->syncs, 0);
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    expect_filled(s, 7 * MIB, 2 * MIB);
    assert_int_equal(s->bench->source.read_bytes, 2 * MIB);
    assert_int_equal(s->bench->source.range_count, 1);
}

static void a_bad_first_chunk_is_found_when_it_is_tried(void **state)
{
    struct stage *s = *state;
    struct error e;
    want(s, 0, 2);
    s->bench->source.flip_off = (int64_t)s->bench->image.header.payload_offset + 17;
    assert_fails(ERR_FORMAT, "chunk 0", fill_try_first(&s->fill, s->t.differs, &e));
}

// --- the resume mark, with chunks that share blocks ---

enum { FEW = 4096 };

// An empty slot b, and a journal that begins.
static void begin_anew(struct bench *b)
{
    static const struct release_id release = {.version = "2.0", .release_index = 2};
    struct error e;
    for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
        memset(b->slots[SLOT_B][p].data, 0xee, b->slots[SLOT_B][p].size_bytes);
    }
    bench_restart(b);
    b->device.journal = (struct journal){.slot = SLOT_NONE};
    journal_begin(&b->device.journal, SLOT_B, &release, 1, false);
    assert_ok(journal_save(b->device.state, &b->device.journal, &e));
    bench_restart(b);
    b->device.sync_bytes = FEW;
}

// False: the call was not reached, the filling ended.
static bool fill_until(struct bench *b, struct bench_target *t, unsigned call)
{
    struct error e;
    struct fill fill = bench_fill(b, t);
    for (uint32_t i = 0; i < chunk_table_count(t->image->table); i++) {
        chunk_set_add(t->differs, i);
    }
    b->seam.fail_at = b->seam.calls + call;
    b->seam.power_cut = true;
    return fill_chunks(&fill, t->differs, &e) != OK;
}

// A block with anything that was not synced is spoilt as a whole, as by a disk with such sectors.
static void tear(struct blk_mem *m)
{
    for (size_t off = 0; off < m->size_bytes; off += BLK_ALIGN) {
        size_t rest = m->size_bytes - off;
        size_t len = rest < BLK_ALIGN ? rest : BLK_ALIGN;
        if (memcmp(m->data + off, m->synced + off, len) != 0) {
            memset(m->data + off, 0xdd, len);
        }
    }
    memcpy(m->synced, m->data, m->size_bytes);
}

// Returns how many chunks the journal claims.
static uint32_t check_mark(struct bench *b, const struct bench_target *t,
                           const struct bench_content *c)
{
    const uint8_t *const wanted[] = {c->rootfs, c->boot};
    uint32_t mark = b->device.journal.next_chunk;
    for (uint32_t i = 0; i < mark; i++) {
        size_t part = slot_find(t->slot, i);
        uint64_t off;
        size_t len = chunk_table_get(t->image->table, i, &off).raw_len;
        for (size_t at = (size_t)off < HEAD_SIZE ? HEAD_SIZE : (size_t)off; at < off + len; at++) {
            if (b->slots[SLOT_B][part].data[at] != wanted[part][at]) {
                fail_msg("%u chunks are claimed, chunk %u differs at %zu", mark, i, at);
            }
        }
    }
    return mark;
}

static void a_mark_claims_no_chunk_in_a_block_that_is_written_again(void **state)
{
    static const uint32_t tiny_cuts[] = {701, 2100, 5, 1024, 333, 3000, 0};
    static const uint32_t *const cuts[] = {bench_odd_cuts, tiny_cuts, bench_even_cuts};
    (void)state;
    struct bench_content c = bench_content_make(1);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        struct bench *b = bench_content_serve(&c, cuts[i]);
        uint32_t mark = 0;
        uint32_t count = 1;
        bool reached = true;
        for (unsigned call = 1; reached; call++) {
            struct bench_target t;
            begin_anew(b);
            bench_open_target(b, &t);
            reached = fill_until(b, &t, call);
            tear(&b->slots[SLOT_B][0]);
            tear(&b->slots[SLOT_B][1]);
            bench_restart(b);
            mark = check_mark(b, &t, &c);
            count = chunk_table_count(t.image->table);
            bench_close_target(&t);
        }
        // Most of it is claimed in the end: all but what came behind the last sync but one.
        assert_true(mark >= count / 2 && mark < count);
        bench_free(b);
    }
    bench_content_free(&c);
}

static void a_sync_and_the_journal_come_as_often_as_the_device_says(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->bench->device.sync_bytes = 3 * MIB;
    want(s, 7, CHUNKS);
    s->bench->device.journal.step = STEP_INSTALLING;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->state.replaced, (CHUNKS - 7) / 3);
    assert_int_equal(s->bench->device.journal.next_chunk, 19);
}

static void a_chunk_that_is_written_again_is_not_claimed_meanwhile(void **state)
{
    struct stage *s = *state;
    struct error e;
    s->bench->device.journal.step = STEP_INSTALLING;
    s->bench->device.journal.next_chunk = 19;
    s->bench->seam.tracing = true;
    want(s, 9, 10);
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->device.journal.next_chunk, 9);
    const char *journal = strstr(s->bench->seam.trace, "journal installing");
    const char *write = strstr(s->bench->seam.trace, "b.rootfs write");
    assert_true(journal != NULL && write != NULL && journal < write);
    assert_null(strstr(journal + 1, "journal"));
}

// Chunk 6 repeats the fourth, which is not right in the target: it is still to be fetched when
// those behind it are written and synced.
static void a_chunk_that_could_not_be_copied_is_not_claimed(void **state)
{
    struct stage *s = *state;
    struct error e;
    struct chunk lost = chunk_table_get(s->t.image->table, 10, NULL);
    s->bench->device.sync_bytes = MIB;
    s->bench->device.journal.step = STEP_INSTALLING;
    s->bench->source.cut_off = s->bench->image.header.payload_offset + lost.stored_off;
    want(s, 5, 12);
    assert_fails(ERR_NETWORK, "chunk 10: ", fill_chunks(&s->fill, s->t.differs, &e));
    assert_int_equal(s->bench->device.journal.next_chunk, 6);
    s->bench->source.cut_off = UINT64_MAX;
    assert_ok(fill_chunks(&s->fill, s->t.differs, &e));
    expect_filled(s, 5 * MIB, 7 * MIB);
}

#define fill_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fill_test(zeros_are_zeroed_repetitions_copied_and_the_rest_fetched),
        fill_test(only_the_chunks_asked_for_are_touched),
        fill_test(a_repetition_is_copied_from_a_chunk_that_was_in_place),
        fill_test(a_repetition_whose_first_is_not_right_any_more_is_fetched),
        fill_test(after_every_eight_mib_comes_a_sync_and_then_the_journal),
        fill_test(the_journal_is_not_moved_when_the_sync_fails),
        fill_test(a_chunk_with_a_wrong_hash_never_reaches_the_medium),
        fill_test(the_first_chunk_is_tried_without_writing_and_not_fetched_twice),
        fill_test(a_bad_first_chunk_is_found_when_it_is_tried),
        fill_test(a_sync_and_the_journal_come_as_often_as_the_device_says),
        fill_test(a_chunk_that_is_written_again_is_not_claimed_meanwhile),
        fill_test(a_chunk_that_could_not_be_copied_is_not_claimed),
        cmocka_unit_test(a_mark_claims_no_chunk_in_a_block_that_is_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
