// SPDX-License-Identifier: Apache-2.0
// What the lives of simulated devices are about: releases with their content and their signed
// images, and the trust directory that accepts them. Made once, never changed.
//
// A slot has two partitions. "rootfs" looks like ext4 or erofs: its superblock is at 1024 and
// nothing stands before it. "boot" looks the same, or like FAT or squashfs: it begins with what
// makes it mountable. Each release differs from the one before in a few places, repeats some of its
// own chunks, has ranges of zeros where others have something else, and chunks that others have
// elsewhere.
#ifndef TESTS_SIM_SIM_KIT_H
#define TESTS_SIM_SIM_KIT_H

#include "keys/trust.h"
#include "tests/support/image_builder.h"
#include "tests/support/test_certs.h"

enum { SIM_PARTITIONS = 2, SIM_RELEASES = 4, SIM_FACTORY = 0, SIM_UNKNOWN = -1 };

struct sim_shape {
    const char *name;
    size_t size_bytes;  // of the partition
    size_t image_bytes; // of the images for it
};
extern const struct sim_shape sim_shapes[SIM_PARTITIONS];

// Release 0 is what both slots left the factory with: content, but no image.
struct sim_release {
    const char *version;
    uint64_t index, floor; // release_index, min_release_index
    uint8_t *content[SIM_PARTITIONS];
    struct built_image built;
    struct image *image; // head and table, parsed
    uint8_t manifest_sha256[SHA256_SIZE];
};

struct sim_kit {
    struct test_cert root, signer;
    char *dir; // the trust directory
    struct trust_store *trust;
    struct hasher *hasher;
    size_t superblock_off[SIM_PARTITIONS]; // the sector of 512 that makes it mountable
    size_t chunk_max;                      // bytes of the largest chunk
    struct sim_release releases[SIM_RELEASES];
};

// `cuts`: lengths of chunks, used in turn (tests/support/image_builder.h). `boot_superblock_off`: 0
// or 1024.
struct sim_kit *sim_kit_make(const uint32_t *cuts, size_t boot_superblock_off);
void sim_kit_free(struct sim_kit *k);

// The release that these bytes of a partition are, from `from` to the end of its image;
// SIM_UNKNOWN: none.
int sim_kit_identify(const struct sim_kit *k, size_t partition, const uint8_t *bytes, size_t from);
// Whether a kernel would mount the partition: its superblock is that of some release.
bool sim_kit_mountable(const struct sim_kit *k, size_t partition, const uint8_t *bytes);
// The release with this manifest; SIM_UNKNOWN: none.
int sim_kit_find(const struct sim_kit *k, const uint8_t manifest_sha256[SHA256_SIZE]);

#endif
