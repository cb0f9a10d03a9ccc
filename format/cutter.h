// SPDX-License-Identifier: Apache-2.0
// Where a partition is cut into chunks; rule, constants and check values: docs/image-format.md,
// "Cutting".
// "block": content-defined cuts on 4 KiB boundaries, so that a file that grew moves no cut behind
// it by more than one chunk. "byte": content-defined cuts anywhere, for content that moves by bytes
// when something before it grows. "fixed": every `average` bytes.
//
// Invariants
// 1. Cuts depend on rule, average and content only, never on how the input was split into buffers.
// 2. Every chunk is 1..CHUNK_RAW_MAX bytes; block cuts lie on multiples of 4096 from the start of
//    the partition, its end excepted.
// 3. A long run of zero blocks is a chunk (or several) of its own, on multiples of 4096 also where
//    other cuts are not, so that a device can discard or zero it as a range. Not so with "fixed".
#ifndef FORMAT_CUTTER_H
#define FORMAT_CUTTER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum cut_rule { CUT_BLOCK, CUT_FIXED, CUT_BYTE };

struct cutter {
    enum cut_rule rule;
    uint32_t average; // bytes: a power of two, 4096..CHUNK_RAW_MAX
};

// "block", "byte" or "fixed"; false for any other.
MUST_CHECK bool cut_rule_from_name(const char *name, enum cut_rule *ret);
// ERR_USAGE when `average` is not allowed.
MUST_CHECK enum err cutter_init(struct cutter *c, enum cut_rule rule, uint64_t average,
                                struct error *e);
// The length of the chunk that begins at data[0], which is byte `at` of the partition. `len` > 0 is
// what is left of the partition or at least CHUNK_RAW_MAX + 4096 of it.
size_t cutter_next(const struct cutter *c, uint64_t at, const uint8_t *data, size_t len);
// "block:65536", the form the manifest names; `buf` of at least NAME_MAX_LEN + 1 bytes.
const char *cutter_name(const struct cutter *c, char *buf, size_t len);
// The cutter of that name and no other; false when there is none. An image may name a rule that
// this program does not know: it can be read all the same.
MUST_CHECK bool cutter_from_name(const char *name, struct cutter *ret);

#endif
