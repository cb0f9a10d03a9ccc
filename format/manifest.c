// SPDX-License-Identifier: Apache-2.0
#include "format/manifest.h"

#include "base/json.h"
#include "format/chunk_table.h"
#include "format/header.h"

#include <inttypes.h>
#include <string.h>

// --- The keys, for reader and writer alike ---

enum field_kind { FIELD_NAME, FIELD_NAMES, FIELD_U32, FIELD_U64, FIELD_BOOL, FIELD_SHA256 };

struct field {
    const char *key;
    size_t offset; // in the struct the fields belong to
    enum field_kind kind;
    // May be left out; the writer does so when it is zero or empty: one manifest, one text.
    bool optional;
};

static const struct field root_fields[] = {
    {"product", offsetof(struct manifest, product), FIELD_NAME, false},
    {"compatible", offsetof(struct manifest, compatible), FIELD_NAMES, false},
    {"version", offsetof(struct manifest, version), FIELD_NAME, false},
    {"release_index", offsetof(struct manifest, release_index), FIELD_U64, false},
    {"min_release_index", offsetof(struct manifest, min_release_index), FIELD_U64, true},
    {"min_from", offsetof(struct manifest, min_from), FIELD_U64, true},
    {"created", offsetof(struct manifest, created), FIELD_U64, false},
    {"not_after", offsetof(struct manifest, not_after), FIELD_U64, true},
    {"allow_downgrade", offsetof(struct manifest, allow_downgrade), FIELD_BOOL, true},
    {"device_ids", offsetof(struct manifest, device_ids), FIELD_NAMES, true},
    {0},
};

static const struct field table_fields[] = {
    {"sha256", offsetof(struct manifest, table_sha256), FIELD_SHA256, false},
    {"size", offsetof(struct manifest, table_size), FIELD_U32, false},
    {"records", offsetof(struct manifest, table_records), FIELD_U32, false},
    {0},
};

static const struct field payload_fields[] = {
    {"size", offsetof(struct manifest, payload_size), FIELD_U64, false},
    {0},
};

static const struct field partition_fields[] = {
    {"id", offsetof(struct partition_info, id), FIELD_U32, false},
    {"name", offsetof(struct partition_info, name), FIELD_NAME, false},
    {"image_size", offsetof(struct partition_info, image_size), FIELD_U64, false},
    {"first", offsetof(struct partition_info, first), FIELD_U32, false},
    {"count", offsetof(struct partition_info, count), FIELD_U32, false},
    {"sha256_list", offsetof(struct partition_info, sha256_list), FIELD_SHA256, false},
    {"cut", offsetof(struct partition_info, cut), FIELD_NAME, true},
    {0},
};

// --- Rules, the same for a manifest that was read and for one that is to be written ---

static enum err check_name(const char *key, const char *text, struct error *e)
{
    if (!is_name(text)) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: must be 1 to %d characters out of A-Z a-z 0-9 . _ + ~ : -", key,
                    NAME_MAX_LEN);
    }
    return OK;
}

static enum err check_range(const char *key, uint64_t value, uint64_t min, uint64_t max,
                            struct error *e)
{
    if (value < min || value > max) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: %" PRIu64 " is not allowed, only %" PRIu64 " to %" PRIu64, key, value, min,
                    max);
    }
    return OK;
}

static enum err check_count(const char *key, size_t count, size_t min, size_t max, struct error *e)
{
    if (count < min || count > max) {
        return fail(e, ERR_FORMAT, 0, "%s: has %zu entries, allowed are %zu to %zu", key, count,
                    min, max);
    }
    return OK;
}

static enum err check_release(const struct manifest *m, struct error *e)
{
    if (m->min_release_index > m->release_index) {
        return fail(e, ERR_FORMAT, 0,
                    "min_release_index: %" PRIu64 " is above release_index %" PRIu64,
                    m->min_release_index, m->release_index);
    }
    if (m->not_after != 0 && m->created > m->not_after) {
        return fail(e, ERR_FORMAT, 0, "not_after: %" PRIu64 " is before created %" PRIu64,
                    m->not_after, m->created);
    }
    return OK;
}

static enum err check_table(const struct manifest *m, struct error *e)
{
    enum err err = check_range("records", m->table_records, 1, TABLE_MAX / CHUNK_RECORD_SIZE, e);
    if (err == OK && m->table_size != m->table_records * CHUNK_RECORD_SIZE) {
        err = fail(e, ERR_FORMAT, 0,
                   "size: %" PRIu32 " bytes do not hold exactly %" PRIu32 " records of %d bytes",
                   m->table_size, m->table_records, CHUNK_RECORD_SIZE);
    }
    return err == OK ? OK : error_context(e, "table");
}

