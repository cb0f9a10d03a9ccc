// SPDX-License-Identifier: Apache-2.0
#include "image-tools/chunk_index.h"

#include "format/chunk_table.h"
#include "image-tools/cut_plan.h"

#include <string.h>

// Twice the most records, a power of two: chains stay short and one place is always free.
enum { PLACES = 2 * CUT_PLAN_RECORDS };

// Open addressing. A place holds a record's number plus one; 0 is free.
struct chunk_index {
    uint32_t places[PLACES];
};

enum err chunk_index_new(struct chunk_index **ret, struct error *e)
{
    struct chunk_index *x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return fail_memory(e);
    }
    *ret = x;
    return OK;
}

void chunk_index_free(struct chunk_index *x)
{
    free(x);
}

static const uint8_t *hash_of(const uint8_t *table, uint32_t record)
{
    return table + (size_t)record * CHUNK_RECORD_SIZE;
}

// The place of the hash, or the free one where it belongs. A cryptographic hash spreads by itself.
static size_t find_place(const struct chunk_index *x, const uint8_t *table,
                         const uint8_t raw_sha256[SHA256_SIZE])
{
    uint32_t start;
    memcpy(&start, raw_sha256, sizeof(start));
    size_t place = start % PLACES;
    while (x->places[place] != 0 &&
           memcmp(hash_of(table, x->places[place] - 1), raw_sha256, SHA256_SIZE) != 0) {
        place = (place + 1) % PLACES;
    }
    return place;
}

bool chunk_index_find(const struct chunk_index *x, const uint8_t *table,
                      const uint8_t raw_sha256[SHA256_SIZE], uint32_t *ret_record)
{
    uint32_t found = x->places[find_place(x, table, raw_sha256)];
    if (found == 0) {
        return false;
    }
    *ret_record = found - 1;
    return true;
}

void chunk_index_add(struct chunk_index *x, const uint8_t *table, uint32_t record)
{
    x->places[find_place(x, table, hash_of(table, record))] = record + 1;
}
