// SPDX-License-Identifier: Apache-2.0
// Step 2: what is to be done to make the target slot equal to an image.
//
// Invariants
// 1. That a chunk is in place is decided by its hash and by nothing else: no journal, no hint.
//    So an install that was cut short goes on where it was, even when every record of it is lost.
// 2. A slot of which no sample has the hash it should have is taken to have nothing in place,
//    unless an install of this image is known to have begun (`look_at_all`). Samples are
//    PLAN_SAMPLE_GAP bytes apart at most: an install that wrote more than that is found again
//    without any record.
#ifndef UPDATER_PLAN_H
#define UPDATER_PLAN_H

#include "updater/chunk_set.h"
#include "updater/deltas.h"
#include "updater/scan.h"
#include "updater/seeds.h"

struct plan {
    struct chunk_set *differs;
    struct seeds *seeds;       // NULL until plan_add_seeds()
    struct deltas *deltas;     // NULL: there is no pack
    uint64_t fetch_bytes;      // stored bytes to fetch, of the image and the pack
    uint64_t copy_bytes;       // raw bytes the device has elsewhere
    uint64_t zero_bytes;       // raw bytes of zeros
    uint64_t write_bytes;      // raw bytes to write: all that differ but the zeros
    uint64_t reused_bytes;     // raw bytes that are in place
    uint64_t unreadable_bytes; // of the target as it is
};

void plan_free(struct plan *p);
DEFINE_CLEANUP(plan, struct plan *, plan_free)

enum {
    PLAN_SAMPLES = 64, // at least; an image with few times as many chunks is looked at as a whole
    PLAN_SAMPLE_GAP = 16 * 1024 * 1024,
};

MUST_CHECK enum err plan_make(const struct scan *scan, bool look_at_all, struct plan **ret,
                              struct error *e);
// What the device has elsewhere is not fetched. Takes ownership of `seeds`.
void plan_add_seeds(struct plan *p, const struct chunk_table *table, struct seeds *seeds);
// What the pack has is fetched from it. Takes ownership of `deltas`; after the seeds, which it is
// based on.
void plan_add_deltas(struct plan *p, const struct chunk_table *table, struct deltas *deltas);

// Whether the stored bytes of a chunk that differs must come from the source: it is neither zeros
// nor the repetition of an earlier chunk, which is in the target by the time it is needed, nor does
// one of the seeds (NULL: there are none) have it.
bool plan_fetches(const struct chunk_set *differs, const struct seeds *seeds,
                  const struct chunk_table *table, uint32_t index);
// Their sum. Bytes that several chunks share count once.
uint64_t plan_fetch_bytes(const struct chunk_set *differs, const struct seeds *seeds,
                          const struct deltas *deltas, const struct chunk_table *table);

#endif
