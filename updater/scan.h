// SPDX-License-Identifier: Apache-2.0
// Reads a slot and hashes every chunk of it against the chunk table. The plan, the read-back and
// the check before a slot is activated are this one scan.
//
// Invariants
// 1. scan_slot() syncs first, so that what is hashed stands on the medium and not in a cache.
// 2. Memory is the buffer of the caller; nothing is kept per chunk but a bit.
// 3. Zeros are compared, which is the same as hashed and faster. So is a chunk of which the caller
//    has the fingerprint of bytes that he hashed himself.
#ifndef UPDATER_SCAN_H
#define UPDATER_SCAN_H

#include "base/fingerprint.h"
#include "base/hash.h"
#include "base/progress.h"
#include "format/chunk_table.h"
#include "updater/chunk_set.h"
#include "updater/heads.h"
#include "updater/slot.h"

enum { SCAN_BUF_SIZE = 1024 * 1024 };

// Of one chunk, when it was hashed.
struct scan_print {
    bool known;
    struct fingerprint print;
};

struct scan {
    const struct slot *slot;
    const struct chunk_table *table;
    struct hasher *hasher;
    struct progress *progress;
    const char *step;             // the name the progress gets
    const struct heads *heads;    // count instead of what the medium has there; or NULL
    const struct chunk_set *skip; // scan_slot() leaves these out: they do not differ; or NULL
    // For scan_chunks(): how each of those chunks has to look; or NULL.
    const struct scan_print *prints;
    struct fingerprinter *fingerprinter; // of their key
    uint8_t *buf;                        // BLK_ALIGN-aligned
    size_t buf_len;                      // a multiple of it; so much is read at once
};

// `ret_differs` (made for the table) becomes the set of chunks that differ; one that cannot be read
// differs: writing it anew may mend it, and if not, that fails with the reason.
// `*ret_unreadable` (may be NULL) counts the bytes that could not be read.
MUST_CHECK enum err scan_slot(const struct scan *s, struct chunk_set *ret_differs,
                              uint64_t *ret_unreadable, struct error *e);
// `count` (> 0) neighbouring chunks of one partition, as they are: nothing is synced. Those that
// differ are added to `differs`; `*ret_unreadable` may be NULL.
MUST_CHECK enum err scan_chunks(const struct scan *s, uint32_t first, uint32_t count,
                                struct chunk_set *differs, uint64_t *ret_unreadable,
                                struct error *e);

#endif
