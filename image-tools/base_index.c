// SPDX-License-Identifier: Apache-2.0
#include "image-tools/base_index.h"

#include "base/checked.h"
#include "format/codec.h"

#include <string.h>

enum { WINDOW_BLOCKS = DELTA_WINDOW_MAX / FEATURE_BLOCK };

struct base_index {
    const struct manifest *manifest;
    struct feature_index *features;
    // Partitions follow each other in one row of blocks, so that one number names a block of any.
    uint64_t first_block[MANIFEST_PARTITIONS_MAX + 1];
};

static enum err add_chunks(struct base_index *x, const struct image_contents *base,
                           struct image_reader *reader, struct progress *progress, struct error *e)
{
    const struct manifest *m = x->manifest;
    for (size_t p = 0; p < m->partition_count; p++) {
        for (uint32_t i = 0; i < m->partitions[p].count; i++) {
            uint32_t index = m->partitions[p].first + i;
            uint64_t off;
            const uint8_t *raw;
            struct chunk c = chunk_table_get(base->table, index, &off);
            // Zeros are like all zeros, and a repetition is like what it repeats.
            if (c.codec != CODEC_ZERO && chunk_table_origin(base->table, index) == index) {
                enum err err = image_reader_chunk(reader, index, &raw, e);
                if (err != OK) {
                    return err;
                }
                feature_index_add(x->features, raw, c.raw_len,
                                  x->first_block[p] * FEATURE_BLOCK + off);
            }
            progress_add(progress, c.raw_len);
        }
    }
    return OK;
}

enum err base_index_new(const struct image_file *file, const struct image_contents *base,
                        struct progress *progress, struct base_index **ret, struct error *e)
{
    CLEANUP(cleanup_base_index) struct base_index *x = calloc(1, sizeof(*x));
    CLEANUP(cleanup_image_reader) struct image_reader *reader = NULL;
    uint64_t total_bytes = 0;
    if (x == NULL) {
        return fail_memory(e);
    }
    x->manifest = base->manifest;
    for (size_t i = 0; i < x->manifest->partition_count; i++) {
        uint64_t size = x->manifest->partitions[i].image_size;
        total_bytes += size;
        x->first_block[i + 1] = x->first_block[i] + (size + FEATURE_BLOCK - 1) / FEATURE_BLOCK;
    }
    enum err err = feature_index_new(total_bytes, &x->features, e);
    if (err == OK) {
        err = image_reader_new(file, base, &reader, e);
    }
    if (err == OK) {
        progress_begin(progress, "read base", total_bytes);
        err = add_chunks(x, base, reader, progress, e);
        progress_end(progress);
    }
    if (err == OK) {
        *ret = TAKE_PTR(x);
    }
    return err;
}

void base_index_free(struct base_index *x)
{
    if (x == NULL) {
        return;
    }
    feature_index_free(x->features);
    free(x);
}

// The window of full length around the middle of [off, off + len), as far as the partition allows.
static struct base_window window_around(const struct base_index *x, size_t partition, uint64_t off,
                                        uint64_t len)
{
    uint64_t size = x->manifest->partitions[partition].image_size;
    uint64_t middle = off + len / 2;
    uint64_t begins = middle > DELTA_WINDOW_MAX / 2 ? middle - DELTA_WINDOW_MAX / 2 : 0;
    if (begins + DELTA_WINDOW_MAX > size) {
        // Up to the next block, so that the window reaches the end.
        begins = size > DELTA_WINDOW_MAX ? size - DELTA_WINDOW_MAX + FEATURE_BLOCK - 1 : 0;
    }
    begins = u64_align_down(begins, FEATURE_BLOCK);
    uint64_t left = size - begins;
    return (struct base_window){.partition = (uint32_t)partition,
                                .off = begins,
                                .len = left < DELTA_WINDOW_MAX ? (uint32_t)left : DELTA_WINDOW_MAX};
}

static size_t partition_of(const struct base_index *x, uint32_t block)
{
    size_t p = 0;
    while (block >= x->first_block[p + 1]) {
        p++;
    }
    return p;
}

// The run of blocks that lies in one partition and in one window and has the most entries. An entry
// of blocks[from..to) that is `taken` is in another window already.
static size_t best_run(const struct base_index *x, const struct feature_matches *m,
                       const struct base_window *taken, size_t *ret_from)
{
    size_t best = 0;
    size_t from = 0;
    for (size_t to = 0; to < m->block_count; to++) {
        size_t p = partition_of(x, m->blocks[to]);
        if (taken != NULL && taken->partition == p) {
            uint64_t off = (m->blocks[to] - x->first_block[p]) * FEATURE_BLOCK;
            if (off >= taken->off && off < taken->off + taken->len) {
                from = to + 1;
                continue;
            }
        }
        while (m->blocks[from] < x->first_block[p] ||
               m->blocks[to] - m->blocks[from] >= WINDOW_BLOCKS) {
            from++;
        }
        if (to + 1 - from > best) {
            best = to + 1 - from;
            *ret_from = from;
        }
    }
    return best;
}

static bool add_best_run(const struct base_index *x, const struct feature_matches *m,
                         const struct base_window *taken, struct base_window *ret,
                         size_t *ret_shared)
{
    size_t from = 0;
    size_t count = best_run(x, m, taken, &from);
    if (count == 0) {
        return false;
    }
    size_t p = partition_of(x, m->blocks[from]);
    uint64_t first = m->blocks[from];
    uint64_t last = m->blocks[from + count - 1];
    *ret = window_around(x, p, (first - x->first_block[p]) * FEATURE_BLOCK,
                         (last + 1 - first) * FEATURE_BLOCK);
    *ret_shared = count;
    return true;
}

// True if most of one window is in the other.
static bool much_the_same(const struct base_window *a, const struct base_window *b)
{
    uint64_t apart = a->off > b->off ? a->off - b->off : b->off - a->off;
    return a->partition == b->partition && apart <= DELTA_WINDOW_MAX / 4;
}

static bool same_place(const struct base_index *x, const struct base_query *q,
                       struct base_window *ret)
{
    for (size_t p = 0; p < x->manifest->partition_count; p++) {
        const struct partition_info *info = &x->manifest->partitions[p];
        if (strcmp(info->name, q->partition) == 0) {
            uint64_t off = q->off < info->image_size ? q->off : info->image_size - 1;
            *ret = window_around(x, p, off, q->len);
            return true;
        }
    }
    return false;
}

size_t base_index_find(const struct base_index *x, const struct base_query *q,
                       struct feature_matches *scratch, struct base_window ret[BASE_WINDOWS_MAX])
{
    size_t count = 0;
    size_t shared = 0;
    struct base_window place;
    feature_index_find(x->features, q->raw, q->len, scratch);
    if (add_best_run(x, scratch, NULL, &ret[0], &shared)) {
        count = 1;
        // Where a chunk is mostly the same as one place of the base, no other place is better.
        if (shared * 4 >= scratch->feature_count * 3) {
            return count;
        }
        if (add_best_run(x, scratch, &ret[0], &ret[1], &shared)) {
            count = 2;
        }
    }
    if (same_place(x, q, &place) && (count == 0 || !much_the_same(&place, &ret[0])) &&
        (count < 2 || !much_the_same(&place, &ret[1]))) {
        ret[count++] = place;
    }
    return count;
}
