// SPDX-License-Identifier: Apache-2.0
// The last step of making an image or a delta pack: its parts, once all are known, become a file.
//
// Invariants
// 1. The path leads to an older file or to the new one, whole and synced: output_file.h.
// 2. Signature area and pads are zero.
#ifndef IMAGE_TOOLS_CONTAINER_FILE_H
#define IMAGE_TOOLS_CONTAINER_FILE_H

#include "base/error.h"
#include "base/hash.h"
#include "format/header.h"

#include <stddef.h>
#include <stdint.h>

struct container_parts {
    enum file_kind kind;
    const char *manifest;
    size_t manifest_len; // far below 4 GiB
    const uint8_t *table;
    uint32_t table_size;
    int payload_fd; // whose first payload_size bytes are the payload
    uint64_t payload_size;
    uint32_t signature_area_size;
};

// ERR_FORMAT when a part is over its limit.
MUST_CHECK enum err container_file_write(const char *path, const struct container_parts *p,
                                         struct hasher *hasher, uint64_t *ret_file_bytes,
                                         struct error *e);

#endif
