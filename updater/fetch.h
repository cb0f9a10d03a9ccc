// SPDX-License-Identifier: Apache-2.0
// The stored bytes of chunks, from the source, in few long ranges.
//
// Invariants
// 1. A range begins at a chunk that is wanted, goes on over wanted chunks and over gaps of at most
//    FETCH_GAP_MAX bytes between them, and is FETCH_RANGE_MAX bytes long at most.
// 2. No byte is asked for twice while chunks are taken in order.
// 3. Memory: one buffer of CHUNK_STORED_MAX bytes. What it holds is unverified.
#ifndef UPDATER_FETCH_H
#define UPDATER_FETCH_H

#include "base/cleanup.h"
#include "format/image.h"
#include "updater/chunk_set.h"
#include "updater/seeds.h"
#include "updater/source.h"

enum {
    FETCH_GAP_MAX = 64 * 1024,
    FETCH_RANGE_MAX = 3 * 1024 * 1024,
};

struct fetcher;

// `source`, `image` (with its table) and `seeds` (NULL: there are none) outlive it. What is among
// the seeds is not fetched ahead; it may still be asked for.
MUST_CHECK enum err fetcher_new(struct source *source, const struct image *image,
                                const struct seeds *seeds, struct fetcher **ret, struct error *e);
void fetcher_free(struct fetcher *f);
DEFINE_CLEANUP(fetcher, struct fetcher *, fetcher_free)

// The stored bytes of chunk `index` (not of a zero chunk); valid until the next call. The last one
// is kept: asking for it again fetches nothing. `differs`: which chunks will be asked for after it.
MUST_CHECK enum err fetcher_get(struct fetcher *f, uint32_t index, const struct chunk_set *differs,
                                const uint8_t **ret_stored, struct error *e);

// Where the range that begins with chunk `index` ends; offset in the payload.
uint64_t fetch_range_end(const struct chunk_table *table, uint32_t index,
                         const struct chunk_set *differs, const struct seeds *seeds);

#endif
