// SPDX-License-Identifier: Apache-2.0
// The two images of tests/support/pack_builder.h as files, for the tests of `vv-image delta`.
#ifndef TESTS_SUPPORT_DELTA_PAIR_H
#define TESTS_SUPPORT_DELTA_PAIR_H

#include "image-tools/delta_worker.h"
#include "tests/support/host_files.h"
#include "tests/support/pack_builder.h"

struct delta_pair {
    struct pack_room *room;
    char *dir; // holds nothing but the two images
    char base_path[HOST_PATH_MAX];
    char target_path[HOST_PATH_MAX];
    char pack_path[HOST_PATH_MAX]; // nothing stands there yet
    struct image_file *base_file, *target_file;
    struct image_contents base, target;
    struct base_index *index;
    struct delta_images images;
};

// Setup and teardown of a cmocka test; `*state` is a struct delta_pair.
int delta_pair_setup(void **state);
int delta_pair_teardown(void **state);

// The target's records that the base has not, as PACK_ROOM_RECORDS numbers.
extern const uint32_t delta_pair_chunks[PACK_ROOM_RECORDS];

// Decodes a delta of the pair and compares it with the target's chunk.
void delta_pair_check(struct delta_pair *p, const struct pack_record *r, const uint8_t *stored);

#endif
