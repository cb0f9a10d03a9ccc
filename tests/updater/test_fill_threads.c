// SPDX-License-Identifier: Apache-2.0
// updater/fill.c with the pipeline's threads: what is written does not depend on them.
#include "updater/fill.h"

#include "tests/support/expect.h"
#include "tests/support/pipeline_bench.h"

#include <stdlib.h>
#include <string.h>

static struct fill fill_of(struct line *s)
{
    struct fill f = bench_fill(s->bench, &s->t);
    f.pipeline = s->pipeline;
    return f;
}

static void want_all(struct line *s)
{
    for (uint32_t i = 0; i < LINE_CHUNKS; i++) {
        chunk_set_add(s->t.differs, i);
    }
}

// From an empty slot, with the slot's changes noted.
static void fill_anew(struct line *s, unsigned workers, unsigned lanes)
{
    struct blk_mem *medium = &s->bench->slots[SLOT_B][0];
    struct error e;
    line_open(s, workers, lanes);
    struct fill f = fill_of(s);
    memset(medium->data, 0xee, LINE_LEN);
    bench_restart(s->bench);
    s->bench->seam.tracing = true;
    s->bench->device.sync_bytes = 1024 * 1024;
    s->bench->device.journal.step = STEP_INSTALLING;
    s->bench->device.journal.next_chunk = 0;
    assert_ok(fill_chunks(&f, s->t.differs, &e));
    assert_memory_equal(medium->data + HEAD_SIZE, s->content + HEAD_SIZE, LINE_LEN - HEAD_SIZE);
}

static void writes_syncs_and_marks_are_the_same_with_any_number_of_threads(void **state)
{
    static const unsigned numbers[][2] = {{1, 1}, {1, 6}, {2, 1}, {2, 4}, {4, 4}, {8, 6}};
    struct line *s = *state;
    want_all(s);
    fill_anew(s, 0, 1);
    char *expected = strdup(s->bench->seam.trace);
    assert_non_null(expected);
    assert_true(strlen(expected) < SEAM_TRACE_MAX - 1); // all of it
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fill_anew(s, numbers[i][0], numbers[i][1]);
        assert_string_equal(s->bench->seam.trace, expected);
    }
    free(expected);
}

static void nothing_behind_a_bad_chunk_is_written(void **state)
{
    struct line *s = *state;
    struct blk_mem *medium = &s->bench->slots[SLOT_B][0];
    struct error e;
    want_all(s);
    s->server.flip_off = line_off(s, 100);
    line_open(s, 2, 4);
    struct fill f = fill_of(s);
    bench_restart(s->bench);
    assert_fails(ERR_FORMAT, "chunk 100: ", fill_chunks(&f, s->t.differs, &e));
    for (size_t i = (size_t)100 * LINE_CHUNK; i < LINE_LEN; i++) {
        assert_int_equal(medium->touched[i], 0);
    }
}

static void a_write_that_fails_ends_what_works_ahead_of_it(void **state)
{
    struct line *s = *state;
    struct error e;
    want_all(s);
    s->server.silent_off = line_off(s, 60);
    line_open(s, 2, 4);
    struct fill f = fill_of(s);
    bench_restart(s->bench);
    s->bench->seam.fail_at = 3;
    assert_fails(ERR_IO, "simulated failure", fill_chunks(&f, s->t.differs, &e));
    assert_false(pipeline_has_begun(s->pipeline));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        line_test(writes_syncs_and_marks_are_the_same_with_any_number_of_threads),
        line_test(nothing_behind_a_bad_chunk_is_written),
        line_test(a_write_that_fails_ends_what_works_ahead_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
