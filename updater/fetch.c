// SPDX-License-Identifier: Apache-2.0
#include "updater/fetch.h"

#include <assert.h>

struct stored_place fetch_place(const struct fetch_map *map, uint32_t index)
{
    if (map->pack != NULL) {
        struct pack_record r = {0};
        bool found = pack_table_find(map->pack, index, &r);
        assert(found);
        return (struct stored_place){r.stored_off, found ? r.stored_len : 0};
    }
    struct chunk c = chunk_table_get(map->table, index, NULL);
    return (struct stored_place){c.stored_off, c.stored_len};
}

// The file has bytes of its own for the chunk. They stand in the payload in the order of the table.
static bool is_stored(const struct fetch_map *map, uint32_t index)
{
    struct pack_record ignored;
    if (map->pack != NULL) {
        return pack_table_find(map->pack, index, &ignored);
    }
    return chunk_table_get(map->table, index, NULL).codec != CODEC_ZERO &&
           chunk_table_origin(map->table, index) == index;
}

struct fetch_range fetch_range_at(const struct fetch_map *map, uint32_t index,
                                  const struct chunk_set *wanted, uint64_t max_len)
{
    struct stored_place first = fetch_place(map, index);
    struct fetch_range range = {.index = index, .end = first.off + first.len};
    for (uint32_t i = index + 1; i < chunk_table_count(map->table); i++) {
        bool is_wanted = chunk_set_has(wanted, i);
        if (!is_wanted && !is_stored(map, i)) {
            continue;
        }
        // This one begins at the end or behind it, and those behind it further away. But not if
        // `index` repeats an earlier chunk: then the bytes behind are not those of the chunks
        // behind.
        struct stored_place p = fetch_place(map, i);
        if (p.off < range.end || p.off - range.end > FETCH_GAP_MAX ||
            p.off + p.len - first.off > max_len) {
            break;
        }
        range.end = is_wanted ? p.off + p.len : range.end;
    }
    return range;
}

bool fetch_range_advance(struct fetch_range *range, const struct fetch_map *map,
                         const struct chunk_set *wanted)
{
    struct stored_place p = fetch_place(map, range->index);
    if (p.off + p.len == range->end) {
        return false;
    }
    do {
        range->index++;
    } while (!chunk_set_has(wanted, range->index));
    return true;
}

enum err fetcher_begin(struct fetcher *f, const struct fetch_range *range, struct error *e)
{
    uint64_t off = fetch_place(f->map, range->index).off;
    f->pos = f->end = 0;
    enum err err = source_start(f->source, f->map->payload_off + off, range->end - off, e);
    if (err == OK) {
        f->pos = off;
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

enum err fetcher_read(struct fetcher *f, uint32_t index, uint8_t *ret_stored, struct error *e)
{
    struct stored_place p = fetch_place(f->map, index);
    assert(f->pos <= p.off && p.off + p.len <= f->end);
    while (f->pos < p.off) {
        // What is skipped goes where the chunk comes.
        uint64_t gap = p.off - f->pos;
        enum err err = read_on(f, ret_stored, gap < p.len ? (size_t)gap : p.len, e);
        if (err != OK) {
            return err;
        }
    }
    return read_on(f, ret_stored, p.len, e);
}

void fetcher_drop(struct fetcher *f)
{
    if (f->pos != f->end) {
        source_cancel(f->source);
        f->pos = f->end = 0;
    }
}
