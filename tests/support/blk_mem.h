// SPDX-License-Identifier: Apache-2.0
// A block device in memory: counts, traces, fails to order, forgets unsynced writes at a power cut.
// It outlives the handles that are opened on it.
#ifndef TESTS_SUPPORT_BLK_MEM_H
#define TESTS_SUPPORT_BLK_MEM_H

#include "base/blk_file.h"
#include "tests/support/seam_sim.h"

enum { BLK_MEM_NOWHERE = -1 };

// What becomes of unsynced sectors at a power cut.
enum blk_mem_fate {
    BLK_MEM_LOSE,
    BLK_MEM_KEEP,
    BLK_MEM_MIX, // each by itself: lost, kept, or garbage
};

struct blk_mem {
    char path[32];
    struct seam_sim *seam;
    uint64_t size_bytes;
    uint8_t *data;    // what a read gives
    uint8_t *synced;  // what is on the medium for good
    uint8_t *touched; // per byte: written or zeroed since blk_mem_reset()
    bool in_use;      // cannot be opened for writing
    unsigned opens, writes, zeroings, syncs;
    uint64_t written_bytes;
    uint64_t largest_write;
    // The byte at this offset is stored wrongly, this many times.
    int64_t spoil_off;
    unsigned spoil_times;
    // Reading over this offset fails until it is written.
    _Atomic int64_t unreadable_off;
};

// `path` is unique among all; `seam` outlives it.
void blk_mem_init(struct blk_mem *m, const char *path, uint64_t size_bytes, struct seam_sim *seam);
void blk_mem_free(struct blk_mem *m);
// Counters to zero, nothing touched, all synced.
void blk_mem_reset(struct blk_mem *m);
void blk_mem_cut(struct blk_mem *m, enum blk_mem_fate fate, uint64_t seed);

// Fits `open_blk` of struct device: the device with that path. A write through a handle that was
// opened for reading fails the test.
MUST_CHECK enum err blk_mem_open(const char *path, enum blk_mode mode, struct blk **ret,
                                 struct error *e);

#endif
