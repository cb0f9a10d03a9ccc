// SPDX-License-Identifier: Apache-2.0
#include "updater/fetch.h"

#include <assert.h>

struct fetch_range fetch_range_at(const struct chunk_table *table, uint32_t index,
                                  const struct chunk_set *wanted, uint64_t max_len)
{
    struct chunk first = chunk_table_get(table, index, NULL);
    struct fetch_range range = {.index = index, .end = first.stored_off + first.stored_len};
    for (uint32_t i = index + 1; i < chunk_table_count(table); i++) {
        bool is_wanted = chunk_set_has(wanted, i);
        struct chunk c = chunk_table_get(table, i, NULL);
        if (!is_wanted && (c.codec == CODEC_ZERO || chunk_table_origin(table, i) != i)) {
            continue;
        }
        // Chunks with stored bytes of their own stand in the payload in the order of the table, so
        // that this one begins at the end or behind it, and those behind it further away. But not
        // if `index` repeats an earlier chunk: then the bytes behind are not those of the chunks
        // behind.
        if (c.stored_off < range.end || c.stored_off - range.end > FETCH_GAP_MAX ||
            c.stored_off + c.stored_len - first.stored_off > max_len) {
            break;
        }
        range.end = is_wanted ? c.stored_off + c.stored_len : range.end;
    }
    return range;
}

bool fetch_range_advance(struct fetch_range *range, const struct chunk_table *table,
                         const struct chunk_set *wanted)
{
    struct chunk c = chunk_table_get(table, range->index, NULL);
    if (c.stored_off + c.stored_len == range->end) {
        return false;
    }
    do {
        range->index++;
    } while (!chunk_set_has(wanted, range->index));
    return true;
}

enum err fetcher_begin(struct fetcher *f, const struct chunk_table *table,
                       const struct fetch_range *range, struct error *e)
{
    struct chunk c = chunk_table_get(table, range->index, NULL);
    f->pos = f->end = 0;
    enum err err =
        source_start(f->source, f->payload_off + c.stored_off, range->end - c.stored_off, e);
    if (err == OK) {
        f->pos = c.stored_off;
        f->end = range->end;
    }
    return err;
}

static enum err read_on(struct fetcher *f, uint8_t *buf, size_t len, struct error *e)
{
    enum err err = source_read(f->source, buf, len, e);
    if (err == OK) {
        f->pos += len;
    } else {
        f->pos = f->end = 0;
    }
    return err;
}

enum err fetcher_read(struct fetcher *f, const struct chunk *c, uint8_t *ret_stored,
                      struct error *e)
{
    assert(f->pos <= c->stored_off && c->stored_off + c->stored_len <= f->end);
    while (f->pos < c->stored_off) {
        // What is skipped goes where the chunk comes.
        uint64_t gap = c->stored_off - f->pos;
        enum err err = read_on(f, ret_stored, gap < c->stored_len ? (size_t)gap : c->stored_len, e);
        if (err != OK) {
            return err;
        }
    }
    return read_on(f, ret_stored, c->stored_len, e);
}

void fetcher_drop(struct fetcher *f)
{
    if (f->pos != f->end) {
        source_cancel(f->source);
        f->pos = f->end = 0;
    }
}
