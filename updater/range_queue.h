// SPDX-License-Identifier: Apache-2.0
// Which ranges are still to be fetched, for several who fetch side by side.
//
// Invariants
// 1. Every wanted chunk is in exactly one range: taken, given back, or not cut yet.
// 2. The range that is handed out is the earliest of those that are nobody's, so that what is
//    written next never waits for what is written later.
#ifndef UPDATER_RANGE_QUEUE_H
#define UPDATER_RANGE_QUEUE_H

#include "updater/fetch.h"

enum { RANGES_GIVEN_BACK_MAX = 8 };

struct range_queue {
    const struct fetch_map *map;
    const struct chunk_set *wanted;
    uint64_t max_len;
    uint32_t next; // no wanted chunk before it is still to be cut
    size_t given_back_count;
    struct fetch_range given_back[RANGES_GIVEN_BACK_MAX]; // in order
};

// `map` and `wanted` outlive it and do not change.
struct range_queue range_queue_begin(const struct fetch_map *map, const struct chunk_set *wanted,
                                     uint64_t max_len);
// False: none is left now.
bool range_queue_take(struct range_queue *q, struct fetch_range *ret);
// What is left of a range; at most RANGES_GIVEN_BACK_MAX are in it at a time.
void range_queue_give_back(struct range_queue *q, const struct fetch_range *range);
// Whether one was given back that comes before chunk `index`.
bool range_queue_has_before(const struct range_queue *q, uint32_t index);

#endif
