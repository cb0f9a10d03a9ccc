// SPDX-License-Identifier: Apache-2.0
#include "updater/chunk_finder.h"

#include <stdlib.h>
#include <string.h>

struct chunk_finder {
    const struct chunk_table *table;
    uint32_t count;
    uint32_t by_hash[]; // indices of chunks, in the order of their raw hashes
};

// A record begins with it.
static const uint8_t *raw_hash(const struct chunk_table *table, uint32_t index)
{
    return chunk_table_bytes(table) + (size_t)index * CHUNK_RECORD_SIZE;
}

static int compare(const void *a, const void *b, void *context)
{
    const struct chunk_finder *f = context;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    int order = memcmp(raw_hash(f->table, x), raw_hash(f->table, y), SHA256_SIZE);
    if (order != 0) {
        return order;
    }
    return x < y ? -1 : x > y;
}

static bool is_findable(const struct chunk_table *table, uint32_t index)
{
    return chunk_table_origin(table, index) == index &&
           chunk_table_get(table, index, NULL).codec != CODEC_ZERO;
}

enum err chunk_finder_new(const struct chunk_table *table, struct chunk_finder **ret,
                          struct error *e)
{
    uint32_t count = chunk_table_count(table);
    struct chunk_finder *f = calloc(1, sizeof *f + count * sizeof f->by_hash[0]);
    if (f == NULL) {
        return fail_memory(e);
    }
    f->table = table;
    for (uint32_t i = 0; i < count; i++) {
        if (is_findable(table, i)) {
            f->by_hash[f->count++] = i;
        }
    }
    qsort_r(f->by_hash, f->count, sizeof f->by_hash[0], compare, f);
    *ret = f;
    return OK;
}

void chunk_finder_free(struct chunk_finder *f)
{
    free(f);
}

bool chunk_finder_find(const struct chunk_finder *f, const uint8_t raw_sha256[SHA256_SIZE],
                       uint32_t *ret_index)
{
    uint32_t low = 0;
    uint32_t high = f->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(raw_hash(f->table, f->by_hash[middle]), raw_sha256, SHA256_SIZE) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == f->count ||
        memcmp(raw_hash(f->table, f->by_hash[low]), raw_sha256, SHA256_SIZE) != 0) {
        return false;
    }
    *ret_index = f->by_hash[low];
    return true;
}
