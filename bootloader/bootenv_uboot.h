// SPDX-License-Identifier: Apache-2.0
// The real back end of the boot-environment seam: libubootenv on a redundant U-Boot environment.
// The hazards of that library it covers are numbered in docs/bootloader.md, and each has a test.
#ifndef BOOTLOADER_BOOTENV_UBOOT_H
#define BOOTLOADER_BOOTENV_UBOOT_H

#include "bootloader/bootenv.h"

// Checks `env_config` (fw_env.config: two lines, equal sizes, no overlap, 512-aligned offsets;
// ERR_CONFIG otherwise) and takes the lock `lock_path` for the life of the environment, waiting at
// most `lock_wait_ms` (then ERR_AGAIN). Reads nothing yet: load() does. Both copies bad or one
// unreadable: load() is ERR_IO, says which, and nothing can be stored.
MUST_CHECK enum err bootenv_uboot_open(const char *env_config, const char *lock_path,
                                       unsigned lock_wait_ms, struct bootenv **ret,
                                       struct error *e);

#endif
