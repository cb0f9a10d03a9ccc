// SPDX-License-Identifier: Apache-2.0
// Step 6, the writing end: verified chunks into the target slot.
// A chunk is decoded and hashed at its place in the writer's buffer, and that buffer is written.
//
//     writer_reserve() -> the caller fills and hashes -> writer_commit()      (or reserves anew)
//
// Invariants
// 1. Only committed bytes reach the medium, and no byte that is not part of a committed chunk but
//    the zeros behind the end of an image, up to the end of its last block and never past the slot.
// 2. The head of a partition (heads.h) never reaches the medium here.
// 3. Neighbouring chunks are written together: whole blocks at BLK_ALIGN-aligned offsets from
//    aligned memory, WRITE_MAX bytes at most. What lies before the first or behind the last whole
//    block of a run is written by itself, because the rest of its block belongs to a chunk that is
//    in place.
// 4. Memory: WRITE_BUF_SIZE bytes, and nothing per chunk.
#ifndef UPDATER_WRITE_H
#define UPDATER_WRITE_H

#include "base/cleanup.h"
#include "updater/heads.h"
#include "updater/slot.h"

enum {
    WRITE_MAX = 1024 * 1024,
    WRITE_BUF_SIZE = 2 * 1024 * 1024 + 2 * BLK_ALIGN,
};

struct writer;

// `slot` and `heads` outlive it.
MUST_CHECK enum err writer_new(const struct slot *slot, struct heads *heads, struct writer **ret,
                               struct error *e);
void writer_free(struct writer *w);
DEFINE_CLEANUP(writer, struct writer *, writer_free)

// Its buffer, WRITE_BUF_SIZE bytes, aligned: free to use for as long as nothing is reserved or
// waits to be flushed.
uint8_t *writer_scratch(struct writer *w);

// Where to put `len` (1..CHUNK_RAW_MAX) bytes for offset `off` of a partition.
MUST_CHECK enum err writer_reserve(struct writer *w, size_t part, uint64_t off, size_t len,
                                   uint8_t **ret, struct error *e);
// The `len` bytes reserved last were hashed and are right.
MUST_CHECK enum err writer_commit(struct writer *w, size_t len, struct error *e);

MUST_CHECK enum err writer_zero(struct writer *w, size_t part, uint64_t off, uint64_t len,
                                struct error *e);

// As writer_reserve(), and fills the place with what stands at `from_off` of partition `from_part`,
// committed or held back or on the medium. The caller hashes it before writer_commit().
MUST_CHECK enum err writer_reserve_copy(struct writer *w, size_t from_part, uint64_t from_off,
                                        size_t part, uint64_t off, size_t len, uint8_t **ret,
                                        struct error *e);

// Writes out all that was committed, and syncs what was written to.
MUST_CHECK enum err writer_sync(struct writer *w, struct error *e);

// Bytes written so far, zero ranges not counted, and how many of them (and of those that wait)
// came since the last sync.
uint64_t writer_written(const struct writer *w);
uint64_t writer_unsynced(const struct writer *w);

#endif
