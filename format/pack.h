// SPDX-License-Identifier: Apache-2.0
// A delta pack as a device uses it: chunks of one image (the target), each as a zstd frame that
// refers back to bytes of an older image (the base). docs/delta-pack.md.
//
//     pack_open_head(), pack_is_for()         before the table is fetched
//     pack_add_table()
//     pack_check_target(), pack_check_base()  before anything is decoded
//     pack_table_find(), pack_decode()        per chunk
//
// A pack is never needed: whatever is wrong with it or with a chunk of it, the image has the chunk.
//
// Invariants
// 1. A `struct pack` exists only if the verifier accepted the signature over its header and
//    manifest; the manifest is parsed after that and never before.
// 2. pack_add_table() accepts exactly the table the signed manifest names.
// 3. After pack_check_target() and pack_check_base() every record names a chunk that the target
//    stores, and a window that lies within a partition of the base.
// 4. Nothing is decoded before its stored hash holds, and what pack_decode() returns has the raw
//    hash of the target's chunk, whatever the window held.
#ifndef FORMAT_PACK_H
#define FORMAT_PACK_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/codec.h"
#include "format/image.h"
#include "format/pack_manifest.h"
#include "format/pack_table.h"

struct pack {
    struct header header;
    struct pack_manifest *manifest;
    struct pack_table *table; // NULL until pack_add_table()
};

// `head` holds at least header_head_size(header) bytes of a header of kind FILE_PACK.
MUST_CHECK enum err pack_open_head(const uint8_t *head, size_t len,
                                   const struct head_verifier *verifier, struct hasher *hasher,
                                   struct pack **ret, struct error *e);

// `rest` is malloced and holds the bytes [header_head_size, payload_offset): pad, table, pad. It is
// taken over in any case, and becomes the table's only copy.
MUST_CHECK enum err pack_add_table(struct pack *pack, uint8_t *rest, size_t len,
                                   struct hasher *hasher, struct error *e);

// Head and table from one malloced buffer that holds [0, payload_offset), which is taken over in
// any case.
MUST_CHECK enum err pack_take_prefix(uint8_t *prefix, size_t len,
                                     const struct head_verifier *verifier, struct hasher *hasher,
                                     struct pack **ret, struct error *e);

void pack_free(struct pack *pack);
DEFINE_CLEANUP(pack, struct pack *, pack_free)

// Both images by the SHA-256 of their manifests, as in their headers. True before there is a table.
MUST_CHECK bool pack_is_for(const struct pack *pack, const uint8_t target[SHA256_SIZE],
                            const uint8_t base[SHA256_SIZE]);

// The pack's table is there, and the target's too. ERR_FORMAT: another image, or a record for a
// chunk that the target has not, or stores nothing for, or stores in fewer bytes.
MUST_CHECK enum err pack_check_target(const struct pack *pack, const struct image *target,
                                      struct error *e);
// The pack's table is there; of the base only header and manifest are asked. ERR_FORMAT: another
// image, or a window outside of its partitions.
MUST_CHECK enum err pack_check_base(const struct pack *pack, const struct image *base,
                                    struct error *e);

// `chunk` is the record r->chunk of the target's table; `window` holds r->base_len bytes, `stored`
// r->stored_len; chunk->raw_len bytes go into `raw`. ERR_FORMAT when a hash or the frame is wrong,
// which also is how a window shows that is not the base's: fetch the chunk from the image instead.
MUST_CHECK enum err pack_decode(const struct pack_record *r, const struct chunk *chunk,
                                const uint8_t *window, const uint8_t *stored, struct decoder *d,
                                struct hasher *hasher, uint8_t *raw, struct error *e);

// The first half of pack_decode(), for who only wants to know whether the bytes are whole.
MUST_CHECK enum err pack_check_stored(const struct pack_record *r, const uint8_t *stored,
                                      struct hasher *hasher, struct error *e);

#endif
