// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_image.h"

#include <string.h>
#include <zlib.h>

bool env_image_is_whole(const uint8_t *image, size_t size)
{
    uint32_t stored;
    memcpy(&stored, image, sizeof stored);
    uLong found = crc32_z(0, image + ENV_IMAGE_DATA_AT, size - ENV_IMAGE_DATA_AT);
    return found == stored;
}

int env_image_newer(const uint8_t *image_0, const uint8_t *image_1)
{
    uint8_t flag_0 = image_0[ENV_IMAGE_FLAG_AT];
    uint8_t flag_1 = image_1[ENV_IMAGE_FLAG_AT];
    if (flag_0 == UINT8_MAX && flag_1 == 0) {
        return 1;
    }
    if (flag_1 == UINT8_MAX && flag_0 == 0) {
        return 0;
    }
    return flag_1 > flag_0 ? 1 : 0;
}

// One `name=value` of `len` bytes; a NUL stands behind it.
static enum err add_entry(struct env_vars *vars, const char *entry, size_t len, struct error *e)
{
    const char *equals = memchr(entry, '=', len);
    if (equals == NULL) {
        return OK;
    }
    CLEANUP(cleanup_free) char *name = strndup(entry, (size_t)(equals - entry));
    if (name == NULL) {
        return fail_memory(e);
    }
    return env_vars_set(vars, name, equals + 1, e);
}

enum err env_image_parse(const uint8_t *image, size_t size, struct env_vars *ret, struct error *e)
{
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    const char *at = (const char *)image + ENV_IMAGE_DATA_AT;
    size_t left = size - ENV_IMAGE_DATA_AT;
    for (;;) {
        size_t len = strnlen(at, left);
        if (len == left) {
            return fail(e, ERR_FORMAT, 0, "the variables of the boot environment have no end");
        }
        if (len == 0) {
            break;
        }
        enum err r = add_entry(&vars, at, len, e);
        if (r != OK) {
            return r;
        }
        at += len + 1;
        left -= len + 1;
    }
    *ret = vars;
    vars = (struct env_vars){0};
    return OK;
}

bool env_image_fits(const struct env_vars *vars, size_t size)
{
    size_t needed = ENV_IMAGE_DATA_AT + 1; // the empty entry
    for (size_t i = 0; i < vars->count; i++) {
        needed += strlen(vars->items[i].name) + strlen(vars->items[i].value) + 2;
    }
    return needed <= size;
}
