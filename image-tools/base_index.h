// SPDX-License-Identifier: Apache-2.0
// Which stretches of the base are worth being the window of a chunk's delta.
//
// Invariants
// 1. A window lies within one partition of the base, begins at a multiple of 4096 and has at most
//    DELTA_WINDOW_MAX bytes.
// 2. The candidates depend on base and chunk only.
#ifndef IMAGE_TOOLS_BASE_INDEX_H
#define IMAGE_TOOLS_BASE_INDEX_H

#include "base/progress.h"
#include "image-tools/feature_index.h"
#include "image-tools/image_reader.h"

struct base_index;

// Reads all of the base once. `base` must outlive the index.
MUST_CHECK enum err base_index_new(const struct image_file *file, const struct image_contents *base,
                                   struct progress *progress, struct base_index **ret,
                                   struct error *e);
void base_index_free(struct base_index *x);
DEFINE_CLEANUP(base_index, struct base_index *, base_index_free)

struct base_window {
    uint32_t partition; // place in the base's list
    uint64_t off;
    uint32_t len;
};

// A chunk of the target: its bytes, the name of its partition, and its place there.
struct base_query {
    const uint8_t *raw;
    uint32_t len;
    const char *partition;
    uint64_t off;
};

enum { BASE_WINDOWS_MAX = 3 };

// The candidates, the most promising first: where most features are shared, and the same place of
// the partition with the same name. May be none. `scratch` is the caller's room for the search.
size_t base_index_find(const struct base_index *x, const struct base_query *q,
                       struct feature_matches *scratch, struct base_window ret[BASE_WINDOWS_MAX]);

#endif
