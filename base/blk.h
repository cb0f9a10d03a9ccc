// SPDX-License-Identifier: Apache-2.0
// The block-device seam: every byte of a slot is read and written through this table, so that a
// simulated device can stand in for a disk, a loop device or a plain file.
//
// Invariants
// 1. Offsets and lengths are bytes; any offset and length inside the device are allowed. What is
//    aligned to 4096 (buffer, offset and length), and on a device what is aligned to its sectors,
//    takes the direct path where the medium has one: no byte beside it is written then.
// 2. Nothing past size_bytes is ever read or written: such a call is ERR_INTERNAL, not a short one.
// 3. A call that returned OK did all of its work; short reads and writes are continued inside.
// 4. After sync() returned OK, all earlier writes are on the medium, and later reads come from the
//    medium and not from memory.
#ifndef BASE_BLK_H
#define BASE_BLK_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { BLK_ALIGN = 4096 };

struct blk;

struct blk_ops {
    MUST_CHECK enum err (*pread)(struct blk *b, void *buf, size_t len, uint64_t off_bytes,
                                 struct error *e);
    MUST_CHECK enum err (*pwrite)(struct blk *b, const void *buf, size_t len, uint64_t off_bytes,
                                  struct error *e);
    // Reads as zeros afterwards; without writing data blocks where the medium can do that.
    MUST_CHECK enum err (*zero_range)(struct blk *b, uint64_t off_bytes, uint64_t len_bytes,
                                      struct error *e);
    MUST_CHECK enum err (*sync)(struct blk *b, struct error *e);
    void (*close)(struct blk *b); // after it `b` is gone; loses nothing that was synced
};

struct blk {
    const struct blk_ops *ops;
    uint64_t size_bytes;
    uint32_t sector_bytes; // the smallest unit the medium writes as a whole: 512 or 4096
    const char *name;      // for messages; lives as long as the device
};

MUST_CHECK enum err blk_pread(struct blk *b, void *buf, size_t len, uint64_t off_bytes,
                              struct error *e);
MUST_CHECK enum err blk_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off_bytes,
                               struct error *e);
MUST_CHECK enum err blk_zero_range(struct blk *b, uint64_t off_bytes, uint64_t len_bytes,
                                   struct error *e);
MUST_CHECK enum err blk_sync(struct blk *b, struct error *e);
void blk_close(struct blk *b);

#endif
