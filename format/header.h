// SPDX-License-Identifier: Apache-2.0
// The first 128 bytes of a .vvi image or a .vvd delta pack: where everything else stands.
// Layout and rules: docs/image-format.md, "Header"; docs/delta-pack.md says what differs in a pack.
//
// Invariants of a header that header_parse() accepted
// 1. The sections stand in the order header, manifest, signature area, table, payload, each at its
//    first allowed alignment (1, 1, 64, 4096), and file_size is the end of the payload.
// 2. Every size is within its limit, so that payload_offset is at most IMAGE_PREFIX_MAX and fits
//    in a size_t.
// 3. Nothing here is trusted until the signature over it holds; it is only consistent.
#ifndef FORMAT_HEADER_H
#define FORMAT_HEADER_H

#include "base/error.h"
#include "base/hash.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HEADER_SIZE = 128,
    FORMAT_MAJOR = 1,
    FORMAT_MINOR = 0,
    MANIFEST_MAX = 65536,
    SIGNATURE_AREA_MAX = 65536,
    TABLE_ALIGN = 64,
    TABLE_MAX = 4 * 1024 * 1024,
    TABLE_RECORDS_MAX = 65536,
    PAYLOAD_ALIGN = 4096,
    IMAGE_PREFIX_MAX = HEADER_SIZE + MANIFEST_MAX + SIGNATURE_AREA_MAX + TABLE_MAX + 2 * 4096,
};

// What a file is, by its magic.
enum file_kind { FILE_IMAGE, FILE_PACK };

struct header {
    enum file_kind kind;
    uint16_t format_minor;
    uint32_t compat_flags;
    uint64_t file_size;
    uint32_t manifest_size;
    uint32_t signature_area_size;
    uint64_t table_offset;
    uint32_t table_size;
    uint64_t payload_offset;
    uint64_t payload_size;
    uint8_t manifest_sha256[SHA256_SIZE];
};

// Computes table_offset, payload_offset and file_size from the sizes; ERR_FORMAT when one is over
// its limit.
MUST_CHECK enum err header_lay_out(struct header *h, struct error *e);

// ERR_FORMAT: "not a .vvi image" (magic), "unsupported" (major, incompat flags, reserved bytes),
// "corrupt" (CRC, order, sizes), each with its own sentence.
MUST_CHECK enum err header_parse(const uint8_t bytes[HEADER_SIZE], struct header *ret,
                                 struct error *e);
// The same for either kind; a file of the other one is ERR_FORMAT and named.
MUST_CHECK enum err header_parse_kind(const uint8_t bytes[HEADER_SIZE], enum file_kind kind,
                                      struct header *ret, struct error *e);
void header_write(const struct header *h, uint8_t ret_bytes[HEADER_SIZE]);

// What the magic says; false when it is of no kind. Nothing else is looked at.
MUST_CHECK bool header_kind(const uint8_t bytes[HEADER_SIZE], enum file_kind *ret);
// "image" or "pack", for sentences.
const char *file_kind_word(enum file_kind kind);
// Bytes of a record of its table.
uint32_t file_kind_record_size(enum file_kind kind);

// Bytes [0, signed_size) are what a signature covers.
size_t header_signed_size(const struct header *h);
// Bytes [0, head_size): header, manifest and signature area.
size_t header_head_size(const struct header *h);

#endif
