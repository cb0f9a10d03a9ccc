// SPDX-License-Identifier: Apache-2.0
#include "updater/config_values.h"

#include "base/parse.h"
#include "updater/check.h"
#include "updater/config_keys.h"

#include <stdio.h>
#include <string.h>

static bool within(const struct key_spec *spec, uint64_t v)
{
    return v >= spec->min && v <= spec->max;
}

bool config_read_text(void *field, const struct key_spec *spec, const char *value)
{
    (void)spec;
    *(const char **)field = value;
    return true;
}

bool config_read_some_text(void *field, const struct key_spec *spec, const char *value)
{
    return value[0] != '\0' && config_read_text(field, spec, value);
}

bool config_read_name(void *field, const struct key_spec *spec, const char *value)
{
    return is_name(value) && config_read_text(field, spec, value);
}

// Goes into the boot environment and through the script of a boot loader.
bool config_read_boot_value(void *field, const struct key_spec *spec, const char *value)
{
    return value[0] != '\0' && strpbrk(value, " \t\"'`;$\\&|") == NULL &&
           config_read_text(field, spec, value);
}

// A later file takes an optional text back by giving it an empty value.
static bool read_or_none(bool (*read)(void *, const struct key_spec *, const char *), void *field,
                         const struct key_spec *spec, const char *value)
{
    if (value[0] == '\0') {
        *(const char **)field = NULL;
        return true;
    }
    return read(field, spec, value);
}

bool config_read_text_or_none(void *field, const struct key_spec *spec, const char *value)
{
    return read_or_none(config_read_text, field, spec, value);
}

bool config_read_name_or_none(void *field, const struct key_spec *spec, const char *value)
{
    return read_or_none(config_read_name, field, spec, value);
}

// Absolute, because the working directory of a service says nothing.
bool config_read_path(void *field, const struct key_spec *spec, const char *value)
{
    return value[0] == '/' && config_read_text(field, spec, value);
}

bool config_read_path_or_none(void *field, const struct key_spec *spec, const char *value)
{
    return read_or_none(config_read_path, field, spec, value);
}

bool config_read_url(void *field, const struct key_spec *spec, const char *value)
{
    return source_http_is_url(value) && strpbrk(value, " \t") == NULL &&
           config_read_text(field, spec, value);
}

bool config_read_url_or_none(void *field, const struct key_spec *spec, const char *value)
{
    return read_or_none(config_read_url, field, spec, value);
}

bool config_read_number(void *field, const struct key_spec *spec, const char *value)
{
    uint64_t v;
    if (!parse_u64(value, &v) || !within(spec, v)) {
        return false;
    }
    *(unsigned *)field = (unsigned)v;
    return true;
}

bool config_read_workers(void *field, const struct key_spec *spec, const char *value)
{
    if (strcmp(value, "auto") == 0) {
        *(unsigned *)field = WORKERS_AUTO;
        return true;
    }
    return config_read_number(field, spec, value);
}

bool config_read_size(void *field, const struct key_spec *spec, const char *value)
{
    uint64_t v;
    if (!parse_size(value, &v) || !within(spec, v)) {
        return false;
    }
    *(uint64_t *)field = v;
    return true;
}

bool config_read_duration(void *field, const struct key_spec *spec, const char *value)
{
    uint64_t v;
    if (!parse_duration(value, &v) || !within(spec, v)) {
        return false;
    }
    *(uint64_t *)field = v;
    return true;
}

// SIZE or SIZE/DURATION into struct http_options.
bool config_read_low_speed(void *field, const struct key_spec *spec, const char *value)
{
    char size[32];
    size_t len = strcspn(value, "/");
    uint64_t bytes;
    uint64_t ms = 30000;
    if (len >= sizeof size) {
        return false;
    }
    memcpy(size, value, len);
    size[len] = '\0';
    if (!parse_size(size, &bytes) ||
        (value[len] == '/' && (!parse_duration(value + len + 1, &ms) || !within(spec, ms)))) {
        return false;
    }
    struct http_options *http = field;
    http->low_speed_bytes = bytes;
    http->low_speed_ms = ms;
    return true;
}

// 200 or 200-299 into struct config_check.
bool config_read_expect(void *field, const struct key_spec *spec, const char *value)
{
    char first[8];
    size_t len = strcspn(value, "-");
    uint64_t from;
    if (len >= sizeof first) {
        return false;
    }
    memcpy(first, value, len);
    first[len] = '\0';
    if (!parse_u64(first, &from)) {
        return false;
    }
    uint64_t to = from;
    if ((value[len] == '-' && !parse_u64(value + len + 1, &to)) || !within(spec, from) ||
        !within(spec, to) || from > to) {
        return false;
    }
    struct config_check *check = field;
    check->expect_first = (unsigned)from;
    check->expect_last = (unsigned)to;
    return true;
}

// The index of `value` in `words`, which ends with NULL; -1 when it is none of them.
static int word_index(const char *const *words, const char *value)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            return i;
        }
    }
    return -1;
}

