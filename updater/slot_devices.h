// SPDX-License-Identifier: Apache-2.0
// Slots as devices: which one a root= means, whether the system really runs from a slot, and
// whether the other slot is on the same disk.
#ifndef UPDATER_SLOT_DEVICES_H
#define UPDATER_SLOT_DEVICES_H

#include "base/error.h"
#include "updater/block_stack.h"
#include "updater/config.h"

// The slot that has the partition a kernel's root= means: a path, or PARTLABEL=, PARTUUID=, UUID=
// or LABEL= by the links that udev keeps in /dev/disk. SLOT_NONE when it is none or not found.
int slot_of_root(const struct config *c, const struct block_view *view, const char *root);

// Of slots that are block devices: the file system at `root` lies on a partition of `slot`;
// ERR_NOT_NOW otherwise. Slots that are plain files are let by: nothing is mounted from them.
MUST_CHECK enum err slot_check_root(const struct config *c, const struct block_view *view,
                                    const char *root, int slot, struct error *e);

// A partition of the other slot that is found by its label lies on the disk that `running` lies
// on: a USB stick with the same label must not be written. ERR_NOT_NOW otherwise.
MUST_CHECK enum err slot_check_disk(const struct config *c, const struct block_view *view,
                                    int running, struct error *e);

#endif
