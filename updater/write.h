// SPDX-License-Identifier: Apache-2.0
// Step 6, the writing end: verified chunks into the target slot.
//
// Invariants
// 1. Only bytes that were put reach the medium, and no byte that is not part of a chunk but the
//    zeros behind the end of an image, up to the end of its last block and never past the slot.
// 2. The head of a partition (heads.h) never reaches the medium here.
// 3. Neighbouring chunks are written together: whole blocks at BLK_ALIGN-aligned offsets from
//    aligned memory, WRITE_MAX bytes at most. What lies before the first or behind the last whole
//    block of a run is written by itself, because the rest of its block belongs to a chunk that is
//    in place.
// 4. Memory: WRITE_MAX bytes and a block, and nothing per chunk.
// 5. Which writes and syncs there are, and their order, follows from the calls alone.
#ifndef UPDATER_WRITE_H
#define UPDATER_WRITE_H

#include "base/cleanup.h"
#include "updater/heads.h"
#include "updater/slot.h"

enum { WRITE_MAX = 512 * 1024 };

struct writer;

// `slot` and `heads` outlive it.
MUST_CHECK enum err writer_new(const struct slot *slot, struct heads *heads, struct writer **ret,
                               struct error *e);
void writer_free(struct writer *w);
DEFINE_CLEANUP(writer, struct writer *, writer_free)

// `len` bytes at offset `off` of a partition, which were hashed and are right. They are copied: the
// buffer is the caller's again.
MUST_CHECK enum err writer_put(struct writer *w, size_t part, uint64_t off, const uint8_t *data,
                               size_t len, struct error *e);

MUST_CHECK enum err writer_zero(struct writer *w, size_t part, uint64_t off, uint64_t len,
                                struct error *e);

// What stands at `off` of a partition, put or held back or on the medium. It is for the caller to
// hash it before it is put anywhere.
MUST_CHECK enum err writer_read(struct writer *w, size_t part, uint64_t off, uint8_t *ret,
                                size_t len, struct error *e);

// Writes out all that was put, and syncs what was written to.
MUST_CHECK enum err writer_sync(struct writer *w, struct error *e);

// Bytes written so far, zero ranges not counted, and how many of them (and of those that wait)
// came since the last sync.
uint64_t writer_written(const struct writer *w);
uint64_t writer_unsynced(const struct writer *w);

#endif
