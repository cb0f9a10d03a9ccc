// SPDX-License-Identifier: Apache-2.0
#include "updater/fetch.h"

#include "updater/plan.h"

struct fetcher {
    struct source *source;
    const struct chunk_table *table;
    const struct seeds *seeds;
    uint64_t payload_off; // of the payload in the file
    // The range under way, offsets in the payload; pos == end: none is.
    uint64_t pos, end;
    uint8_t *buf;
    bool holds; // buf holds the stored bytes at held_off
    uint64_t held_off;
};

enum err fetcher_new(struct source *source, const struct image *image, const struct seeds *seeds,
                     struct fetcher **ret, struct error *e)
{
    CLEANUP(cleanup_fetcher) struct fetcher *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return fail_memory(e);
    }
    f->source = source;
    f->table = image->table;
    f->seeds = seeds;
    f->payload_off = image->header.payload_offset;
    f->buf = malloc(CHUNK_STORED_MAX);
    if (f->buf == NULL) {
        return fail_memory(e);
    }
    *ret = TAKE_PTR(f);
    return OK;
}

void fetcher_free(struct fetcher *f)
{
    if (f != NULL) {
        free(f->buf);
        free(f);
    }
}

uint64_t fetch_range_end(const struct chunk_table *table, uint32_t index,
                         const struct chunk_set *differs, const struct seeds *seeds)
{
    struct chunk first = chunk_table_get(table, index, NULL);
    uint64_t end = first.stored_off + first.stored_len;
    for (uint32_t i = index + 1; i < chunk_table_count(table); i++) {
        struct chunk c = chunk_table_get(table, i, NULL);
        if (c.codec == CODEC_ZERO || chunk_table_origin(table, i) != i) {
            continue;
        }
        // Chunks with stored bytes of their own stand in the payload in the order of the table, so
        // that this one begins at `end` or behind it, and those behind it further away. But not if
        // `index` repeats an earlier chunk: then the bytes behind are not those of the chunks
        // behind.
        if (c.stored_off < end || c.stored_off - end > FETCH_GAP_MAX ||
            c.stored_off + c.stored_len - first.stored_off > FETCH_RANGE_MAX) {
            break;
        }
        if (plan_fetches(differs, seeds, table, i)) {
            end = c.stored_off + c.stored_len;
        }
    }
    return end;
}

static bool in_range(const struct fetcher *f, const struct chunk *c)
{
    return c->stored_off >= f->pos && c->stored_off - f->pos <= FETCH_GAP_MAX &&
           c->stored_off + c->stored_len <= f->end;
}

static enum err begin_range(struct fetcher *f, const struct chunk *c, uint64_t end, struct error *e)
{
    f->pos = f->end = 0;
    enum err err = source_start(f->source, f->payload_off + c->stored_off, end - c->stored_off, e);
    if (err == OK) {
        f->pos = c->stored_off;
        f->end = end;
    }
    return err;
}

// The gap and the chunk pass through the same buffer, which holds a gap too.
static enum err read_on(struct fetcher *f, size_t len, struct error *e)
{
    enum err err = source_read(f->source, f->buf, len, e);
    if (err == OK) {
        f->pos += len;
    } else {
        f->pos = f->end = 0;
    }
    return err;
}

enum err fetcher_get(struct fetcher *f, uint32_t index, const struct chunk_set *differs,
                     const uint8_t **ret_stored, struct error *e)
{
    struct chunk c = chunk_table_get(f->table, index, NULL);
    if (f->holds && f->held_off == c.stored_off) {
        *ret_stored = f->buf;
        return OK;
    }
    f->holds = false;
    enum err err = OK;
    if (!in_range(f, &c)) {
        err = begin_range(f, &c, fetch_range_end(f->table, index, differs, f->seeds), e);
    }
    if (err == OK && c.stored_off > f->pos) {
        err = read_on(f, (size_t)(c.stored_off - f->pos), e);
    }
    if (err == OK) {
        err = read_on(f, c.stored_len, e);
    }
    if (err != OK) {
        return err;
    }
    f->holds = true;
    f->held_off = c.stored_off;
    *ret_stored = f->buf;
    return OK;
}
