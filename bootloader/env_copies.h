// SPDX-License-Identifier: Apache-2.0
// Both copies of the environment, read by our own code, and what is wrong with each.
//
// Invariants
// 1. `current` is the copy U-Boot and libubootenv take, or -1 when neither is whole.
// 2. A whole copy was readable to its last byte.
#ifndef BOOTLOADER_ENV_COPIES_H
#define BOOTLOADER_ENV_COPIES_H

#include "bootloader/env_vars.h"
#include "bootloader/fw_env_config.h"

struct env_copies {
    size_t size_bytes;
    struct {
        uint8_t *image; // size_bytes; NULL when not readable
        bool whole;     // its CRC holds
        char why[160];  // why it is not readable
    } copies[FW_ENV_COPIES];
    int current;
};

void env_copies_clear(struct env_copies *copies);

// Reads both from the medium, not from the page cache. An unreadable or short copy is no error
// here, it is a finding; only memory is.
MUST_CHECK enum err env_copies_read(const struct fw_env_config *config, struct env_copies *ret,
                                    struct error *e);

// The first copy that could not be read, or -1.
int env_copies_unreadable(const struct env_copies *copies);

// True when both were read as the very same bytes both times.
bool env_copies_equal(const struct env_copies *a, const struct env_copies *b);

// The variables of the current copy. ERR_IO when there is none, or when it has no end.
MUST_CHECK enum err env_copies_parse(const struct env_copies *copies, struct env_vars *ret,
                                     struct error *e);

// Whether nothing needs to be stored: `found`, the variables of the current copy, are those that
// are meant, and with `both` those of the other copy too.
MUST_CHECK enum err env_copies_say(const struct env_copies *copies, const struct env_vars *found,
                                   const struct env_vars *meant, bool both, bool *ret,
                                   struct error *e);

#endif
