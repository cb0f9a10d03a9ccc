// SPDX-License-Identifier: Apache-2.0
// What a configuration that names nothing means, in one place for vv-update and vv-bootsim: the
// two programs must read one environment alike.
#ifndef BOOTLOADER_BOOT_DEFAULTS_H
#define BOOTLOADER_BOOT_DEFAULTS_H

#include "bootloader/boot_state.h"

#include <stddef.h>

#define BOOT_DEFAULT_SLOT_VAR "rpipart"

enum { BOOT_DEFAULT_ATTEMPTS = 3, BOOT_DEFAULT_LOCK_WAIT_MS = 10 * 1000 };

// The slot variable's values on the Raspberry Pi: the numbers of the partitions.
static inline const char *boot_default_bootvalue(int slot)
{
    return slot == 0 ? "2" : "3";
}

// The name in upper case: slot "a" is "A" in BOOT_ORDER. `size` is at least 1; longer names are
// cut.
static inline void boot_default_bootname(const char *name, char *ret, size_t size)
{
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < size; i++) {
        ret[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    }
    ret[i] = '\0';
}

#endif
