// SPDX-License-Identifier: Apache-2.0
// What a delta pack on the build host holds before its payload.
//
// Invariants
// 1. What pack_file_contents() returns is consistent (hashes, structure) but not trusted: no
//    signature was looked at. Only `sign` and `inspect` use it; `verify` goes through
//    format/pack.h.
#ifndef IMAGE_TOOLS_PACK_FILE_H
#define IMAGE_TOOLS_PACK_FILE_H

#include "format/pack_manifest.h"
#include "format/pack_table.h"
#include "image-tools/image_file.h"

struct pack_contents {
    struct pack_manifest *manifest;
    struct pack_table *table;
    struct signature_list signatures; // points into the image file's prefix
};

// Checks manifest hash, manifest, signature area, pads and table; ERR_FORMAT, for an image too.
MUST_CHECK enum err pack_file_contents(const struct image_file *f, struct pack_contents *ret,
                                       struct error *e);
void pack_contents_clear(struct pack_contents *c);

#endif