static enum err check_unique(const struct manifest *m, size_t index, struct error *e)
{
    const struct partition_info *p = &m->partitions[index];
    for (size_t i = 0; i < index; i++) {
        if (m->partitions[i].id == p->id) {
            return fail(e, ERR_FORMAT, 0, "id: %" PRIu32 " is used twice", p->id);
        }
        if (strcmp(m->partitions[i].name, p->name) == 0) {
            return fail(e, ERR_FORMAT, 0, "name: %s is used twice", p->name);
        }
    }
    return OK;
}

// `first` must continue where the partition before ended, so that no record is left out or shared.
static enum err check_partition(const struct manifest *m, size_t index, uint32_t next_record,
                                struct error *e)
{
    const struct partition_info *p = &m->partitions[index];
    enum err err = check_unique(m, index, e);
    if (err == OK) {
        err = check_range("image_size", p->image_size, 1, INT64_MAX, e);
    }
    if (err == OK && p->first != next_record) {
        err = fail(e, ERR_FORMAT, 0,
                   "first: record %" PRIu32 " does not continue the table at record %" PRIu32,
                   p->first, next_record);
    }
    if (err == OK && (p->count < 1 || p->count > m->table_records - next_record)) {
        err = fail(e, ERR_FORMAT, 0,
                   "count: %" PRIu32 " records from record %" PRIu32
                   " on are none or reach past the table of %" PRIu32,
                   p->count, next_record, m->table_records);
    }
    return err == OK ? OK : error_context(e, "partitions[%zu]", index);
}

static enum err check_partitions(const struct manifest *m, struct error *e)
{
    uint32_t next_record = 0;
    for (size_t i = 0; i < m->partition_count; i++) {
        enum err err = check_partition(m, i, next_record, e);
        if (err != OK) {
            return err;
        }
        next_record += m->partitions[i].count;
    }
    if (next_record != m->table_records) {
        return fail(e, ERR_FORMAT, 0,
                    "partitions: they cover %" PRIu32 " of %" PRIu32 " chunk records", next_record,
                    m->table_records);
    }
    return OK;
}

static enum err check_rules(const struct manifest *m, struct error *e)
{
    enum err err = check_release(m, e);
    if (err == OK) {
        err = check_table(m, e);
    }
    return err == OK ? check_partitions(m, e) : err;
}

// --- Reading ---

static enum err read_number(const json_t *value, const char *key, uint64_t max, uint64_t *ret,
                            struct error *e)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return fail(e, ERR_FORMAT, 0, "%s: must be a whole number and not negative", key);
    }
    *ret = (uint64_t)json_integer_value(value);
    return check_range(key, *ret, 0, max, e);
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

static enum err check_list(const json_t *value, const char *key, size_t min, size_t max,
                           struct error *e)
{
    if (!json_is_array(value)) {
        return fail(e, ERR_FORMAT, 0, "%s: %s", key,
                    value == NULL ? "is missing" : "must be a list");
    }
    return check_count(key, json_array_size(value), min, max, e);
}

