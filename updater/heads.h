// SPDX-License-Identifier: Apache-2.0
// The first 4096 bytes of every partition of a slot, held back in memory while the rest is written,
// so that a half-written slot has no superblock and cannot boot, whatever the environment says.
//
// Invariants
// 1. Bytes get in only after the chunk they are part of was hashed in memory.
// 2. Behind the end of a shorter image stand zeros.
// 3. Whatever a cut leaves of heads_zero() or heads_write(), in whatever order sectors of 512 reach
//    the medium: a partition with a superblock has all of its head, but for the first sector where
//    the superblock stands at 1024.
#ifndef UPDATER_HEADS_H
#define UPDATER_HEADS_H

#include "base/cleanup.h"
#include "base/hash.h"
#include "format/chunk_table.h"
#include "updater/chunk_set.h"
#include "updater/slot.h"

enum { HEAD_SIZE = BLK_ALIGN };

struct heads {
    uint8_t *bytes; // HEAD_SIZE a partition, BLK_ALIGN-aligned
    size_t count;   // partitions
};

// All zeros.
MUST_CHECK enum err heads_new(const struct slot *s, struct heads **ret, struct error *e);
void heads_free(struct heads *h);
DEFINE_CLEANUP(heads, struct heads *, heads_free)

// Takes what of [off, off + len) lies in the head of a partition, and says how many bytes that was.
// heads_put_zeros() is the same for a zero chunk.
size_t heads_put(struct heads *h, size_t part, uint64_t off, const uint8_t *data, size_t len);
size_t heads_put_zeros(struct heads *h, size_t part, uint64_t off, size_t len);

// Puts what is held over the bytes that were read from [off, off + len) of the medium.
void heads_overlay(const struct heads *h, size_t part, uint64_t off, uint8_t *data, size_t len);

// Takes the heads whose chunks are in place already, so that they need not be fetched: reads each
// such chunk into `buf` (CHUNK_RAW_MAX bytes) and hashes it. One that no longer matches is added
// to `differs`.
MUST_CHECK enum err heads_take_present(struct heads *h, const struct slot *s,
                                       const struct chunk_table *table, struct hasher *hasher,
                                       uint8_t *buf, struct chunk_set *differs, struct error *e);

// Step 5: the head of every partition becomes zeros on the medium, the superblocks first; synced.
MUST_CHECK enum err heads_zero(const struct slot *s, struct error *e);
// Step 8: every head to the medium, the superblocks last; synced and read back before the next of
// them makes something of it that can be mounted. ERR_IO names slot and partition.
MUST_CHECK enum err heads_write(const struct heads *h, const struct slot *s, struct error *e);
// Whether a head, `len` bytes of it, has anything where a superblock can stand.
bool head_has_superblock(const uint8_t *head, size_t len);
// How many bytes the heads of a slot have.
uint64_t heads_bytes(const struct slot *s);

#endif
