// SPDX-License-Identifier: Apache-2.0
// What the lives of simulated devices are about: releases with their content and their signed
// images, and the trust directory that accepts them. Made once, never changed.
//
// A slot has two partitions. "rootfs" looks like ext4 or erofs: its superblock is at 1024 and
// nothing stands before it. "boot" looks the same, or like FAT or squashfs: it begins with what
// makes it mountable. Each release differs from the one before in a few places, repeats some of its
// own chunks, has ranges of zeros where others have something else, and chunks that others have
// elsewhere. Another kit has releases that differ by bytes and move by bytes: sim_kit_bytes.h.
#ifndef TESTS_SIM_SIM_KIT_H
#define TESTS_SIM_SIM_KIT_H

#include "keys/trust.h"
#include "tests/support/image_builder.h"
#include "tests/support/test_certs.h"

enum { SIM_PARTITIONS = 2, SIM_RELEASES = 4, SIM_FACTORY = 0, SIM_UNKNOWN = -1 };
enum { SIM_SIGNATURE_ROOM = 2048 };

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

// What stands beside the image of SIM_PATCHED, of a kit that has packs.
enum sim_pack_kind {
    SIM_PACK_NONE,
    SIM_PACK_RIGHT,   // from release 1
    SIM_PACK_FOREIGN, // says that it is, and was made from something else: no delta is right
    SIM_PACK_DAMAGED, // a delta of SIM_PACK_RIGHT has changed, and the last cannot be read
    SIM_PACKS
};

struct sim_pack {
    struct built_image file;
    size_t lost_off; // who reads on from here loses the connection; 0: nobody does
};

struct sim_kit {
    struct test_cert root, signer;
    char *dir; // the trust directory
    struct trust_store *trust;
    struct hasher *hasher;
    size_t superblock_off[SIM_PARTITIONS]; // the sector of 512 that makes it mountable
    struct sim_release releases[SIM_RELEASES];
    struct sim_pack packs[SIM_PACKS]; // empty: there is none
};

struct sim_kit_recipe {
    // Of each release lengths of chunks, used in turn (tests/support/image_builder.h). NULL: cut at
    // bytes, by their content.
    const uint32_t *cuts[SIM_RELEASES];
    size_t boot_superblock_off; // 0 or 1024
    // What a release has but its superblock: image_bytes of `content`, which is random and alike in
    // all releases.
    void (*fill)(uint8_t *content, size_t partition, unsigned release);
};

struct sim_kit *sim_kit_make_by(const struct sim_kit_recipe *recipe);
// All images cut alike.
struct sim_kit *sim_kit_make(const uint32_t *cuts, size_t boot_superblock_off);
void sim_kit_free(struct sim_kit *k);
// Image or pack.
void sim_kit_sign(const struct sim_kit *k, struct built_image *file);

// The release that these bytes of a partition are, from `from` to the end of its image;
// SIM_UNKNOWN: none.
int sim_kit_identify(const struct sim_kit *k, size_t partition, const uint8_t *bytes, size_t from);
// Whether a kernel would mount the partition: its superblock is that of some release.
bool sim_kit_mountable(const struct sim_kit *k, size_t partition, const uint8_t *bytes);
// The release with this manifest; SIM_UNKNOWN: none.
int sim_kit_find(const struct sim_kit *k, const uint8_t manifest_sha256[SHA256_SIZE]);

#endif
