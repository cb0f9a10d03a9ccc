// SPDX-License-Identifier: Apache-2.0
// What a delta pack writes through a container_writer of kind FILE_PACK: its records, in the order
// of the target's chunks, and at the end its manifest.
//
// Invariants
// 1. What is written keeps the rules of format/pack_table.h, given records in rising order.
#ifndef IMAGE_TOOLS_PACK_WRITER_H
#define IMAGE_TOOLS_PACK_WRITER_H

#include "format/pack_table.h"
#include "image-tools/container_writer.h"

// r->stored_off is not looked at. At most TABLE_RECORDS_MAX records.
MUST_CHECK enum err pack_writer_add(struct container_writer *w, const struct pack_record *r,
                                    const uint8_t *stored, struct error *e);

// Sets m->body, then makes the file. The writer is used up, whatever happens.
MUST_CHECK enum err pack_writer_finish(struct container_writer *w, struct pack_manifest *m,
                                       uint32_t signature_area_size, uint64_t *ret_file_bytes,
                                       struct error *e);

#endif
