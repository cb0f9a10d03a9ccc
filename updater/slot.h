// SPDX-License-Identifier: Apache-2.0
// A slot as one image sees it: its partitions, opened, in the order of the manifest.
//
// Invariants
// 1. Every partition of the manifest is there, and its image fits into it.
// 2. Offsets are bytes from the start of a partition.
#ifndef UPDATER_SLOT_H
#define UPDATER_SLOT_H

#include "base/blk_file.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "format/manifest.h"
#include "updater/device.h"

#include <stddef.h>
#include <stdint.h>

struct slot_partition {
    const struct partition_info *info; // in the manifest the slot was opened for
    struct blk *blk;
};

struct slot {
    int index;
    const char *name;
    size_t count;
    struct slot_partition partitions[MANIFEST_PARTITIONS_MAX];
};

// `manifest` and the configuration outlive `*ret`. ERR_TOO_LARGE: an image does not fit;
// ERR_NOT_NOW: a partition is in use, or the slot has none of that name.
MUST_CHECK enum err slot_open(struct device *d, int index, const struct manifest *manifest,
                              enum blk_mode mode, struct slot **ret, struct error *e);
void slot_close(struct slot *s);
// One partition of a slot by itself; blk_close() releases it.
MUST_CHECK enum err slot_open_partition(struct device *d, int index, const char *name,
                                        enum blk_mode mode, struct blk **ret, struct error *e);
DEFINE_CLEANUP(slot, struct slot *, slot_close)

// The position in s->partitions of the partition that chunk `index` belongs to.
size_t slot_find(const struct slot *s, uint32_t index);

// Raw bytes of all images.
uint64_t slot_image_bytes(const struct slot *s);

// All partitions; what was written is on the medium, and later reads come from there.
MUST_CHECK enum err slot_sync(const struct slot *s, struct error *e);

#endif
