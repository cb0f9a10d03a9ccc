// SPDX-License-Identifier: Apache-2.0
// Lays out an image or a delta pack: records and stored bytes as they come, the head at the end.
// What an image writes: image-tools/image_writer.h; a pack: image-tools/pack_writer.h.
//
// The payload is collected in a nameless file beside the output and copied behind the head once
// that is known, so that memory holds no more than the table.
//
// Invariants
// 1. The output path is touched by container_writer_finish() only, and leads to an older file or
//    to the new one, whole and synced (image-tools/output_file.h).
// 2. Signature area and pads are zero.
#ifndef IMAGE_TOOLS_CONTAINER_WRITER_H
#define IMAGE_TOOLS_CONTAINER_WRITER_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/container.h"

#include <stddef.h>
#include <stdint.h>

struct container_writer {
    enum file_kind kind;
    char *path;
    int payload_fd;
    uint8_t *table;        // TABLE_MAX bytes of address space; memory as far as records reach
    struct file_body body; // so far; its hash once sealed
    struct hasher *hasher; // for others too, between calls
};

// `path` is where the file will stand. ERR_IO when none can stand there.
MUST_CHECK enum err container_writer_new(enum file_kind kind, const char *path,
                                         struct container_writer **ret, struct error *e);
void container_writer_free(struct container_writer *w);
DEFINE_CLEANUP(container_writer, struct container_writer *, container_writer_free)

// Appends to the payload.
MUST_CHECK enum err container_writer_store(struct container_writer *w, const uint8_t *stored,
                                           size_t len, struct error *e);
// Room for the next record, which counts from now on; at most TABLE_RECORDS_MAX.
uint8_t *container_writer_add_record(struct container_writer *w);

// The end of records and payload: what the manifest has to say of them.
MUST_CHECK enum err container_writer_seal(struct container_writer *w, struct file_body *ret,
                                          struct error *e);
// Makes the file; ERR_FORMAT when a part is over its limit. The writer is used up in any case.
MUST_CHECK enum err container_writer_finish(struct container_writer *w, const char *manifest,
                                            size_t manifest_len, uint32_t signature_area_size,
                                            uint64_t *ret_file_bytes, struct error *e);

#endif
