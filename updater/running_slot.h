// SPDX-License-Identifier: Apache-2.0
// Which slot this system runs from: docs/bootloader.md, "Running slot".
//
// Invariants
// 1. The kernel command line decides (vv.slot=, else rauc.slot=, else root=), never the boot
//    environment.
// 2. For slots that are block devices, the device mounted at / (or below it, under device mapper or
//    overlay) must be that slot's; any disagreement is ERR_NOT_NOW.
#ifndef UPDATER_RUNNING_SLOT_H
#define UPDATER_RUNNING_SLOT_H

#include "base/error.h"
#include "updater/config.h"

MUST_CHECK enum err running_slot_find(const struct config *c, int *ret_slot, struct error *e);

// The text rule alone: the slot a kernel command line names. ERR_NOT_NOW when it names none, two
// different ones, or an unknown one.
MUST_CHECK enum err running_slot_from_cmdline(const struct config *c, const char *cmdline,
                                              int *ret_slot, struct error *e);

// Both with another view of the block devices, and `root` in the place of "/".
struct block_view;
MUST_CHECK enum err running_slot_find_at(const struct config *c, const struct block_view *view,
                                         const char *root, int *ret_slot, struct error *e);
MUST_CHECK enum err running_slot_from_cmdline_at(const struct config *c,
                                                 const struct block_view *view, const char *cmdline,
                                                 int *ret_slot, struct error *e);

#endif
