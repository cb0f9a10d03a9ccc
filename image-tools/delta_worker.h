// SPDX-License-Identifier: Apache-2.0
// The delta of one chunk, as an item of image-tools/worker_pool.h: finds windows of the base, codes
// the chunk against each, keeps the smallest, and decodes it again.
//
// Invariants
// 1. The result depends on the two images and the version of libzstd only.
// 2. Workers share index, files and contents.
#ifndef IMAGE_TOOLS_DELTA_WORKER_H
#define IMAGE_TOOLS_DELTA_WORKER_H

#include "format/pack_table.h"
#include "image-tools/base_index.h"
#include "image-tools/worker_pool.h"

// A delta that saves less is not worth a request of its own and a decoder's time.
enum { DELTA_SAVES_MIN = 64 };

// The plan: what all workers share. Everything here must outlive them.
struct delta_images {
    const struct image_file *base_file;
    const struct image_contents *base;
    const struct base_index *index; // of the base
    const struct image_file *target_file;
    const struct image_contents *target;
};

struct delta_item {
    // Of it chunk goes in: a record of the target's table with stored bytes of its own. All but
    // stored_off comes out; stored_len is 0 when no delta is worth it.
    struct pack_record record;
    uint8_t stored[CHUNK_STORED_MAX];
};

extern const struct work delta_work;

#endif
