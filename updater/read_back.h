// SPDX-License-Identifier: Apache-2.0
// Step 7: everything that was written is read back from the medium and hashed; what did not arrive
// is brought again.
//
// Invariants
// 1. OK means that the last look at the medium found every byte of the slot right (with the heads
//    that are still held back in memory).
#ifndef UPDATER_READ_BACK_H
#define UPDATER_READ_BACK_H

#include "updater/fill.h"
#include "updater/scan.h"

enum { READ_BACK_ROUNDS = 3 };

// Reads, fills bad chunks again, reads: at most READ_BACK_ROUNDS times. Then ERR_IO names the slot,
// partition and offset of the first chunk that is still bad. `differs` is overwritten.
MUST_CHECK enum err read_back(const struct scan *scan, struct fill *fill, struct chunk_set *differs,
                              struct error *e);

#endif
