// SPDX-License-Identifier: Apache-2.0
// One copy of a redundant U-Boot environment as it lies on the medium, read by our own code:
// libubootenv does not tell which of the two copies is damaged, nor what it would leave out.
//
// Layout (U-Boot include/env_internal.h, struct environment_s with the redundancy flag; the CRC is
// zlib's, in the byte order of the CPU, over `data` to the end of the copy and NOT over the flag):
//
//     u32 crc | u8 flag | data: name=value NUL name=value NUL ... NUL, then anything
#ifndef BOOTLOADER_ENV_IMAGE_H
#define BOOTLOADER_ENV_IMAGE_H

#include "base/error.h"
#include "bootloader/env_vars.h"

#include <stddef.h>
#include <stdint.h>

enum { ENV_IMAGE_FLAG_AT = 4, ENV_IMAGE_DATA_AT = 5 };

// True when the CRC of a copy of `size` bytes holds.
bool env_image_is_whole(const uint8_t *image, size_t size);

// Which of two whole copies U-Boot (env/common.c, env_import_redund) and libubootenv take: the
// higher flag, where 0 follows 255; the first of two equal ones.
int env_image_newer(const uint8_t *image_0, const uint8_t *image_1);

// The variables of a whole copy into the empty list `ret`, up to the closing empty entry. Of a
// repeated name the last value counts, and an entry without `=` is no variable, as in U-Boot and
// libubootenv. ERR_FORMAT when the closing entry is missing: libubootenv reads past its buffer
// then.
MUST_CHECK enum err env_image_parse(const uint8_t *image, size_t size, struct env_vars *ret,
                                    struct error *e);

// True when the variables and their end fit into a copy of `size` bytes.
bool env_image_fits(const struct env_vars *vars, size_t size);

#endif
