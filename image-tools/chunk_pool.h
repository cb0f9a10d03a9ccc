// SPDX-License-Identifier: Apache-2.0
// Hashes and encodes chunks on several threads; what comes out is in the order of what went in.
//
// Invariants
// 1. The results depend on codec, level and input only, never on the number of threads.
// 2. Memory is bounded: a ring of slots, each with room for one raw and one stored chunk.
// 3. One thread puts and takes. A slot is worked on by one worker, between put and take.
#ifndef IMAGE_TOOLS_CHUNK_POOL_H
#define IMAGE_TOOLS_CHUNK_POOL_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_pool;

// `jobs` workers, 1..TOOL_JOBS_MAX. Codec and level as in encoder_new().
MUST_CHECK enum err chunk_pool_new(unsigned jobs, enum codec codec, int level,
                                   struct chunk_pool **ret, struct error *e);
// Waits for work that is under way.
void chunk_pool_free(struct chunk_pool *p);
DEFINE_CLEANUP(chunk_pool, struct chunk_pool *, chunk_pool_free)

bool chunk_pool_is_full(const struct chunk_pool *p);
bool chunk_pool_is_empty(const struct chunk_pool *p);

// Copies 1..CHUNK_RAW_MAX bytes into a free slot; the pool must not be full. NULL stands for `len`
// zeros.
void chunk_pool_put(struct chunk_pool *p, const uint8_t *raw, size_t len);

// Waits for the oldest chunk; the pool must not be empty. All of `*ret` but stored_off is set;
// `*ret_stored` is valid until the next call on the pool.
MUST_CHECK enum err chunk_pool_take(struct chunk_pool *p, struct chunk *ret,
                                    const uint8_t **ret_stored, struct error *e);

#endif
