// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_lock.h"

#include "base/clock.h"

#include <fcntl.h>
#include <sys/file.h>

enum { POLL_MS = 10 };

enum err env_lock_take(const char *path, unsigned wait_ms, int *ret_fd, struct error *e)
{
    CLEANUP(cleanup_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: the lock file cannot be opened", path);
    }
    const struct clock *clock = &clock_system;
    uint64_t began_ms = clock->ops->boottime_ms(clock);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return fail(e, ERR_IO, errno, "%s: cannot be locked", path);
        }
        if (clock->ops->boottime_ms(clock) - began_ms >= wait_ms) {
            return fail(e, ERR_AGAIN, 0,
                        "%s: another program holds the lock of the boot environment; "
                        "try again later",
                        path);
        }
        clock->ops->sleep_ms(clock, POLL_MS);
    }
    *ret_fd = TAKE_FD(fd);
    return OK;
}
