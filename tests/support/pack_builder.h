// SPDX-License-Identifier: Apache-2.0
// Small valid delta packs in memory, with hooks that spoil one thing before it is hashed and signed
// over; and two images to make them between.
//
// Anything that goes wrong here fails the running test.
#ifndef TESTS_SUPPORT_PACK_BUILDER_H
#define TESTS_SUPPORT_PACK_BUILDER_H

#include "format/pack.h"
#include "tests/support/image_builder.h"

struct pack_recipe {
    uint32_t signature_room; // bytes of the signature area
    // Before the manifest is written.
    void (*spoil_pack)(struct pack_manifest *m);
    // Before the table is hashed: `table` holds `len` bytes of records.
    void (*spoil_table)(uint8_t *table, size_t len);
    // Before the manifest is hashed into the header.
    void (*spoil_manifest)(json_t *root);
    // Before the header is written with its CRC; offsets are laid out already.
    void (*spoil_header)(struct header *h);
};

// Which images it is between; they outlive what is built.
struct pack_ends {
    const struct image *base;   // its head
    const struct image *target; // with its table
};

// A pack that grows by a delta at a time.
struct pack_parts {
    const struct pack_ends *ends;
    struct hasher *hasher;
    uint32_t records_max;
    struct pack_manifest m;
    uint8_t *table, *payload;
};

void pack_parts_begin(struct pack_parts *p, const struct pack_ends *ends, uint32_t records_max,
                      struct hasher *hasher);
// The chunk of `place`, whose `raw` bytes are told apart from `window`, place->base_len bytes. Not
// added is one that the target stores nothing for, or in no more bytes.
void pack_parts_add(struct pack_parts *p, const struct pack_record *place, const uint8_t *window,
                    const uint8_t *raw);
// Frees what the parts hold. Not signed.
struct built_image pack_parts_end(struct pack_parts *p, const struct pack_recipe *recipe);

// Chunks of PACK_ROOM_CHUNK bytes. Of the target's partition "rootfs" chunk 4 is zero, chunk 6
// repeats chunk 2, and the others differ from the base in a byte here and there; "boot" is the
// same in both.
enum {
    PACK_ROOM_CHUNK = 65536,
    PACK_ROOM_ROOTFS = 9 * PACK_ROOM_CHUNK + 5000,
    PACK_ROOM_BOOT = 70001,
    PACK_ROOM_RECORDS = 8,
};

struct pack_room {
    struct hasher *hasher;
    struct decoder *decoder;
    uint8_t *old_rootfs;
    uint8_t *new_rootfs;
    uint8_t *boot;
    struct built_image base_file, target_file;
    struct image *base, *target;
    struct pack_recipe recipe;
};

// Setup and teardown of a cmocka test; `*state` is a struct pack_room.
int pack_room_setup(void **state);
int pack_room_teardown(void **state);

// The pack from base to target: the window of a chunk is PACK_ROOM_CHUNK bytes at the same place.
struct built_image pack_build(const struct pack_room *r);

// Must be accepted.
struct pack *pack_room_open(struct pack_room *r, const struct built_image *built);
// What pack_take_prefix() says of a copy of the bytes; the pack is freed.
enum err pack_room_try(struct pack_room *r, const struct built_image *built, struct error *e);

// `raw` as a zstd frame that refers back to `window`, as a writer makes them; returns its length.
// At most CHUNK_STORED_MAX bytes.
size_t delta_encode(const uint8_t *window, size_t window_len, const uint8_t *raw, size_t raw_len,
                    uint8_t *stored);

#endif
