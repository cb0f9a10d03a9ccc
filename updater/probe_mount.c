// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int probe_mount(const struct config_check *c, int out_fd)
{
    struct statx st;
    struct statvfs fs;
    if (statx(AT_FDCWD, c->path, AT_NO_AUTOMOUNT, STATX_TYPE, &st) != 0 ||
        statvfs(c->path, &fs) != 0) {
        dprintf(out_fd, "%s: %s\n", c->path, strerror(errno));
        return PROBE_EXIT_FAILED;
    }
    if ((st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0) {
        dprintf(out_fd, "this kernel does not tell whether %s is a mount point\n", c->path);
        return PROBE_EXIT_FAILED;
    }
    if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0) {
        dprintf(out_fd, "nothing is mounted at %s\n", c->path);
        return PROBE_EXIT_FAILED;
    }
    // An ext4 with errors=remount-ro goes on like this.
    bool read_only = (fs.f_flag & ST_RDONLY) != 0;
    dprintf(out_fd, "%s is mounted%s\n", c->path, read_only ? " read-only" : "");
    return read_only && c->writable ? PROBE_EXIT_FAILED : PROBE_EXIT_HEALTHY;
}
