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
#include "format/pack_table.h"
#include "updater/chunk_set.h"
#include "updater/source.h"

enum {
    // Less than a request costs where connections are many. Of updates of a Debian system of 1 GiB
    // gaps of up to 64 KiB would be 5 to 13 % of what is fetched, these are 1 to 3 %.
    FETCH_GAP_MAX = 16 * 1024,
    // All that is asked for and not yet written, over all ranges under way.
    FETCH_IN_FLIGHT_MAX = 3 * 1024 * 1024,
};

// Where the stored bytes of an image's chunks stand in a file: its own payload, or that of a delta
// pack, which has some of them.
struct fetch_map {
    const struct chunk_table *table;
    const struct pack_table *pack; // NULL: it is the image
    uint64_t payload_off;          // of the payload in the file
};

struct stored_place {
    uint64_t off; // in the payload
    uint32_t len;
};
// Of a chunk that the file has.
struct stored_place fetch_place(const struct fetch_map *map, uint32_t index);

// What is left of a range.
struct fetch_range {
    uint32_t index; // the next wanted chunk of it
    uint64_t end;   // offset in the payload
};

// The one that begins with chunk `index`, which is wanted.
struct fetch_range fetch_range_at(const struct fetch_map *map, uint32_t index,
                                  const struct chunk_set *wanted, uint64_t max_len);
// To the next wanted chunk; false: that was the last one.
bool fetch_range_advance(struct fetch_range *range, const struct fetch_map *map,
                         const struct chunk_set *wanted);

// Reads ranges, one after another. No more of a range is asked for than is left of it.
struct fetcher {
    struct source *source;
    const struct fetch_map *map;
    uint64_t pos, end; // of the range under way, offsets in the payload; the same: none is
};

MUST_CHECK enum err fetcher_begin(struct fetcher *f, const struct fetch_range *range,
                                  struct error *e);
// The stored bytes of a chunk into `ret_stored`; skips what lies before them.
MUST_CHECK enum err fetcher_read(struct fetcher *f, uint32_t index, uint8_t *ret_stored,
                                 struct error *e);
// Gives up the range under way.
void fetcher_drop(struct fetcher *f);

#endif
