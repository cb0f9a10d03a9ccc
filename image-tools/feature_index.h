// SPDX-License-Identifier: Apache-2.0
// Where in an old image is something like these bytes?
//
// A rolling hash over 64 bytes picks places out of the content itself, so that the same content
// gives the same places however it is shifted: by blocks in a file system image, by single bytes in
// a compressed one. The hash at such a place is a feature; the index keeps where it was seen.
//
// Invariants
// 1. Memory is bounded, whatever the image: places are picked more rarely in a large one.
// 2. What is found depends on what was added, and in which order, and on nothing else.
// 3. Once filled, any number of threads may search it.
#ifndef IMAGE_TOOLS_FEATURE_INDEX_H
#define IMAGE_TOOLS_FEATURE_INDEX_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FEATURE_BLOCK = 4096,
    FEATURE_PLACES = 4, // of one feature that are kept: the first ones
    FEATURE_APART = 64, // bytes from one feature to the next, at least
    FEATURES_MAX = CHUNK_RAW_MAX / FEATURE_APART,
};

struct feature_index;

// For an image of about `total_bytes`.
MUST_CHECK enum err feature_index_new(uint64_t total_bytes, struct feature_index **ret,
                                      struct error *e);
void feature_index_free(struct feature_index *x);
DEFINE_CLEANUP(feature_index, struct feature_index *, feature_index_free)

// Up to CHUNK_RAW_MAX bytes that begin `off` bytes from the start of the image.
void feature_index_add(struct feature_index *x, const uint8_t *data, size_t len, uint64_t off);

// Room for one search.
struct feature_matches {
    uint32_t features[FEATURES_MAX];
    uint32_t blocks[FEATURES_MAX * FEATURE_PLACES]; // FEATURE_BLOCK bytes each; rising
    size_t feature_count;                           // different ones in the data
    size_t block_count;
};

// The blocks that share a feature with up to CHUNK_RAW_MAX bytes of data. A block stands there
// once for each feature it shares.
void feature_index_find(const struct feature_index *x, const uint8_t *data, size_t len,
                        struct feature_matches *ret);

#endif
