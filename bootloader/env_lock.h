// SPDX-License-Identifier: Apache-2.0
// A lock file, waited for with a bound. flock(2): the lock dies with its process.
#ifndef BOOTLOADER_ENV_LOCK_H
#define BOOTLOADER_ENV_LOCK_H

#include "base/cleanup.h"
#include "base/error.h"

// Creates `path` when missing and locks it for this process alone, waiting at most `wait_ms`, then
// ERR_AGAIN. A file that cannot be opened is ERR_IO. Closing `*ret_fd` releases the lock.
MUST_CHECK enum err env_lock_take(const char *path, unsigned wait_ms, int *ret_fd, struct error *e);

#endif
