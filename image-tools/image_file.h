// SPDX-License-Identifier: Apache-2.0
// An image or a delta pack as a file on the build host: opened, measured, and everything before its
// payload read. What a pack holds: image-tools/pack_file.h.
//
// Invariants
// 1. The header of an open image file says which kind it is, is consistent, and the file is
//    exactly as long as it says.
// 2. What image_file_contents() returns is consistent (hashes, structure) but not trusted: no
//    signature was looked at. Only `sign`, `inspect` and `delta` use it; `verify` goes through
//    format/image.h.
#ifndef IMAGE_TOOLS_IMAGE_FILE_H
#define IMAGE_TOOLS_IMAGE_FILE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"
#include "format/container.h"
#include "format/header.h"
#include "format/manifest.h"
#include "format/signature_area.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct image_file {
    const char *path; // the caller's
    int fd;
    struct stat st;
    struct header header;
    uint8_t *prefix; // bytes [0, header.payload_offset)
    size_t prefix_len;
};

// ERR_IO: cannot be read. ERR_FORMAT: neither image nor pack, shorter or longer than its header
// says.
// `path` must outlive the image file.
MUST_CHECK enum err image_file_open(const char *path, struct image_file **ret, struct error *e);
void image_file_free(struct image_file *f);
DEFINE_CLEANUP(image_file, struct image_file *, image_file_free)

// `len` bytes of the file at `off`. Any thread may call it.
MUST_CHECK enum err image_file_read(const struct image_file *f, void *buf, size_t len, uint64_t off,
                                    struct error *e);

// ERR_FORMAT unless it is of that kind.
MUST_CHECK enum err image_file_check_kind(const struct image_file *f, enum file_kind kind,
                                          struct error *e);

// What both kinds have before the table: the hash of the manifest holds, and the signature records.
// They point into the prefix. The errors here and of the next do not name the file yet.
MUST_CHECK enum err image_file_check_head(const struct image_file *f, struct hasher *hasher,
                                          struct signature_list *ret, struct error *e);
// The table that `body` of the manifest is about, malloced, its hash not yet checked. ERR_FORMAT
// when the header does not agree, or a pad around the table is not zero.
MUST_CHECK enum err image_file_copy_table(const struct image_file *f, const struct file_body *body,
                                          uint8_t **ret, struct error *e);

// Unverified contents of an image; see invariant 2.
struct image_contents {
    struct manifest *manifest;
    struct chunk_table *table;
    struct signature_list signatures; // points into the image file's prefix
};

// Checks manifest hash, manifest, signature area, pads and chunk table; ERR_FORMAT.
MUST_CHECK enum err image_file_contents(const struct image_file *f, struct image_contents *ret,
                                        struct error *e);
void image_contents_clear(struct image_contents *c);

#endif
