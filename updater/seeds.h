// SPDX-License-Identifier: Apache-2.0
// Seeds: where on the device stand chunks that an image needs and the target slot has not in place,
// so that they are copied instead of fetched. In the running slot, or elsewhere in the target.
//
// Invariants
// 1. A seed is a hint: it comes from a stored record of a slot (verified, but the slot may hold
//    something else by now) or from a search. Whoever uses it hashes what was read.
// 2. The running slot is opened for reading, and nothing here is ever written.
// 3. A place in the target is named only if nothing is written there before its chunk is: chunks
//    are filled in the order of the table.
// 4. Nothing changes after seeds_gather(): find and read may be called by several threads.
// 5. Memory: 8 bytes a chunk that differs, at most 512 KiB; while they are gathered 4 bytes a chunk
//    more. No record stands in memory.
#ifndef UPDATER_SEEDS_H
#define UPDATER_SEEDS_H

#include "base/cleanup.h"
#include "format/image.h"
#include "updater/chunk_set.h"
#include "updater/device.h"
#include "updater/seed_scan.h"
#include "updater/slot.h"

enum seed_slot { SEED_RUNNING, SEED_TARGET };

struct seed_place {
    enum seed_slot slot;
    size_t part; // position in the target slot's partitions; in the running slot that of its name
    uint64_t off;
};

struct seeds;

struct seed_search {
    struct device *device;
    const struct slot *target; // opened for `image`, which has its table
    const struct image *image;
    const struct chunk_set *differs;
    uint64_t blind_bytes;
};

// Step 2, before the record of the target is forgotten. Records are read, or, when the running slot
// has none that can be used, its partitions; only if some chunk would have to be fetched. What
// fails on the way costs seeds, and is said in the log. `search->target` outlives `*ret`.
MUST_CHECK enum err seeds_gather(const struct seed_search *search, struct seeds **ret,
                                 struct error *e);
void seeds_free(struct seeds *s);
DEFINE_CLEANUP(seeds, struct seeds *, seeds_free)

// Where chunk `index` of the image may stand. False: nowhere. `s` may be NULL: no seeds.
MUST_CHECK bool seeds_find(const struct seeds *s, uint32_t index, struct seed_place *ret);
// What the running slot holds by its record, as far as that is believed: the head of its image,
// without the table. NULL: not known.
const struct image *seeds_running_release(const struct seeds *s);
// The device of a partition of the running slot, by its name; NULL: it has none that can be read.
struct blk *seeds_running_blk(const struct seeds *s, const char *partition);
// Reads `len` bytes from there; unverified.
MUST_CHECK enum err seed_read(const struct seeds *s, const struct seed_place *place, void *buf,
                              size_t len, struct error *e);

#endif
