// SPDX-License-Identifier: Apache-2.0
// Hashes and encodes one chunk, as an item of image-tools/worker_pool.h.
//
// Invariants
// 1. The result depends on codec, level and input only.
#ifndef IMAGE_TOOLS_CHUNK_WORKER_H
#define IMAGE_TOOLS_CHUNK_WORKER_H

#include "format/chunk_table.h"
#include "image-tools/worker_pool.h"

// The plan: codec and level as in encoder_new().
struct chunk_coding {
    enum codec codec;
    int level;
};

struct chunk_item {
    bool zeros;         // `raw` holds nothing
    struct chunk chunk; // of it raw_len goes in, all but stored_off comes out
    uint8_t raw[CHUNK_RAW_MAX];
    uint8_t stored[CHUNK_STORED_MAX];
};

extern const struct work chunk_work;

// 1..CHUNK_RAW_MAX bytes, which are copied. NULL stands for `len` zeros.
void chunk_item_fill(struct chunk_item *item, const uint8_t *raw, size_t len);

#endif
