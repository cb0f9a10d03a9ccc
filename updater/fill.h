// SPDX-License-Identifier: Apache-2.0
// Step 6: every chunk that differs into the target slot, from the nearest place that has it:
// zeros from nowhere, a repeated chunk from where the target has it already, one that stands
// elsewhere on the device from there, what a delta pack brings from it, the rest from the source.
//
// Invariants
// 1. Whatever the place, what is written was hashed where it is written from.
// 2. After every device->sync_bytes written: sync, then the journal's next_chunk, in this order.
//    It never claims a chunk in a block that is written again, and is taken back before one is.
// 3. All is written in target order, by one thread, whatever works ahead of it. Chunks whose copies
//    turn out to be none are filled after all others, from the source.
#ifndef UPDATER_FILL_H
#define UPDATER_FILL_H

#include "updater/byte_budget.h"
#include "updater/device.h"
#include "updater/pipeline.h"
#include "updater/write.h"

enum { FILL_SYNC = 8 * 1024 * 1024 };

struct fill {
    struct device *device; // its journal names the install that is under way
    const struct slot *slot;
    const struct chunk_table *table;
    struct pipeline *pipeline;
    struct writer *writer;
    const struct seeds *seeds;        // NULL: there are none
    const struct deltas *deltas;      // NULL: there is no pack
    uint64_t copied_bytes;            // that did not come from the source
    const struct byte_budget *budget; // what was fetched stands in the journal with the mark
};

// Chunks of `differs` in target order; written and synced at the end.
MUST_CHECK enum err fill_chunks(struct fill *f, const struct chunk_set *differs, struct error *e);

// Fetches and verifies the first chunk that will come from the source, and writes nothing: shows
// that payload, network and decoder work before anything is changed. The chunk is not fetched
// twice: fill_chunks() with the same chunks comes next.
MUST_CHECK enum err fill_try_first(struct fill *f, const struct chunk_set *differs,
                                   struct error *e);

#endif
