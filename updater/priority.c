// SPDX-License-Identifier: Apache-2.0
#include "updater/priority.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// linux/ioprio.h, which older headers do not have; there is no wrapper in the C library.
enum { IOPRIO_PROCESS = 1, IOPRIO_CLASS_AT = 13 };

static void warn(struct log *log, const char *key)
{
    char text[128];
    log_warn(log, "[install] %s: it cannot be set: %s", key, strerror_r(errno, text, sizeof text));
}

void priority_set(unsigned nice, struct io_priority io, struct log *log)
{
    if (nice != 0 && setpriority(PRIO_PROCESS, 0, (int)nice) != 0) {
        warn(log, "nice");
    }
    unsigned value = (unsigned)io.class << IOPRIO_CLASS_AT | io.level;
    if (io.class != IO_CLASS_UNCHANGED &&
        syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, (int)value) != 0) {
        warn(log, "io_priority");
    }
}
