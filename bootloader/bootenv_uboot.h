// SPDX-License-Identifier: Apache-2.0
// The real back end of the boot-environment seam: libubootenv on a redundant U-Boot environment.
// The hazards of that library it covers are numbered in docs/bootloader.md, and each has a test.
//
// Invariants
// 1. What load() reads, it reads with our own code (env_copies.h) and under the lock that fw_setenv
//    takes too. The library is used to store, and first on a copy in memory: what it would refuse,
//    lose or rewrite there is an error before the medium is touched.
// 2. The lock of fw_setenv is held within load() and commit() only, never between them. What
//    another program changed in between makes commit() ERR_AGAIN, and nothing is stored.
// 3. After a commit() that failed during or behind its store, nothing is stored before load().
#ifndef BOOTLOADER_BOOTENV_UBOOT_H
#define BOOTLOADER_BOOTENV_UBOOT_H

#include "bootloader/bootenv.h"

// Checks `env_config` (fw_env_config.h has the rules; ERR_CONFIG) and takes the lock `lock_path`
// (NULL: none) for the life of the environment, waiting at most `lock_wait_ms` for it (ERR_AGAIN),
// and later at most as long for the lock of fw_setenv. Reads nothing yet: load() does.
//
// Both copies bad: load() is ERR_IO, says so, and nothing can be stored. One copy damaged: load()
// works and the next store repairs it. One copy unreadable: load() works, commit() is ERR_IO.
MUST_CHECK enum err bootenv_uboot_open(const char *env_config, const char *lock_path,
                                       unsigned lock_wait_ms, struct bootenv **ret,
                                       struct error *e);

#endif
