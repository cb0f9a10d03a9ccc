// SPDX-License-Identifier: Apache-2.0
// Step 2: what is to be done to make the target slot equal to an image.
//
// Invariants
// 1. Whether a chunk is in place is decided by its hash and by nothing else: no journal, no hint.
//    So an install that was cut short goes on where it was, even when every record of it is lost.
#ifndef UPDATER_PLAN_H
#define UPDATER_PLAN_H

#include "updater/chunk_set.h"
#include "updater/scan.h"

struct plan {
    struct chunk_set *differs;
    uint64_t fetch_bytes;      // stored bytes to fetch
    uint64_t reused_bytes;     // raw bytes that are in place
    uint64_t unreadable_bytes; // of the target as it is
};

void plan_free(struct plan *p);
DEFINE_CLEANUP(plan, struct plan *, plan_free)

MUST_CHECK enum err plan_make(const struct scan *scan, struct plan **ret, struct error *e);

// Whether the stored bytes of a chunk that differs must come from the source: it is neither zeros
// nor the repetition of an earlier chunk, which is in the target by the time it is needed.
bool plan_fetches(const struct chunk_set *differs, const struct chunk_table *table, uint32_t index);
// Their sum. Bytes that several chunks share count once.
uint64_t plan_fetch_bytes(const struct chunk_set *differs, const struct chunk_table *table);

#endif
