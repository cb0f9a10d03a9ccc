// SPDX-License-Identifier: Apache-2.0
// Small valid .vvi images in memory, for tests of whoever reads them, with hooks that spoil one
// thing before it is hashed and signed over.
//
// A recipe begins as image_recipe_default(); the test adds partitions and changes what it is
// about. Anything that goes wrong here fails the running test.
#ifndef TESTS_SUPPORT_IMAGE_BUILDER_H
#define TESTS_SUPPORT_IMAGE_BUILDER_H

#include "format/codec.h"
#include "format/cutter.h"
#include "format/image.h"

#include <jansson.h>

enum { RECIPE_PARTITIONS_MAX = 4 };

struct image_recipe {
    // Names, release order and times are taken from here; table, payload and partitions are not.
    struct manifest manifest;
    size_t partition_count;
    struct {
        const char *name;
        const void *data;
        size_t len;
    } partitions[RECIPE_PARTITIONS_MAX];
    enum codec codec;
    enum cut_rule rule;
    uint32_t average;     // bytes of a chunk
    const uint32_t *cuts; // instead: lengths of chunks, used in turn again and again; ends with 0
    uint32_t signature_room; // bytes of the signature area
    bool no_dedupe;          // equal chunks are stored again

    // Before the table is hashed: `table` holds `len` bytes of records.
    void (*spoil_table)(uint8_t *table, size_t len);
    // Before the manifest is written and hashed into the header.
    void (*spoil_manifest)(json_t *root);
    // Before the header is written with its CRC; offsets are laid out already.
    void (*spoil_header)(struct header *h);
};

// Product "vv-test", compatible with "vv-test-board", version "1.0.0", release index 1, blocks of
// 64 KiB on average, zstd, 4 KiB for signatures.
struct image_recipe image_recipe_default(void);
void image_recipe_add(struct image_recipe *r, const char *name, const void *data, size_t len);

struct built_image {
    uint8_t *bytes; // the whole file
    size_t len;
    struct header header;
};

struct built_image image_build(const struct image_recipe *r);
void built_image_free(struct built_image *image);

// Appends a record to the signature area. The message to sign is the first
// header_signed_size(&image->header) bytes.
void built_image_attach(struct built_image *image, uint16_t type, const void *signature,
                        size_t len);

// Accepts everything, signed or not. It exists in tests only.
extern const struct head_verifier accept_all_verifier;

#endif
