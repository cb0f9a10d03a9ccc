// SPDX-License-Identifier: Apache-2.0
// Copies of a device's media at moments that may be cut later.
#ifndef TESTS_SIM_RECORDER_H
#define TESTS_SIM_RECORDER_H

#include "tests/sim/world.h"

struct moment {
    uint32_t number; // from 1, of those that came to pass while it was recorded
    int step;
    bool changed;
    struct media media;
};

enum { RECORDER_WANTED = 2 };

struct recorder {
    struct world *world;
    uint32_t seen;
    size_t count, room;
    struct moment **moments;
    // Which: all that changed something or began a step, or some that were chosen beforehand,
    // counted from the first one or from the one that saw a call fail.
    bool all, from_failure;
    uint32_t base;
    uint32_t wanted[RECORDER_WANTED]; // ascending, from 1
};

// What was recorded before is forgotten.
void recorder_begin(struct recorder *r, struct world *w);
void recorder_end(const struct recorder *r);
// The room of all moments ever recorded is kept until then.
void recorder_free(struct recorder *r);

// Two moments within `within` of each other, and of the beginning.
void recorder_choose(struct recorder *r, uint64_t seed, uint32_t within, bool from_failure);
// NULL: none was recorded with this number.
const struct moment *recorder_find(const struct recorder *r, uint32_t number);

#endif
