// SPDX-License-Identifier: Apache-2.0
#include "base/parse.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"K", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"T", UINT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Reads the digits at the start of `text`: at least one, no overflow. `*ret_rest` is what follows.
static bool parse_digits(const char *text, uint64_t *ret, const char **ret_rest)
{
    if (!is_digit(*text)) {
        return false;
    }
    uint64_t v = 0;
    for (; is_digit(*text); text++) {
        if (!u64_mul(v, 10, &v) || !u64_add(v, (uint64_t)(*text - '0'), &v)) {
            return false;
        }
    }
    *ret = v;
    *ret_rest = text;
    return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *ret)
{
    uint64_t v;
    const char *rest;
    if (!parse_digits(text, &v, &rest)) {
        return false;
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strcmp(rest, u->name) == 0) {
            return u64_mul(v, u->factor, ret);
        }
    }
    return false;
}

bool parse_u64(const char *text, uint64_t *ret)
{
    uint64_t v;
    const char *rest;
    if (!parse_digits(text, &v, &rest) || *rest != '\0') {
        return false;
    }
    *ret = v;
    return true;
}

bool parse_size(const char *text, uint64_t *ret_bytes)
{
    uint64_t v;
    if (!parse_with_unit(text, size_units, &v)) {
        return false;
    }
    *ret_bytes = v;
    return true;
}

bool parse_duration(const char *text, uint64_t *ret_ms)
{
    uint64_t v = 0;
    if (strcmp(text, "0") != 0 && !parse_with_unit(text, duration_units, &v)) {
        return false;
    }
    *ret_ms = v;
    return true;
}

bool parse_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"yes", "true", "1"};
    static const char *const no[] = {"no", "false", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0) {
            *ret = true;
            return true;
        }
        if (strcmp(text, no[i]) == 0) {
            *ret = false;
            return true;
        }
    }
    return false;
}

// Not isalnum(): the alphabet must not follow the locale.
bool is_name(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._+~:-";
    size_t len = strnlen(text, NAME_MAX_LEN + 1);
    return len >= 1 && len <= NAME_MAX_LEN && strspn(text, alphabet) == len;
}

const char *format_size(uint64_t bytes, char *buf, size_t len)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned power = 0;
    while (power < 6 && (bytes >> (10 * power)) >= 1024) {
        power++;
    }
    if (power == 0) {
        snprintf(buf, len, "%" PRIu64 " B", bytes);
        return buf;
    }
    // Cut, not rounded: 1023.99 KiB must not read "1024.0 KiB".
    uint64_t whole = bytes >> (10 * power);
    uint64_t tenths = ((bytes >> (10 * (power - 1))) & 1023) * 10 / 1024;
    snprintf(buf, len, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[power]);
    return buf;
}

const char *format_duration(uint64_t ms, char *buf, size_t len)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (i < 4 && ms < units[i].ms) {
        i++;
    }
    uint64_t whole = ms / units[i].ms;
    // Two units at most, and never milliseconds behind seconds: nobody reads more.
    uint64_t rest = i < 3 ? ms % units[i].ms / units[i + 1].ms : 0;
    if (rest == 0) {
        snprintf(buf, len, "%" PRIu64 " %s", whole, units[i].name);
    } else {
        snprintf(buf, len, "%" PRIu64 " %s %" PRIu64 " %s", whole, units[i].name, rest,
                 units[i + 1].name);
    }
    return buf;
}
