// SPDX-License-Identifier: Apache-2.0
// Reads every stored byte of an image and decodes every chunk: does the payload hold what the
// chunk table says?
//
// Invariants
// 1. With a table that chunk_table_parse() accepted, every byte of the payload belongs to exactly
//    one record that is not a repetition, so that all of them are read and hashed once.
// 2. A chunk is decoded only after its stored hash held.
// 3. Which chunk an error names does not depend on the number of jobs: the first bad one.
#ifndef IMAGE_TOOLS_PAYLOAD_CHECK_H
#define IMAGE_TOOLS_PAYLOAD_CHECK_H

#include "base/progress.h"
#include "format/chunk_table.h"
#include "image-tools/image_file.h"

// `jobs` threads, this one included. ERR_FORMAT names the chunk.
MUST_CHECK enum err payload_check(const struct image_file *f, const struct chunk_table *table,
                                  unsigned jobs, struct progress *progress, struct error *e);

#endif