static bool is_port(const char *text)
{
    uint64_t port;
    return parse_u64(text, &port) && port >= 1 && port <= UINT16_MAX;
}

// HOST:PORT or [IPv6]:PORT. It goes into a URL, and must not change what that URL means.
bool config_read_address(void *field, const struct key_spec *spec, const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t host = colon == NULL ? 0 : (size_t)(colon - value);
    size_t plain =
        strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    bool bracketed = value[0] == '[' && host > 3 && value[host - 1] == ']' &&
                     strspn(value + 1, "0123456789abcdefABCDEF:.") == host - 2;
    return host > 0 && (plain == host || bracketed) && is_port(colon + 1) &&
           config_read_text(field, spec, value);
}

// SIZE or a percentage into struct free_space.
bool config_read_percent(void *field, const struct key_spec *spec, const char *value)
{
    char number[8];
    uint64_t v;
    size_t len = strlen(value);
    if (len == 0 || len > sizeof number || value[len - 1] != '%') {
        return false;
    }
    snprintf(number, sizeof number, "%.*s", (int)(len - 1), value);
    if (!parse_u64(number, &v) || !within(spec, v)) {
        return false;
    }
    *(unsigned *)field = (unsigned)v;
    return true;
}

bool config_read_free_space(void *field, const struct key_spec *spec, const char *value)
{
    struct free_space space = {.bytes = 0};
    if (strchr(value, '%') != NULL) {
        if (!config_read_percent(&space.percent, spec, value)) {
            return false;
        }
    } else if (!parse_size(value, &space.bytes) || space.bytes == 0) {
        return false;
    }
    *(struct free_space *)field = space;
    return true;
}

// It goes into the command line of systemctl(1).
bool config_read_unit(void *field, const struct key_spec *spec, const char *value)
{
    size_t len = strlen(value);
    return len >= 1 && len <= 255 && value[0] != '-' &&
           strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@:\\") ==
               len &&
           config_read_text(field, spec, value);
}

bool config_read_bool(void *field, const struct key_spec *spec, const char *value)
{
    (void)spec;
    return parse_bool(value, field);
}

bool config_read_unit_or_none(void *field, const struct key_spec *spec, const char *value)
{
    return read_or_none(config_read_unit, field, spec, value);
}

// There is one boot loader so far: nothing is to be remembered.
bool config_read_loader_type(void *field, const struct key_spec *spec, const char *value)
{
    (void)field;
    (void)spec;
    return strcmp(value, "uboot") == 0;
}

bool config_read_contract(void *field, const struct key_spec *spec, const char *value)
{
    static const char *const words[] = {
        [CONTRACT_ORDER] = "order", [CONTRACT_BOOTCOUNT] = "bootcount", NULL};
    (void)spec;
    int i = word_index(words, value);
    if (i < 0) {
        return false;
    }
    *(enum contract *)field = (enum contract)i;
    return true;
}

bool config_read_check_kind(void *field, const struct key_spec *spec, const char *value)
{
    (void)spec;
    for (int kind = 0; kind < CHECK_KINDS; kind++) {
        if (strcmp(check_kind_name((enum check_kind)kind), value) == 0) {
            *(enum check_kind *)field = (enum check_kind)kind;
            return true;
        }
    }
    return false;
}

bool config_read_windows(void *field, const struct key_spec *spec, const char *value)
{
    (void)spec;
    return windows_parse(value, field);
}

bool config_read_fleet_source(void *field, const struct key_spec *spec, const char *value)
{
    static const char *const words[] = {[FLEET_NONE] = "none", [FLEET_DIR] = "dir", NULL};
    (void)spec;
    int i = word_index(words, value);
    if (i < 0) {
        return false;
    }
    *(enum fleet_kind *)field = (enum fleet_kind)i;
    return true;
}

bool config_read_severity(void *field, const struct key_spec *spec, const char *value)
{
    static const char *const words[] = {"wanted", "required", NULL};
    (void)spec;
    int i = word_index(words, value);
    if (i < 0) {
        return false;
    }
    *(bool *)field = i == 1;
    return true;
}

bool config_read_io_priority(void *field, const struct key_spec *spec, const char *value)
{
    static const char *const words[] = {"none", "idle", "best-effort", NULL};
    static const enum io_class classes[] = {IO_CLASS_UNCHANGED, IO_CLASS_IDLE,
                                            IO_CLASS_BEST_EFFORT};
    char word[16];
    size_t len = strcspn(value, ":");
    uint64_t level;
    if (len >= sizeof word) {
        return false;
    }
    memcpy(word, value, len);
    word[len] = '\0';
    int i = word_index(words, word);
    if (i < 0) {
        return false;
    }
    bool levels = classes[i] == IO_CLASS_BEST_EFFORT;
    level = levels ? IO_LEVEL_DEFAULT : 0;
    if (value[len] == ':' &&
        (!levels || !parse_u64(value + len + 1, &level) || !within(spec, level))) {
        return false;
    }
    *(struct io_priority *)field = (struct io_priority){classes[i], (unsigned)level};
    return true;
}
