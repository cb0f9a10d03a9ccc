// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

// Saturates: no file system is so large that it matters.
static uint64_t bytes_of(uint64_t blocks, const struct statvfs *fs)
{
    uint64_t bytes;
    return __builtin_mul_overflow(blocks, (uint64_t)fs->f_frsize, &bytes) ? UINT64_MAX : bytes;
}

int probe_disk_free(const struct config_check *c, int out_fd)
{
    struct statvfs fs;
    char has[16];
    char wants[16];
    if (statvfs(c->path, &fs) != 0) {
        dprintf(out_fd, "%s: %s\n", c->path, strerror(errno));
        return PROBE_EXIT_FAILED;
    }
    uint64_t free_bytes = bytes_of(fs.f_bavail, &fs); // what others than root could write
    uint64_t wanted = c->min_free.percent > 0
                          ? bytes_of(fs.f_blocks, &fs) / 100 * c->min_free.percent
                          : c->min_free.bytes;
    bool enough = free_bytes >= wanted;
    dprintf(out_fd, "%s has %s free%s%s\n", c->path, format_size(free_bytes, has, sizeof has),
            enough ? "" : ", wanted are ", enough ? "" : format_size(wanted, wants, sizeof wants));
    return enough ? PROBE_EXIT_HEALTHY : PROBE_EXIT_FAILED;
}
