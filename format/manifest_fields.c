// SPDX-License-Identifier: Apache-2.0
#include "format/manifest_fields.h"

#include <inttypes.h>
#include <string.h>

static const struct field table_fields[] = {
    {"sha256", offsetof(struct file_body, table_sha256), FIELD_SHA256, false},
    {"size", offsetof(struct file_body, table_size), FIELD_U32, false},
    {"records", offsetof(struct file_body, table_records), FIELD_U32, false},
    {0},
};

static const struct field payload_fields[] = {
    {"size", offsetof(struct file_body, payload_size), FIELD_U64, false},
    {0},
};

static enum err check_name(const char *key, const char *text, struct error *e)
{
    if (!is_name(text)) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: must be 1 to %d characters out of A-Z a-z 0-9 . _ + ~ : -", key,
                    NAME_MAX_LEN);
    }
    return OK;
}

enum err field_check_range(const char *key, uint64_t value, uint64_t min, uint64_t max,
                           struct error *e)
{
    if (value < min || value > max) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: %" PRIu64 " is not allowed, only %" PRIu64 " to %" PRIu64, key, value, min,
                    max);
    }
    return OK;
}

enum err field_check_count(const char *key, size_t count, size_t min, size_t max, struct error *e)
{
    if (count < min || count > max) {
        return fail(e, ERR_FORMAT, 0, "%s: has %zu entries, allowed are %zu to %zu", key, count,
                    min, max);
    }
    return OK;
}

enum err fields_check_body(const struct file_body *body, uint32_t record_size, struct error *e)
{
    uint32_t records = body->table_records;
    enum err err = field_check_range("records", records, 1, TABLE_RECORDS_MAX, e);
    if (err == OK && body->table_size != records * record_size) {
        err = fail(e, ERR_FORMAT, 0,
                   "size: %" PRIu32 " bytes do not hold exactly %" PRIu32 " records of %" PRIu32
                   " bytes",
                   body->table_size, records, record_size);
    }
    return err == OK ? OK : error_context(e, "table");
}

// --- Reading ---

enum err fields_parse(const uint8_t *text, size_t len, json_t **ret_root, struct error *e)
{
    if (len < 1 || len > MANIFEST_MAX) {
        return fail(e, ERR_FORMAT, 0, "%zu bytes, allowed are 1 to %d", len, MANIFEST_MAX);
    }
    return json_parse_canonical((const char *)text, len, ret_root, e);
}

static enum err read_number(const json_t *value, const char *key, uint64_t max, uint64_t *ret,
                            struct error *e)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return fail(e, ERR_FORMAT, 0, "%s: must be a whole number and not negative", key);
    }
    *ret = (uint64_t)json_integer_value(value);
    return field_check_range(key, *ret, 0, max, e);
}

static enum err read_name(const json_t *value, const char *key, char ret[NAME_MAX_LEN + 1],
                          struct error *e)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return fail(e, ERR_FORMAT, 0, "%s: must be a string", key);
    }
    enum err err = check_name(key, text, e);
    if (err == OK) {
        memcpy(ret, text, strlen(text) + 1);
    }
    return err;
}

enum err field_check_list(const json_t *value, const char *key, size_t min, size_t max,
                          struct error *e)
{
    if (!json_is_array(value)) {
        return fail(e, ERR_FORMAT, 0, "%s: %s", key,
                    value == NULL ? "is missing" : "must be a list");
    }
    return field_check_count(key, json_array_size(value), min, max, e);
}

static enum err read_names(const json_t *value, const char *key, struct name_list *ret,
                           struct error *e)
{
    // An empty list of devices would read as "any": whoever means that leaves the key out.
    enum err err = field_check_list(value, key, 1, MANIFEST_NAMES_MAX, e);
    for (size_t i = 0; err == OK && i < json_array_size(value); i++) {
        err = read_name(json_array_get(value, i), key, ret->names[i], e);
    }
    ret->count = json_array_size(value);
    return err;
}

static enum err read_sha256(const json_t *value, const char *key, uint8_t ret[SHA256_SIZE],
                            struct error *e)
{
    const char *text = json_string_value(value);
    if (text == NULL || !hex_decode(text, SHA256_SIZE, ret)) {
        return fail(e, ERR_FORMAT, 0, "%s: must be a SHA-256 of 64 lower-case hex digits", key);
    }
    return OK;
}

static enum err read_field(const json_t *value, const struct field *f, void *base, struct error *e)
{
    void *at = (uint8_t *)base + f->offset;
    uint64_t number = 0;
    enum err err;
    switch (f->kind) {
    case FIELD_NAME:
        return read_name(value, f->key, at, e);
    case FIELD_NAMES:
        return read_names(value, f->key, at, e);
    case FIELD_U32:
        err = read_number(value, f->key, UINT32_MAX, &number, e);
        *(uint32_t *)at = (uint32_t)number;
        return err;
    case FIELD_U64:
        return read_number(value, f->key, INT64_MAX, at, e);
    case FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? OK
                                      : fail(e, ERR_FORMAT, 0, "%s: must be true or false", f->key);
    case FIELD_SHA256:
        return read_sha256(value, f->key, at, e);
    }
    return fail(e, ERR_INTERNAL, 0, "%s: unknown kind of field", f->key);
}

