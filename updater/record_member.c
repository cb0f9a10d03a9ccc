// SPDX-License-Identifier: Apache-2.0
#include "updater/record_member.h"

#include "bootloader/boot_state.h"

#include <string.h>

bool member_u64(const json_t *obj, const char *key, uint64_t *ret)
{
    struct error ignored;
    return json_get_u64(obj, key, ret, &ignored) == OK;
}

bool member_u32(const json_t *obj, const char *key, uint32_t *ret)
{
    uint64_t v;
    if (!member_u64(obj, key, &v) || v > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

bool member_bool(const json_t *obj, const char *key, bool *ret)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_boolean(v)) {
        return false;
    }
    *ret = json_is_true(v);
    return true;
}

bool member_slot(const json_t *obj, const char *key, int *ret)
{
    const json_t *v = json_object_get(obj, key);
    json_int_t slot = json_integer_value(v);
    if (!json_is_integer(v) || slot < SLOT_NONE || slot >= SLOT_COUNT) {
        return false;
    }
    *ret = (int)slot;
    return true;
}

bool member_text(const json_t *obj, const char *key, char *ret, size_t size)
{
    struct error ignored;
    const char *text;
    if (json_get_string(obj, key, &text, &ignored) != OK || strlen(text) >= size) {
        return false;
    }
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

bool member_word(const json_t *obj, const char *key, const char *const *names, size_t count,
                 unsigned *ret)
{
    const char *word = json_string_value(json_object_get(obj, key));
    for (unsigned i = 0; i < count && word != NULL; i++) {
        if (strcmp(word, names[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}
