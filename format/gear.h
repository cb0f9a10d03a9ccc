// SPDX-License-Identifier: Apache-2.0
// The rolling hash of the byte rule: each byte adds a random number of its own and moves those of
// the bytes before one bit up, so that a byte is forgotten after 64 more.
//
// Not cryptographic: whoever can choose content to steer the cuts can also choose the content.
// docs/image-format.md, "Cutting", fixes every constant.
//
// Invariants
// 1. The hash depends on the last GEAR_WINDOW bytes and on nothing before them.
// 2. Behind GEAR_WINDOW equal bytes it is 2^54 or more, whichever byte it is, so that runs of one
//    byte are not cut by it.
#ifndef FORMAT_GEAR_H
#define FORMAT_GEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GEAR_WINDOW = 64 };

extern const uint64_t gear_table[256];

// The hash behind GEAR_WINDOW bytes.
uint64_t gear_hash(const uint8_t *data);
// Takes up to `len` bytes into the hash `*h`, and ends with true behind the first one with which it
// is less than `below`: `*ret` of them were taken, 1..len. Otherwise all of them were.
bool gear_find(uint64_t *h, const uint8_t *data, size_t len, uint64_t below, size_t *ret);

#endif