enum err fields_read(const json_t *obj, const struct field *fields, void *base, struct error *e)
{
    if (!json_is_object(obj)) {
        return fail(e, ERR_FORMAT, 0, "%s", obj == NULL ? "is missing" : "must be an object");
    }
    enum err err = OK;
    for (const struct field *f = fields; err == OK && f->key != NULL; f++) {
        const json_t *value = json_object_get(obj, f->key);
        if (value != NULL) {
            err = read_field(value, f, base, e);
        } else if (!f->optional) {
            err = fail(e, ERR_FORMAT, 0, "%s: is missing", f->key);
        }
    }
    return err;
}

enum err fields_read_object(const json_t *root, const char *key, const struct field *fields,
                            void *base, struct error *e)
{
    enum err err = fields_read(json_object_get(root, key), fields, base, e);
    return err == OK ? OK : error_context(e, "%s", key);
}

enum err fields_read_body(const json_t *root, struct file_body *ret, struct error *e)
{
    enum err err = fields_read_object(root, "table", table_fields, ret, e);
    return err == OK ? fields_read_object(root, "payload", payload_fields, ret, e) : err;
}

enum err fields_read_crit(const json_t *root, struct error *e)
{
    const json_t *array = json_object_get(root, "crit");
    enum err err = field_check_list(array, "crit", 0, MANIFEST_NAMES_MAX, e);
    if (err != OK || json_array_size(array) == 0) {
        return err;
    }
    char feature[NAME_MAX_LEN + 1];
    err = read_name(json_array_get(array, 0), "crit", feature, e);
    if (err != OK) {
        return err;
    }
    return fail(e, ERR_FORMAT, 0, "crit: unsupported feature \"%s\": update this program first",
                feature);
}

// --- Writing ---

enum err field_set(json_t *obj, const char *key, json_t *value, struct error *e)
{
    return json_object_set_new(obj, key, value) == 0 ? OK : fail_memory(e);
}

static enum err set_number(json_t *obj, const char *key, uint64_t value, struct error *e)
{
    enum err err = field_check_range(key, value, 0, INT64_MAX, e);
    return err == OK ? field_set(obj, key, json_integer((json_int_t)value), e) : err;
}

static enum err set_name(json_t *obj, const char *key, const char *name, struct error *e)
{
    enum err err = check_name(key, name, e);
    return err == OK ? field_set(obj, key, json_string(name), e) : err;
}

static enum err set_names(json_t *obj, const char *key, const struct name_list *list,
                          struct error *e)
{
    enum err err = field_check_count(key, list->count, 1, MANIFEST_NAMES_MAX, e);
    CLEANUP(cleanup_json) json_t *array = json_array();
    for (size_t i = 0; err == OK && i < list->count; i++) {
        err = check_name(key, list->names[i], e);
        if (err == OK && json_array_append_new(array, json_string(list->names[i])) != 0) {
            err = fail_memory(e);
        }
    }
    return err == OK ? field_set(obj, key, TAKE_PTR(array), e) : err;
}

static enum err write_field(json_t *obj, const struct field *f, const void *base, struct error *e)
{
    const void *at = (const uint8_t *)base + f->offset;
    char hex[SHA256_HEX_SIZE];
    switch (f->kind) {
    case FIELD_NAME:
        return f->optional && *(const char *)at == '\0' ? OK : set_name(obj, f->key, at, e);
    case FIELD_NAMES:
        return f->optional && ((const struct name_list *)at)->count == 0
                   ? OK
                   : set_names(obj, f->key, at, e);
    case FIELD_U32:
        return set_number(obj, f->key, *(const uint32_t *)at, e);
    case FIELD_U64:
        return f->optional && *(const uint64_t *)at == 0
                   ? OK
                   : set_number(obj, f->key, *(const uint64_t *)at, e);
    case FIELD_BOOL:
        return *(const bool *)at ? field_set(obj, f->key, json_true(), e) : OK;
    case FIELD_SHA256:
        hex_encode(at, SHA256_SIZE, hex);
        return field_set(obj, f->key, json_string(hex), e);
    }
    return fail(e, ERR_INTERNAL, 0, "%s: unknown kind of field", f->key);
}

enum err fields_write(json_t *obj, const struct field *fields, const void *base, struct error *e)
{
    enum err err = OK;
    for (const struct field *f = fields; err == OK && f->key != NULL; f++) {
        err = write_field(obj, f, base, e);
    }
    return err;
}

enum err fields_write_object(json_t *root, const char *key, const struct field *fields,
                             const void *base, struct error *e)
{
    CLEANUP(cleanup_json) json_t *obj = json_object();
    enum err err = fields_write(obj, fields, base, e);
    return err == OK ? field_set(root, key, TAKE_PTR(obj), e) : error_context(e, "%s", key);
}

enum err fields_write_body(json_t *root, const struct file_body *body, struct error *e)
{
    enum err err = fields_write_object(root, "table", table_fields, body, e);
    return err == OK ? fields_write_object(root, "payload", payload_fields, body, e) : err;
}

enum err fields_print(const json_t *root, char **ret_text, size_t *ret_len, struct error *e)
{
    char *text = json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    *ret_len = strlen(text);
    *ret_text = text;
    return OK;
}