static enum err read_names(const json_t *value, const char *key, struct name_list *ret,
                           struct error *e)
{
    // An empty list of devices would read as "any": whoever means that leaves the key out.
    enum err err = check_list(value, key, 1, MANIFEST_NAMES_MAX, e);
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

// `base` is zeroed, which is the default of every optional field.
static enum err read_fields(const json_t *obj, const struct field *fields, void *base,
                            struct error *e)
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

static enum err read_object(const json_t *root, const char *key, const struct field *fields,
                            struct manifest *m, struct error *e)
{
    enum err err = read_fields(json_object_get(root, key), fields, m, e);
    return err == OK ? OK : error_context(e, "%s", key);
}

// What a reader must understand to install the image. Format 1.0 has no such feature.
static enum err read_crit(const json_t *root, struct error *e)
{
    const json_t *array = json_object_get(root, "crit");
    enum err err = check_list(array, "crit", 0, MANIFEST_NAMES_MAX, e);
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

static enum err read_partitions(const json_t *root, struct manifest *m, struct error *e)
{
    const json_t *array = json_object_get(root, "partitions");
    enum err err = check_list(array, "partitions", 1, MANIFEST_PARTITIONS_MAX, e);
    if (err != OK) {
        return err;
    }
    m->partition_count = json_array_size(array);
    for (size_t i = 0; i < m->partition_count; i++) {
        err = read_fields(json_array_get(array, i), partition_fields, &m->partitions[i], e);
        if (err != OK) {
            return error_context(e, "partitions[%zu]", i);
        }
    }
    return OK;
}

static enum err read_manifest(const json_t *root, struct manifest *m, struct error *e)
{
    // First, so that a newer manifest is called unsupported and not damaged.
    enum err err = read_crit(root, e);
    if (err == OK) {
        err = read_fields(root, root_fields, m, e);
    }
    if (err == OK) {
        err = read_object(root, "table", table_fields, m, e);
    }
    if (err == OK) {
        err = read_object(root, "payload", payload_fields, m, e);
    }
    if (err == OK) {
        err = read_partitions(root, m, e);
    }
    return err == OK ? check_rules(m, e) : err;
}

enum err manifest_parse(const uint8_t *text, size_t len, struct manifest **ret, struct error *e)
{
    if (len < 1 || len > MANIFEST_MAX) {
        return fail(e, ERR_FORMAT, 0, "manifest: %zu bytes, allowed are 1 to %d", len,
                    MANIFEST_MAX);
    }
    CLEANUP(cleanup_manifest) struct manifest *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_json) json_t *root = NULL;
    enum err err = json_parse_canonical((const char *)text, len, &root, e);
    if (err == OK) {
        err = read_manifest(root, m, e);
    }
    if (err != OK) {
        return error_context(e, "manifest");
    }
    *ret = TAKE_PTR(m);
    return OK;
}

void manifest_free(struct manifest *m)
{
    free(m);
}

// --- Writing: what the reader refuses is not written either ---

// Takes ownership of `value`; NULL means that there was no memory for it.
static enum err set(json_t *obj, const char *key, json_t *value, struct error *e)
{
    return json_object_set_new(obj, key, value) == 0 ? OK : fail_memory(e);
}

static enum err set_number(json_t *obj, const char *key, uint64_t value, struct error *e)
{
    enum err err = check_range(key, value, 0, INT64_MAX, e);
    return err == OK ? set(obj, key, json_integer((json_int_t)value), e) : err;
}

static enum err set_name(json_t *obj, const char *key, const char *name, struct error *e)
{
    enum err err = check_name(key, name, e);
    return err == OK ? set(obj, key, json_string(name), e) : err;
}

static enum err set_names(json_t *obj, const char *key, const struct name_list *list,
                          struct error *e)
{
    enum err err = check_count(key, list->count, 1, MANIFEST_NAMES_MAX, e);
    CLEANUP(cleanup_json) json_t *array = json_array();
    for (size_t i = 0; err == OK && i < list->count; i++) {
        err = check_name(key, list->names[i], e);
        if (err == OK && json_array_append_new(array, json_string(list->names[i])) != 0) {
            err = fail_memory(e);
        }
    }
    return err == OK ? set(obj, key, TAKE_PTR(array), e) : err;
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
        return *(const bool *)at ? set(obj, f->key, json_true(), e) : OK;
    case FIELD_SHA256:
        hex_encode(at, SHA256_SIZE, hex);
        return set(obj, f->key, json_string(hex), e);
    }
    return fail(e, ERR_INTERNAL, 0, "%s: unknown kind of field", f->key);
}

static enum err write_fields(json_t *obj, const struct field *fields, const void *base,
                             struct error *e)
{
    enum err err = OK;
    for (const struct field *f = fields; err == OK && f->key != NULL; f++) {
        err = write_field(obj, f, base, e);
    }
    return err;
}

static enum err write_object(json_t *root, const char *key, const struct field *fields,
                             const struct manifest *m, struct error *e)
{
    CLEANUP(cleanup_json) json_t *obj = json_object();
    enum err err = write_fields(obj, fields, m, e);
    return err == OK ? set(root, key, TAKE_PTR(obj), e) : error_context(e, "%s", key);
}

static enum err write_partitions(json_t *root, const struct manifest *m, struct error *e)
{
    CLEANUP(cleanup_json) json_t *array = json_array();
    for (size_t i = 0; i < m->partition_count; i++) {
        CLEANUP(cleanup_json) json_t *obj = json_object();
        enum err err = write_fields(obj, partition_fields, &m->partitions[i], e);
        if (err != OK) {
            return error_context(e, "partitions[%zu]", i);
        }
        if (json_array_append_new(array, TAKE_PTR(obj)) != 0) {
            return fail_memory(e);
        }
    }
    return set(root, "partitions", TAKE_PTR(array), e);
}

static enum err write_manifest(json_t *root, const struct manifest *m, struct error *e)
{
    enum err err = check_count("partitions", m->partition_count, 1, MANIFEST_PARTITIONS_MAX, e);
    if (err == OK) {
        err = check_rules(m, e);
    }
    if (err == OK) {
        err = set(root, "crit", json_array(), e);
    }
    if (err == OK) {
        err = write_fields(root, root_fields, m, e);
    }
    if (err == OK) {
        err = write_object(root, "table", table_fields, m, e);
    }
    if (err == OK) {
        err = write_object(root, "payload", payload_fields, m, e);
    }
    return err == OK ? write_partitions(root, m, e) : err;
}

enum err manifest_write(const struct manifest *m, char **ret_text, size_t *ret_len, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = json_object();
    enum err err = write_manifest(root, m, e);
    if (err != OK) {
        return error_context(e, "manifest");
    }
    CLEANUP(cleanup_free) char *text = json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    *ret_len = strlen(text); // full lists and names come to a quarter of MANIFEST_MAX
    *ret_text = TAKE_PTR(text);
    return OK;
}
