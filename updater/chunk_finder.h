// SPDX-License-Identifier: Apache-2.0
// Which chunk of an image has the raw hash of something that was found on the device.
//
// Invariants
// 1. Only chunks that brought stored bytes of their own are found: no zeros, no repetitions.
// 2. Memory: 4 bytes a chunk. A look-up compares log2(chunks) hashes, whatever they are.
#ifndef UPDATER_CHUNK_FINDER_H
#define UPDATER_CHUNK_FINDER_H

#include "base/cleanup.h"
#include "format/chunk_table.h"

struct chunk_finder;

// `table` outlives it.
MUST_CHECK enum err chunk_finder_new(const struct chunk_table *table, struct chunk_finder **ret,
                                     struct error *e);
void chunk_finder_free(struct chunk_finder *f);
DEFINE_CLEANUP(chunk_finder, struct chunk_finder *, chunk_finder_free)

// False: the image has no such chunk. Of several with one hash, the first.
MUST_CHECK bool chunk_finder_find(const struct chunk_finder *f,
                                  const uint8_t raw_sha256[SHA256_SIZE], uint32_t *ret_index);

#endif
