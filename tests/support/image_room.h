// SPDX-License-Identifier: Apache-2.0
// What tests of whole images begin with: a recipe with two partitions, and a hasher.
#ifndef TESTS_SUPPORT_IMAGE_ROOM_H
#define TESTS_SUPPORT_IMAGE_ROOM_H

#include "format/image.h"
#include "tests/support/image_builder.h"

// The second one ends inside a block; the first one has a run of 32 zero blocks.
enum { ROOTFS = 600000, BOOT = 70001 };

struct image_room {
    struct hasher *hasher;
    uint8_t *rootfs;
    uint8_t *boot;
    struct image_recipe recipe;
};

// Setup and teardown of a cmocka test; `*state` is a struct image_room.
int image_room_setup(void **state);
int image_room_teardown(void **state);

// Opens head and table of what was built, which must be accepted.
struct image *image_room_open(struct image_room *r, const struct built_image *built);

#endif
