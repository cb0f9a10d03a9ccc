// SPDX-License-Identifier: Apache-2.0
// What an image writes through a container_writer: its chunks in target order, what its partitions
// add up to, and at the end its manifest.
//
// Invariants
// 1. A chunk whose raw hash was written before repeats that record in all its bytes and stores
//    nothing; all other rules of format/chunk_table.h hold for what is written.
// 2. The output path is touched by image_writer_finish() only, and by it as a whole.
#ifndef IMAGE_TOOLS_IMAGE_WRITER_H
#define IMAGE_TOOLS_IMAGE_WRITER_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"
#include "format/header.h"
#include "format/manifest.h"

#include <stdint.h>

struct image_writer;

// What the image holds, for people.
struct image_totals {
    uint64_t raw_bytes;
    uint64_t payload_bytes;
    uint64_t file_bytes; // once finished
    uint32_t chunks;
    uint32_t zero_chunks;
    uint32_t repeated_chunks;
};

// `path` is where the image will stand.
MUST_CHECK enum err image_writer_new(const char *path, struct image_writer **ret, struct error *e);
void image_writer_free(struct image_writer *w);
DEFINE_CLEANUP(image_writer, struct image_writer *, image_writer_free)

// The next chunk of the current partition; c->stored_off is not looked at. ERR_IO when there are
// more chunks than a table can hold: inputs that were counted have changed since.
MUST_CHECK enum err image_writer_add(struct image_writer *w, const struct chunk *c,
                                     const uint8_t *stored, struct error *e);

// Ends the current partition. Sets image_size, first, count and sha256_list in `*ret`.
MUST_CHECK enum err image_writer_end_partition(struct image_writer *w, struct partition_info *ret,
                                               struct error *e);

// Sets m->body, then makes the file. The writer is used up, whatever happens.
MUST_CHECK enum err image_writer_finish(struct image_writer *w, struct manifest *m,
                                        uint32_t signature_area_size, struct image_totals *ret,
                                        struct error *e);

#endif
