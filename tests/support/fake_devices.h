// SPDX-License-Identifier: Apache-2.0
// Block devices, mounts and /sys that do not exist: a `struct block_view` on a table of paths and a
// directory tree of the test.
#ifndef TESTS_SUPPORT_FAKE_DEVICES_H
#define TESTS_SUPPORT_FAKE_DEVICES_H

#include "updater/block_stack.h"

struct fake_devices {
    struct block_view view;
    char sys[256];       // DIR/sys
    char mountinfo[256]; // DIR/mountinfo
};

// Forgets all paths. DIR/sys, DIR/mountinfo and DIR/disk take the places of the real ones; `dir`
// is an empty directory.
void fake_devices_make(struct fake_devices *f, const char *dir);

// Paths for stat(): a block device; a file or directory with its file system's device number.
void fake_block(const char *path, unsigned maj, unsigned min);
void fake_file(const char *path, unsigned maj, unsigned min, unsigned long ino);
void fake_dir(const char *path, unsigned maj, unsigned min);
// DIR/disk/by-KIND/NAME of the view, as a block device.
void fake_disk_link(const struct fake_devices *f, const char *kind_and_name, unsigned maj,
                    unsigned min);

// /sys: `disk` "sda", `partition` "sda2" or NULL for the whole disk.
void fake_sys_device(const struct fake_devices *f, const char *disk, const char *partition,
                     unsigned maj, unsigned min);
// Below an existing device: it was made of `slave` (which has a number of its own), or shows a
// file.
void fake_sys_slave(const struct fake_devices *f, unsigned maj, unsigned min, const char *slave,
                    unsigned slave_maj, unsigned slave_min);
void fake_sys_backing_file(const struct fake_devices *f, unsigned maj, unsigned min,
                           const char *path);

#endif
