// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"
#include "updater/fill.h"
#include "updater/read_back.h"

#include <sched.h>

static struct blk_mem *medium_of(struct line *s)
{
    return &s->bench->slots[SLOT_B][0];
}

static bool checks_done(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    bool done = checks_are_done(p);
    pthread_mutex_unlock(&p->lock);
    return done;
}

static struct fill fill_with(struct line *s, unsigned workers)
{
    line_open_checking(s, workers, 4);
    struct fill f = bench_fill(s->bench, &s->t);
    f.pipeline = s->pipeline;
    chunk_set_clear(s->t.differs);
    for (uint32_t i = 0; i < LINE_CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
    bench_restart(s->bench);
    s->bench->device.journal.next_chunk = 0;
    return f;
}

static enum err step_7(struct line *s, struct fill *f, struct error *e)
{
    struct scan scan = bench_scan(s->bench, &s->t);
    scan.heads = s->t.heads;
    scan.skip = pipeline_verified(s->pipeline);
    return read_back(&scan, f, s->t.differs, e);
}

static void all_that_was_filled_was_read_back_when_it_ends(void **state)
{
    struct line *s = *state;
    struct error e;
    for (unsigned workers = 0; workers <= 4; workers++) {
        struct fill f = fill_with(s, workers);
        assert_ok(fill_chunks(&f, s->t.differs, &e));
        assert_int_equal(chunk_set_size(pipeline_verified(s->pipeline)), LINE_CHUNKS);
        unsigned calls = s->bench->seam.calls;
        assert_ok(step_7(s, &f, &e));
        assert_int_equal(s->bench->seam.calls, calls + 1); // a sync, and nothing to read
    }
}

static void what_was_hashed_has_a_fingerprint_to_be_read_back_with(void **state)
{
    struct line *s = *state;
    struct error e;
    struct fingerprint print;
    for (unsigned workers = 0; workers <= 2; workers++) {
        struct fill f = fill_with(s, workers);
        assert_ok(fill_chunks(&f, s->t.differs, &e));
        for (uint32_t i = 0; i < LINE_CHUNKS; i++) {
            assert_int_equal(fingerprints_find(s->pipeline->prints, i, &print), line_is_fetched(i));
        }
    }
}

// The print is of what was hashed, not of what was written: the taker may spoil it.
static void what_is_written_instead_of_what_was_hashed_is_found(void **state)
{
    struct line *s = *state;
    struct error e;
    struct piece piece;
    for (unsigned workers = 0; workers <= 2; workers++) {
        line_open_checking(s, workers, 4);
        pipeline_want(s->pipeline, 0, PIECE_FETCHED);
        pipeline_want(s->pipeline, 1, PIECE_FETCHED);
        pipeline_begin(s->pipeline, NULL, NULL);
        for (uint32_t i = 0; i < 2; i++) {
            assert_ok(pipeline_take(s->pipeline, i, &piece, &e));
            piece.raw[LINE_CHUNK - 1] ^= (uint8_t)i;
            assert_ok(writer_put(s->t.writer, 0, i * LINE_CHUNK, piece.raw, LINE_CHUNK, &e));
        }
        assert_ok(writer_sync(s->t.writer, &e));
        pipeline_synced(s->pipeline, 2);
        while (workers > 0 && !checks_done(s->pipeline)) {
            sched_yield();
        }
        pipeline_end(s->pipeline);
        assert_true(chunk_set_has(pipeline_verified(s->pipeline), 0));
        assert_false(chunk_set_has(pipeline_verified(s->pipeline), 1));
    }
}

static void a_long_queue_is_read_back_before_more_is_made(void **state)
{
    struct line *s = *state;
    line_open_checking(s, 2, 4);
    struct pipeline *p = s->pipeline;
    p->check_next = 3;
    for (uint32_t waiting = 0; waiting <= 1024; waiting++) {
        p->check_end = p->check_next + waiting;
        assert_int_equal(checks_are_behind(p), waiting > 512);
    }
    p->check_next = p->check_end = 0;
}

static void what_did_not_arrive_is_not_verified_and_brought_again(void **state)
{
    static const uint32_t chunks[] = {0, 1, 77, LINE_CHUNKS - 1};
    struct line *s = *state;
    struct error e;
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        struct fill f = fill_with(s, 2);
        medium_of(s)->spoil_off = (int64_t)chunks[i] * LINE_CHUNK + LINE_CHUNK / 2;
        medium_of(s)->spoil_times = 1;
        assert_ok(fill_chunks(&f, s->t.differs, &e));
        assert_int_equal(chunk_set_size(pipeline_verified(s->pipeline)), LINE_CHUNKS - 1);
        assert_false(chunk_set_has(pipeline_verified(s->pipeline), chunks[i]));
        assert_ok(step_7(s, &f, &e));
        assert_memory_equal(medium_of(s)->data + HEAD_SIZE, s->content + HEAD_SIZE,
                            LINE_LEN - HEAD_SIZE);
    }
}

static void what_cannot_be_read_is_not_verified_and_written_again(void **state)
{
    struct line *s = *state;
    struct error e;
    struct fill f = fill_with(s, 2);
    assert_ok(fill_chunks(&f, s->t.differs, &e));
    medium_of(s)->unreadable_off = 50 * LINE_CHUNK;
    chunk_set_clear(s->t.differs);
    chunk_set_add(s->t.differs, 7);
    assert_ok(fill_chunks(&f, s->t.differs, &e)); // what was verified before does not count
    assert_false(chunk_set_has(pipeline_verified(s->pipeline), 50));
    assert_true(chunk_set_has(pipeline_verified(s->pipeline), 7));
    assert_ok(step_7(s, &f, &e));
    assert_int_equal(medium_of(s)->unreadable_off, BLK_MEM_NOWHERE);
}

static void an_error_ends_the_reading_back(void **state)
{
    struct line *s = *state;
    struct error e;
    struct fill f = fill_with(s, 2);
    s->server.flip_off = line_off(s, LINE_CHUNKS - 1);
    assert_fails(ERR_FORMAT, "chunk 159: ", fill_chunks(&f, s->t.differs, &e));
    assert_false(chunk_set_has(pipeline_verified(s->pipeline), LINE_CHUNKS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(all_that_was_filled_was_read_back_when_it_ends),
        line_test(what_was_hashed_has_a_fingerprint_to_be_read_back_with),
        line_test(what_is_written_instead_of_what_was_hashed_is_found),
        line_test(a_long_queue_is_read_back_before_more_is_made),
        line_test(what_did_not_arrive_is_not_verified_and_brought_again),
        line_test(what_cannot_be_read_is_not_verified_and_written_again),
        line_test(an_error_ends_the_reading_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
