// SPDX-License-Identifier: Apache-2.0
// An image as far as it can be known without its payload: header, manifest, chunk table.
// The order "hash, signature, then parse" stands in format/container.h.
//
// Invariants
// 1. A `struct image` exists only if the verifier accepted the signature over its header and
//    manifest; the manifest is parsed after that and never before.
// 2. image_add_table() accepts exactly the table the signed manifest names.
// 3. All bytes before the payload are covered: signed, or hashed by something signed, or a
//    signature record, or checked to be zero.
#ifndef FORMAT_IMAGE_H
#define FORMAT_IMAGE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "format/chunk_table.h"
#include "format/container.h"
#include "format/header.h"
#include "format/manifest.h"

struct image {
    struct header header;
    struct manifest *manifest;
    struct chunk_table *table; // NULL until image_add_table()
    uint8_t *head;             // bytes [0, header_head_size): kept so that it can be stored again
};

// `head` holds at least header_head_size(header) bytes of a header that header_parse() accepted.
MUST_CHECK enum err image_open_head(const uint8_t *head, size_t len,
                                    const struct head_verifier *verifier, struct hasher *hasher,
                                    struct image **ret, struct error *e);

// `rest` is malloced and holds the bytes [header_head_size, payload_offset): pad, table, pad. It is
// taken over in any case: a table may take 4 MiB, which must not stand in memory twice.
MUST_CHECK enum err image_add_table(struct image *image, uint8_t *rest, size_t len,
                                    struct hasher *hasher, struct error *e);

// Head and table from one buffer that holds [0, payload_offset).
MUST_CHECK enum err image_open_prefix(const uint8_t *prefix, size_t len,
                                      const struct head_verifier *verifier, struct hasher *hasher,
                                      struct image **ret, struct error *e);
// The same of a malloced buffer, e.g. a stored slot record, which is taken over in any case.
MUST_CHECK enum err image_take_prefix(uint8_t *prefix, size_t len,
                                      const struct head_verifier *verifier, struct hasher *hasher,
                                      struct image **ret, struct error *e);

// The bytes [0, payload_offset) again, where they stand in memory: head, pad, table, pad. The parts
// are good for as long as the image is. The table must be there.
enum { IMAGE_PREFIX_PARTS = 4 };
MUST_CHECK enum err image_prefix(const struct image *image,
                                 struct file_part ret_parts[IMAGE_PREFIX_PARTS], struct error *e);

void image_free(struct image *image);
DEFINE_CLEANUP(image, struct image *, image_free)

// "stored" = SHA-256 prefix of the bytes as they stand in the payload; "raw" = after decoding.
// ERR_FORMAT when the hash differs.
MUST_CHECK enum err chunk_check_stored(const struct chunk *c, const uint8_t *stored,
                                       struct hasher *hasher, struct error *e);
MUST_CHECK enum err chunk_check_raw(const struct chunk *c, const uint8_t *raw,
                                    struct hasher *hasher, struct error *e);

#endif
