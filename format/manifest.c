// SPDX-License-Identifier: Apache-2.0
#include "format/manifest.h"

#include "base/json.h"
#include "format/chunk_table.h"
#include "format/header.h"
#include "format/manifest_fields.h"

#include <inttypes.h>
#include <string.h>

// --- The keys, for reader and writer alike ---

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
        err = field_check_range("image_size", p->image_size, 1, INT64_MAX, e);
    }
    if (err == OK && p->first != next_record) {
        err = fail(e, ERR_FORMAT, 0,
                   "first: record %" PRIu32 " does not continue the table at record %" PRIu32,
                   p->first, next_record);
    }
    if (err == OK && (p->count < 1 || p->count > m->body.table_records - next_record)) {
        err = fail(e, ERR_FORMAT, 0,
                   "count: %" PRIu32 " records from record %" PRIu32
                   " on are none or reach past the table of %" PRIu32,
                   p->count, next_record, m->body.table_records);
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
    if (next_record != m->body.table_records) {
        return fail(e, ERR_FORMAT, 0,
                    "partitions: they cover %" PRIu32 " of %" PRIu32 " chunk records", next_record,
                    m->body.table_records);
    }
    return OK;
}

static enum err check_rules(const struct manifest *m, struct error *e)
{
    enum err err = check_release(m, e);
    if (err == OK) {
        err = fields_check_body(&m->body, CHUNK_RECORD_SIZE, e);
    }
    return err == OK ? check_partitions(m, e) : err;
}

// --- Reading ---

static enum err read_partitions(const json_t *root, struct manifest *m, struct error *e)
{
    const json_t *array = json_object_get(root, "partitions");
    enum err err = field_check_list(array, "partitions", 1, MANIFEST_PARTITIONS_MAX, e);
    if (err != OK) {
        return err;
    }
    m->partition_count = json_array_size(array);
    for (size_t i = 0; i < m->partition_count; i++) {
        err = fields_read(json_array_get(array, i), partition_fields, &m->partitions[i], e);
        if (err != OK) {
            return error_context(e, "partitions[%zu]", i);
        }
    }
    return OK;
}

static enum err read_manifest(const json_t *root, struct manifest *m, struct error *e)
{
    // First, so that a newer manifest is called unsupported and not damaged.
    enum err err = fields_read_crit(root, e);
    if (err == OK) {
        err = fields_read(root, root_fields, m, e);
    }
    if (err == OK) {
        err = fields_read_body(root, &m->body, e);
    }
    if (err == OK) {
        err = read_partitions(root, m, e);
    }
    return err == OK ? check_rules(m, e) : err;
}

enum err manifest_parse(const uint8_t *text, size_t len, struct manifest **ret, struct error *e)
{
    CLEANUP(cleanup_manifest) struct manifest *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_json) json_t *root = NULL;
    enum err err = fields_parse(text, len, &root, e);
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

static enum err write_partitions(json_t *root, const struct manifest *m, struct error *e)
{
    CLEANUP(cleanup_json) json_t *array = json_array();
    for (size_t i = 0; i < m->partition_count; i++) {
        CLEANUP(cleanup_json) json_t *obj = json_object();
        enum err err = fields_write(obj, partition_fields, &m->partitions[i], e);
        if (err != OK) {
            return error_context(e, "partitions[%zu]", i);
        }
        if (json_array_append_new(array, TAKE_PTR(obj)) != 0) {
            return fail_memory(e);
        }
    }
    return field_set(root, "partitions", TAKE_PTR(array), e);
}

static enum err write_manifest(json_t *root, const struct manifest *m, struct error *e)
{
    enum err err =
        field_check_count("partitions", m->partition_count, 1, MANIFEST_PARTITIONS_MAX, e);
    if (err == OK) {
        err = check_rules(m, e);
    }
    if (err == OK) {
        err = field_set(root, "crit", json_array(), e);
    }
    if (err == OK) {
        err = fields_write(root, root_fields, m, e);
    }
    if (err == OK) {
        err = fields_write_body(root, &m->body, e);
    }
    return err == OK ? write_partitions(root, m, e) : err;
}

enum err manifest_write(const struct manifest *m, char **ret_text, size_t *ret_len, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = json_object();
    enum err err = write_manifest(root, m, e);
    if (err == OK) {
        // Full lists and names come to a quarter of MANIFEST_MAX.
        err = fields_print(root, ret_text, ret_len, e);
    }
    return err == OK ? OK : error_context(e, "manifest");
}
