// SPDX-License-Identifier: Apache-2.0
// Lays out a delta pack: records come in the order of the target's chunks, the head is known at the
// end. Like image-tools/image_writer.h, with the payload in a nameless file until then.
//
// Invariants
// 1. What is written keeps the rules of format/pack_table.h, given records in rising order.
// 2. The output path is touched by pack_writer_finish() only, and by it as a whole.
#ifndef IMAGE_TOOLS_PACK_WRITER_H
#define IMAGE_TOOLS_PACK_WRITER_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/pack_table.h"

#include <stdint.h>

struct pack_writer;

// `path` is where the pack will stand.
MUST_CHECK enum err pack_writer_new(const char *path, struct pack_writer **ret, struct error *e);
void pack_writer_free(struct pack_writer *w);
DEFINE_CLEANUP(pack_writer, struct pack_writer *, pack_writer_free)

// r->stored_off is not looked at. At most TABLE_RECORDS_MAX records.
MUST_CHECK enum err pack_writer_add(struct pack_writer *w, const struct pack_record *r,
                                    const uint8_t *stored, struct error *e);

uint32_t pack_writer_count(const struct pack_writer *w);

// Sets table and payload in `m`, then makes the file. The writer is used up, whatever happens.
MUST_CHECK enum err pack_writer_finish(struct pack_writer *w, struct pack_manifest *m,
                                       uint32_t signature_area_size, uint64_t *ret_file_bytes,
                                       struct error *e);

#endif
