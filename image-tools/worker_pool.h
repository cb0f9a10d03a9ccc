// SPDX-License-Identifier: Apache-2.0
// Works on items on several threads; they come out in the order in which they went in.
//
//     worker_pool_room(), worker_pool_put()   an item, filled in and handed over
//     worker_pool_take()                      the oldest, as the work left it
//
// Invariants
// 1. The results do not depend on the number of threads, if those of the work depend on the item
//    only.
// 2. Memory is bounded: a worker per thread, and a ring of items.
// 3. One thread puts and takes. Between put and take an item belongs to one worker, else to that
//    thread.
#ifndef IMAGE_TOOLS_WORKER_POOL_H
#define IMAGE_TOOLS_WORKER_POOL_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

// A kind of work: image-tools/chunk_worker.h, image-tools/delta_worker.h. What goes in and what
// comes out stand in one struct, the item; what a thread needs for itself is its worker.
struct work {
    size_t item_size;
    // `plan` is what the pool was made with. Must outlive the pool.
    MUST_CHECK enum err (*new_worker)(const void *plan, void **ret, struct error *e);
    void (*free_worker)(void *worker); // does nothing with NULL
    MUST_CHECK enum err (*run)(void *worker, void *item, struct error *e);
};

struct worker_pool;

// `jobs` workers, 1..TOOL_JOBS_MAX.
MUST_CHECK enum err worker_pool_new(unsigned jobs, const struct work *work, const void *plan,
                                    struct worker_pool **ret, struct error *e);
// Waits for work that is under way.
void worker_pool_free(struct worker_pool *p);
DEFINE_CLEANUP(worker_pool, struct worker_pool *, worker_pool_free)

bool worker_pool_is_full(const struct worker_pool *p);
bool worker_pool_is_empty(const struct worker_pool *p);

// The item that the next put hands over; the pool must not be full. It holds what its last use
// left in it, at first zeros.
void *worker_pool_room(struct worker_pool *p);
void worker_pool_put(struct worker_pool *p);

// Waits for the oldest item, which comes with the error of its work; the pool must not be empty.
// `*ret` is good until the next call of worker_pool_room().
MUST_CHECK enum err worker_pool_take(struct worker_pool *p, const void **ret, struct error *e);

#endif
