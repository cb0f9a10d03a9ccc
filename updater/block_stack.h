// SPDX-License-Identifier: Apache-2.0
// Which block devices and files a file system really lies on: looks below overlay mounts, device
// mapper and loop devices.
//
// A member is a block device (device number) or a file (device number of its file system and
// inode), so that slots of both sorts can be looked for.
//
// Invariants
// 1. Nothing is opened and nothing written: only stat, /proc and /sys are read.
// 2. What cannot be seen is left out. A stack is "at least this", never a guess.
#ifndef UPDATER_BLOCK_STACK_H
#define UPDATER_BLOCK_STACK_H

#include "base/error.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { BLOCK_STACK_MAX = 32, BLOCK_DISK_MAX = 256 };

struct block_id {
    dev_t dev;
    ino_t ino; // 0: a block device
};

struct block_stack {
    size_t count;
    struct block_id members[BLOCK_STACK_MAX];
};

// Where the kernel is asked. Tests put a directory tree and a stat() of their own here.
struct block_view {
    const char *sys_dev_block; // "/sys/dev/block"
    const char *mountinfo;     // "/proc/self/mountinfo"
    const char *disk_by;       // "/dev/disk": by-partlabel, by-partuuid, by-uuid, by-label
    int (*stat)(const char *path, struct stat *ret);
};

extern const struct block_view block_view_system;

// Of an overlay: the layers the system was started from, or the one that writes go to.
enum block_layer { LAYER_LOWER, LAYER_UPPER };

// What the file system of `path` lies on. ERR_IO when `path` cannot be looked at.
MUST_CHECK enum err block_stack_under(const struct block_view *v, const char *path,
                                      enum block_layer layer, struct block_stack *ret,
                                      struct error *e);
bool block_stack_has(const struct block_stack *s, struct block_id id);

// What `path` itself is. False when it does not exist or is neither device nor regular file.
MUST_CHECK bool block_id_of(const struct block_view *v, const char *path, struct block_id *ret);

// True if a file system on this block device is mounted for writing somewhere.
bool block_is_mounted_writable(const struct block_view *v, dev_t dev);

// The whole disk that a block device is a partition of (itself when it is none), as a path below
// /sys. False when the kernel does not show it.
MUST_CHECK bool block_disk_of(const struct block_view *v, dev_t dev, char ret[BLOCK_DISK_MAX]);

#endif
