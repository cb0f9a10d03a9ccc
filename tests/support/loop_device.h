// SPDX-License-Identifier: Apache-2.0
// A loop device for one test; it vanishes with its last descriptor, also when a test fails.
#ifndef TESTS_SUPPORT_LOOP_DEVICE_H
#define TESTS_SUPPORT_LOOP_DEVICE_H

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

// Binds the file `path` to a free loop device and writes its path to `name`. Returns the
// descriptor that keeps it, or -1 where that is not allowed (it takes root and loop devices).
static inline int loop_device_attach(const char *path, char *name, size_t len)
{
    CLEANUP(cleanup_close) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    CLEANUP(cleanup_close) int file = open(path, O_RDWR | O_CLOEXEC);
    if (control < 0 || file < 0) {
        return -1;
    }
    // Another test may take the same free number first.
    for (int attempt = 0; attempt < 16; attempt++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0) {
            return -1;
        }
        snprintf(name, len, "/dev/loop%d", number);
        CLEANUP(cleanup_close) int fd = open(name, O_RDWR | O_CLOEXEC);
        struct loop_config config = {.fd = (unsigned)file,
                                     .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            return TAKE_FD(fd);
        }
    }
    return -1;
}

#endif
