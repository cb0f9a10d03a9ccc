// SPDX-License-Identifier: Apache-2.0
// The pack of tests/support/pack_builder.h as a file, beside its target.
#ifndef TESTS_SUPPORT_PACK_ON_DISK_H
#define TESTS_SUPPORT_PACK_ON_DISK_H

#include "tests/support/host_files.h"
#include "tests/support/pack_builder.h"

struct pack_on_disk {
    struct pack_room *room;
    char *dir;
    char path[HOST_PATH_MAX];
    char image_path[HOST_PATH_MAX]; // the target
    struct header header;           // of the pack
};

// Setup and teardown of a cmocka test; `*state` is a struct pack_on_disk.
int pack_on_disk_setup(void **state);
int pack_on_disk_teardown(void **state);

// Writes it again, as the recipe is now.
void pack_on_disk_write(struct pack_on_disk *p);

#endif
