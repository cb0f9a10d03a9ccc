// SPDX-License-Identifier: Apache-2.0
// The stored bytes of chunks, from a source, in few long ranges.
//
// Invariants
// 1. A range begins at a chunk that is wanted, goes on over wanted chunks and over gaps of at most
//    FETCH_GAP_MAX bytes between them, and is as long as asked for at most, or one chunk.
// 2. No byte is asked for twice while the chunks of a range are read in order.
// 3. What is read is unverified.
#ifndef UPDATER_FETCH_H
#define UPDATER_FETCH_H

#include "format/chunk_table.h"
#include "updater/chunk_set.h"
#include "updater/source.h"

enum {
    FETCH_GAP_MAX = 64 * 1024,
    // All that is asked for and not yet written, over all ranges under way.
    FETCH_IN_FLIGHT_MAX = 3 * 1024 * 1024,
};

// What is left of a range; offsets in the payload.
struct fetch_range {
    uint32_t index; // the next wanted chunk of it
    uint64_t end;
};

// The one that begins with chunk `index`, which is wanted.
struct fetch_range fetch_range_at(const struct chunk_table *table, uint32_t index,
                                  const struct chunk_set *wanted, uint64_t max_len);
// To the next wanted chunk; false: that was the last one.
bool fetch_range_advance(struct fetch_range *range, const struct chunk_table *table,
                         const struct chunk_set *wanted);

// Reads ranges, one after another. No more of a range is asked for than is left of it.
struct fetcher {
    struct source *source;
    uint64_t payload_off; // of the payload in the file
    uint64_t pos, end;    // of the range under way, offsets in the payload; the same: none is
};

MUST_CHECK enum err fetcher_begin(struct fetcher *f, const struct chunk_table *table,
                                  const struct fetch_range *range, struct error *e);
// The stored bytes of a chunk into `ret_stored`, c->stored_len bytes; skips what lies before it.
MUST_CHECK enum err fetcher_read(struct fetcher *f, const struct chunk *c, uint8_t *ret_stored,
                                 struct error *e);
// Gives up the range under way.
void fetcher_drop(struct fetcher *f);

#endif
