// SPDX-License-Identifier: Apache-2.0
// Reads a whole slot and hashes every chunk of it against the chunk table. The plan, the read-back
// and the check before a slot is activated are this one scan.
//
// Invariants
// 1. The slot is synced first, so that what is hashed stands on the medium and not in a cache.
// 2. Memory is the buffer of the caller; nothing is kept per chunk but a bit.
#ifndef UPDATER_SCAN_H
#define UPDATER_SCAN_H

#include "base/hash.h"
#include "base/progress.h"
#include "format/chunk_table.h"
#include "updater/chunk_set.h"
#include "updater/heads.h"
#include "updater/slot.h"

enum { SCAN_BUF_SIZE = 1024 * 1024 };

struct scan {
    const struct slot *slot;
    const struct chunk_table *table;
    struct hasher *hasher;
    struct progress *progress;
    const char *step;          // the name the progress gets
    const struct heads *heads; // count instead of what the medium has there; or NULL
    uint8_t *buf;              // BLK_ALIGN-aligned, SCAN_BUF_SIZE bytes
};

// `ret_differs` (made for the table) becomes the set of chunks that differ; one that cannot be read
// differs: writing it anew may mend it, and if not, that fails with the reason.
// `*ret_unreadable` (may be NULL) counts the bytes that could not be read.
MUST_CHECK enum err scan_slot(const struct scan *s, struct chunk_set *ret_differs,
                              uint64_t *ret_unreadable, struct error *e);

#endif
