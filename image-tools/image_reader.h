// SPDX-License-Identifier: Apache-2.0
// The raw bytes of an image that is only there as a .vvi: decodes chunks as they are asked for.
//
// Invariants
// 1. Every byte it gives belongs to a chunk whose stored and raw hash held.
// 2. Memory is one stored and one raw chunk, whatever the image; the chunk decoded last is kept.
// 3. A reader belongs to one thread at a time; any number of them may share a file.
#ifndef IMAGE_TOOLS_IMAGE_READER_H
#define IMAGE_TOOLS_IMAGE_READER_H

#include "image-tools/image_file.h"

struct image_reader;

// `f` and `c`, its contents, must outlive the reader.
MUST_CHECK enum err image_reader_new(const struct image_file *f, const struct image_contents *c,
                                     struct image_reader **ret, struct error *e);
void image_reader_free(struct image_reader *r);
DEFINE_CLEANUP(image_reader, struct image_reader *, image_reader_free)

// The raw bytes of a chunk, good until the next call. ERR_FORMAT names file and record.
MUST_CHECK enum err image_reader_chunk(struct image_reader *r, uint32_t index,
                                       const uint8_t **ret_raw, struct error *e);

// Bytes [off, off + len) of a partition, which has them.
MUST_CHECK enum err image_reader_read(struct image_reader *r, size_t partition, uint64_t off,
                                      size_t len, uint8_t *ret_bytes, struct error *e);

#endif
