// SPDX-License-Identifier: Apache-2.0
// Releases that differ by bytes and move by bytes, in images whose chunks begin and end anywhere,
// and the delta packs beside one of them.
//
//     factory   nothing that any of the others has but SIM_MOVED
//     1         a content of its own: the base of the packs
//     moved     the factory's, with bytes inserted; its image is cut by content, so that a search
//               of a slot without a record finds some of it
//     patched   that of 1 with a byte changed here and there, which a delta tells in little; one of
//               its chunks is its own, two stand elsewhere in 1, one is repeated, two are zeros
#ifndef TESTS_SIM_SIM_KIT_BYTES_H
#define TESTS_SIM_SIM_KIT_BYTES_H

#include "tests/sim/sim_kit.h"

enum { SIM_MOVED = 2, SIM_PATCHED = 3 };

struct sim_kit *sim_kit_make_bytes(void);

#endif
