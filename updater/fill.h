// SPDX-License-Identifier: Apache-2.0
// Step 6: every chunk that differs into the target slot, from the nearest place that has it:
// zeros from nowhere, a repeated chunk from where the target has it already, one that stands
// elsewhere on the device from there, the rest from the source.
//
// Invariants
// 1. Whatever the place, a chunk is hashed in the writer's buffer before it is committed.
// 2. After every device->sync_bytes written: sync, then the journal's next_chunk, in this order.
//    It never claims a chunk in a block that is written again, and is taken back before one is.
#ifndef UPDATER_FILL_H
#define UPDATER_FILL_H

#include "format/codec.h"
#include "updater/byte_budget.h"
#include "updater/device.h"
#include "updater/fetch.h"
#include "updater/write.h"

enum { FILL_SYNC = 8 * 1024 * 1024 };

struct fill {
    struct device *device; // its journal names the install that is under way
    const struct slot *slot;
    const struct chunk_table *table;
    struct fetcher *fetcher;
    struct decoder *decoder;
    struct writer *writer;
    const struct byte_budget *budget; // what was fetched stands in the journal with the mark
    const struct seeds *seeds; // NULL: there are none
    uint64_t copied_bytes;     // that did not come from the source
};

// Chunks of `differs` in target order; written and synced at the end.
MUST_CHECK enum err fill_chunks(struct fill *f, const struct chunk_set *differs, struct error *e);

// Fetches and verifies the first chunk that will come from the source, and writes nothing: shows
// that payload, network and decoder work before anything is changed. The chunk is not fetched
// twice. Uses the writer's buffer.
MUST_CHECK enum err fill_try_first(struct fill *f, const struct chunk_set *differs,
                                   struct error *e);

#endif
