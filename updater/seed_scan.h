// SPDX-License-Identifier: Apache-2.0
// Looks for chunks of an image in a partition that nothing is known about: cuts it by the rule that
// the image names for this partition, and hashes what comes out.
//
// Invariants
// 1. What is found was hashed from the medium, whole.
// 2. The search ends at the end of the partition, or `blind_bytes` behind the last chunk that the
//    image has (or the start), whether it still differs in the target or not. Zeros are not looked
//    at; between the first such chunk and the place where the image would end they do not count:
//    a file system has long empty ranges inside, and so may have what lies behind it.
// 3. The progress gets the whole partition: what is not read counts when the search ends.
#ifndef UPDATER_SEED_SCAN_H
#define UPDATER_SEED_SCAN_H

#include "base/blk.h"
#include "base/hash.h"
#include "base/progress.h"
#include "format/cutter.h"
#include "updater/chunk_finder.h"

enum {
    // The longest chunk, and what is read at once. Less would be moved to and fro more often.
    SEED_SCAN_BUF_SIZE = CHUNK_RAW_MAX + 256 * 1024 + 2 * BLK_ALIGN,
    SEED_BLIND_BYTES = 64 * 1024 * 1024,
};

struct seed_scan {
    struct blk *blk;
    const struct partition_info *info; // of the image: rule and size
    const struct chunk_finder *finder; // for its chunks
    struct hasher *hasher;
    struct progress *progress;
    uint64_t blind_bytes;
    uint8_t *buf; // BLK_ALIGN-aligned, SEED_SCAN_BUF_SIZE bytes
    void (*found)(void *context, uint32_t index, uint64_t off);
    void *context;
};

// How many bytes the progress will get: 0 when the rule is not known, and nothing is looked at.
uint64_t seed_scan_bytes(const struct blk *blk, const struct partition_info *info);
// What cannot be read ends the search: ERR_IO. What was found before stays found.
MUST_CHECK enum err seed_scan(const struct seed_scan *s, struct error *e);

#endif
