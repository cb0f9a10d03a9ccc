// SPDX-License-Identifier: Apache-2.0
// A fixed piece of memory that is handed out in stretches and taken back in the same order.
//
// Invariants
// 1. A stretch begins at a multiple of RING_ALIGN, which fits direct I/O, and is in one piece.
// 2. Into an empty ring goes whatever is no longer than it.
#ifndef UPDATER_RING_H
#define UPDATER_RING_H

#include "base/blk.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { RING_ALIGN = BLK_ALIGN };

// The fields are for ring.c.
struct ring {
    uint8_t *bytes;
    size_t size;
    size_t begin, end; // of what is handed out; the same: nothing is, or all
    size_t stretches;
};

// `size` is rounded up to RING_ALIGN.
MUST_CHECK enum err ring_init(struct ring *r, size_t size, struct error *e);
void ring_clear(struct ring *r);

// Whether there is room for `len` (> 0) bytes now.
bool ring_has_room(const struct ring *r, size_t len);
// NULL: there is none.
uint8_t *ring_take(struct ring *r, size_t len);
// `stretch` is the one that was taken before all others that are out, `len` bytes long.
void ring_give_back(struct ring *r, const uint8_t *stretch, size_t len);

#endif
