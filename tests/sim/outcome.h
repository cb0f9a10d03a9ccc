// SPDX-License-Identifier: Apache-2.0
// What may become of everything that is pending at a moment: the outcomes of a cut there, numbered.
//
//   [0, damage)      each piece old, new or garbage: all combinations of old and new if there are
//                    10 pieces or fewer, and then, as of more pieces, 200 seeded ones with earlier
//                    versions and garbage; or simply all, if those are no more
//   [damage, count)  a seeded one, and with it the environment or records of the state directory
//                    are damaged or gone
#ifndef TESTS_SIM_OUTCOME_H
#define TESTS_SIM_OUTCOME_H

#include "tests/sim/world.h"

struct outcomes {
    uint32_t damage, count;
    size_t pieces;
    size_t parts[SIM_DISKS + 1]; // pieces of each disk, in the order of struct media, and of the fs
    struct sim_piece piece[SIM_PIECES_MAX];
    uint32_t all;     // combinations, when they are all tried; else 0
    uint32_t subsets; // of old and new, before the seeded ones
};

void outcomes_find(const struct media *m, struct outcomes *ret);
// Whether outcome `index` of them is that both copies of the environment are lost beside the cut.
bool outcome_loses_environment(const struct outcomes *o, uint32_t index);
// The power goes away: outcome number `index` of `o`, which is that of `w->m`.
void outcome_apply(struct world *w, const struct outcomes *o, uint32_t index, uint64_t seed);

#endif
