// SPDX-License-Identifier: Apache-2.0
// fw_env.config: where the two copies of the boot environment lie.
//
// A line is: path, offset, size, and optionally the erase-block size and count of raw flash, which
// are accepted and not needed here. `#` begins a comment. Numbers are read as fw_setenv reads them
// (libubootenv, libuboot_read_config): the offset in C notation, the others always as hexadecimal,
// with or without 0x. Relative paths start at the working directory, as with fw_setenv.
//
// Invariants of an accepted configuration
// 1. Two copies of one size: without the second one a cut during a store loses the environment.
// 2. Offsets and the size are multiples of 512, so that CRC and flag, which the CRC does not cover,
//    share a sector and are written together; the copies do not overlap.
// 3. Both are on regular files or block devices. Raw flash (MTD, UBI) is refused: which of its
//    blocks are bad is not known here, so the copies could not be checked.
#ifndef BOOTLOADER_FW_ENV_CONFIG_H
#define BOOTLOADER_FW_ENV_CONFIG_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FW_ENV_COPIES = 2,
    FW_ENV_PATH_SIZE = 256, // libubootenv's DEVNAME_MAX_LENGTH
    FW_ENV_SECTOR = 512,
    FW_ENV_SIZE_MAX = 1024 * 1024,
};

struct fw_env_copy {
    char path[FW_ENV_PATH_SIZE];
    int64_t off_bytes; // as written: below 0 counts from the end of a block device
};

struct fw_env_config {
    struct fw_env_copy copies[FW_ENV_COPIES];
    size_t size_bytes; // of each copy, header included: CONFIG_ENV_SIZE of U-Boot
};

// The text alone. ERR_CONFIG names `file` and the line.
MUST_CHECK enum err fw_env_config_parse(const char *file, const char *text,
                                        struct fw_env_config *ret, struct error *e);

// Looks at the devices: resolves links and offsets from the end (after it no offset is below 0),
// refuses what is missing, raw flash, or overlaps. ERR_CONFIG.
MUST_CHECK enum err fw_env_config_locate(const char *file, struct fw_env_config *config,
                                         struct error *e);

// Reads, parses and locates.
MUST_CHECK enum err fw_env_config_read(const char *file, struct fw_env_config *ret,
                                       struct error *e);

#endif
