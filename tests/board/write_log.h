// SPDX-License-Identifier: Apache-2.0
// What blklogwrites of QEMU wrote down: every write to a medium and every flush of its cache, in
// the order in which they were done.
//
// The format is that of Linux's dm-log-writes (drivers/md/dm-log-writes.c and log-writes.rst in
// Documentation/admin-guide/device-mapper), little endian, in sectors of the size that the first
// one names:
//
//     sector 0      u64 magic | u64 version 1 | u64 entries | u32 bytes of a sector
//     then, for     u64 sector | u64 sectors | u64 flags | u64 0, in a sector of its own,
//     each entry    and behind it what was written: nothing for a flush or a discard
//
// QEMU (block/blklogwrites.c) enters a request once it is done, and counts entries in sector 0 at a
// flush only: what stands behind the last flush is not counted. It sets no flag but flush and
// discard.
//
// Invariants
// 1. Every entry lies within the medium, and its data within the log.
// 2. A discard is refused: what it leaves is not known.
#ifndef TESTS_BOARD_WRITE_LOG_H
#define TESTS_BOARD_WRITE_LOG_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct log_entry {
    bool flush; // nothing is written then
    uint64_t off_bytes;
    uint64_t len_bytes;
    const uint8_t *data; // in the buffer that was parsed
};

struct write_log {
    uint64_t sector_bytes;
    size_t count;
    struct log_entry *entries;
};

// `bytes` outlives `*ret`, which ends with write_log_clear(). ERR_FORMAT names the entry.
MUST_CHECK enum err write_log_parse(const uint8_t *bytes, size_t len, uint64_t medium_bytes,
                                    struct write_log *ret, struct error *e);
void write_log_clear(struct write_log *log);

#endif
