// SPDX-License-Identifier: Apache-2.0
// Finds the chunk record that already carries some content: raw hash -> record number.
//
// Invariants
// 1. Memory is bounded by the most records a table can have, however large the image.
// 2. It keeps numbers only and compares the hashes in the caller's table, so the table must not
//    lose records that were added here.
#ifndef IMAGE_TOOLS_CHUNK_INDEX_H
#define IMAGE_TOOLS_CHUNK_INDEX_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"

#include <stdint.h>

struct chunk_index;

MUST_CHECK enum err chunk_index_new(struct chunk_index **ret, struct error *e);
void chunk_index_free(struct chunk_index *x);
DEFINE_CLEANUP(chunk_index, struct chunk_index *, chunk_index_free)

// The record whose raw hash is `raw_sha256`; false when none was added. `table`: chunk records as
// they stand in an image.
MUST_CHECK bool chunk_index_find(const struct chunk_index *x, const uint8_t *table,
                                 const uint8_t raw_sha256[SHA256_SIZE], uint32_t *ret_record);
// `record` is less than CUT_PLAN_RECORDS, stands in `table`, and its hash is not yet here.
void chunk_index_add(struct chunk_index *x, const uint8_t *table, uint32_t record);

#endif
