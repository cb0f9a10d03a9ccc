// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pipeline_bench.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

int line_make(void **state)
{
    static const uint32_t cuts[] = {LINE_CHUNK, 0};
    struct line *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->content = malloc(LINE_LEN);
    assert_non_null(s->content);
    fill_random(s->content, LINE_LEN, 1);
    memset(s->content + LINE_ZERO * LINE_CHUNK, 0, LINE_CHUNK);
    memcpy(s->content + LINE_REPEAT * LINE_CHUNK, s->content + 3 * LINE_CHUNK, LINE_CHUNK);
    s->bench = bench_new(LINE_LEN, 0);
    struct image_recipe r = bench_recipe("2.0", 2);
    r.codec = CODEC_RAW;
    r.cuts = cuts;
    image_recipe_add(&r, "rootfs", s->content, LINE_LEN);
    bench_serve(s->bench, &r);
    bench_open_target(s->bench, &s->t);
    side_server_init(&s->server, s->bench->image.bytes, s->bench->image.len);
    s->source = side_source_open(&s->server);
    s->payload = s->bench->image.header.payload_offset;
    s->payload_len = s->bench->image.header.payload_size;
    *state = s;
    return 0;
}

int line_clear(void **state)
{
    struct line *s = *state;
    pipeline_free(s->pipeline);
    source_close(s->source);
    assert_int_equal(s->server.closed, s->server.clones + 1);
    assert_int_equal(s->server.under_way, 0);
    bench_close_target(&s->t);
    bench_free(s->bench);
    free(s->content);
    free(s);
    return 0;
}

static void open_pipeline(struct line *s, const struct pipeline_options *options)
{
    struct error e;
    pipeline_free(s->pipeline);
    s->pipeline = NULL;
    assert_ok(pipeline_new(s->source, s->t.image, options, &s->pipeline, &e));
}

void line_open(struct line *s, unsigned workers, unsigned lanes)
{
    const struct pipeline_options options = {.workers = workers, .lanes = lanes};
    open_pipeline(s, &options);
}

void line_open_checking(struct line *s, unsigned workers, unsigned lanes)
{
    const struct pipeline_options options = {
        .workers = workers,
        .lanes = lanes,
        .slot = s->t.slot,
        .heads = s->t.heads,
    };
    open_pipeline(s, &options);
}

bool line_is_fetched(uint32_t index)
{
    return index != LINE_ZERO && index != LINE_REPEAT;
}

void line_begin(struct line *s)
{
    for (uint32_t i = 0; i < LINE_CHUNKS; i++) {
        if (i != LINE_ZERO) {
            pipeline_want(s->pipeline, i, line_is_fetched(i) ? PIECE_FETCHED : PIECE_TAKERS);
        }
    }
    pipeline_begin(s->pipeline, NULL, NULL);
}

// Chunks from `*index` on, until one fails.
enum err line_take_all(struct line *s, uint32_t *index, struct error *e)
{
    for (; *index < LINE_CHUNKS; (*index)++) {
        struct piece piece;
        if (*index == LINE_ZERO) {
            continue;
        }
        enum err err = pipeline_take(s->pipeline, *index, &piece, e);
        if (err != OK) {
            return err;
        }
        assert_int_equal((uintptr_t)piece.raw % BLK_ALIGN, 0);
        assert_int_equal(piece.made, line_is_fetched(*index));
        if (piece.made) {
            assert_memory_equal(piece.raw, s->content + (size_t)*index * LINE_CHUNK, LINE_CHUNK);
        } else {
            memset(piece.raw, 0xee, LINE_CHUNK); // it is the taker's
        }
    }
    return OK;
}

void line_run(struct line *s)
{
    struct error e;
    uint32_t index = 0;
    line_begin(s);
    assert_ok(line_take_all(s, &index, &e));
    pipeline_end(s->pipeline);
}

int64_t line_off(const struct line *s, uint32_t chunk)
{
    return (int64_t)(s->payload + chunk_table_get(s->t.image->table, chunk, NULL).stored_off);
}
