// SPDX-License-Identifier: Apache-2.0
// Makes the deltas of a list of chunks on several threads; they come out in the order of the list.
//
// Invariants
// 1. The results do not depend on the number of threads.
// 2. Memory is bounded, whatever the images: a worker per thread, and a ring of slots for what is
//    done before its turn.
#ifndef IMAGE_TOOLS_DELTA_POOL_H
#define IMAGE_TOOLS_DELTA_POOL_H

#include "image-tools/delta_worker.h"

struct delta_pool;

// `jobs` workers, 1..TOOL_JOBS_MAX. `chunks`: `count` records of the target's table, each with
// stored bytes of its own. List and images must outlive the pool.
MUST_CHECK enum err delta_pool_new(unsigned jobs, const struct delta_images *images,
                                   const uint32_t *chunks, uint32_t count, struct delta_pool **ret,
                                   struct error *e);
// Waits for work that is under way.
void delta_pool_free(struct delta_pool *p);
DEFINE_CLEANUP(delta_pool, struct delta_pool *, delta_pool_free)

// Waits for the next of the list, as delta_worker_run() returns it; to be called `count` times, or
// until it fails. `*ret_stored` is good until the next call.
MUST_CHECK enum err delta_pool_take(struct delta_pool *p, struct pack_record *ret,
                                    const uint8_t **ret_stored, struct error *e);

#endif
