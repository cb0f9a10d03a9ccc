// SPDX-License-Identifier: Apache-2.0
#include "format/pack_manifest.h"

#include "format/manifest_fields.h"

#include <string.h>

static const struct field root_fields[] = {
    {"created", offsetof(struct pack_manifest, created), FIELD_U64, false},
    {0},
};

static const struct field end_fields[] = {
    {"manifest_sha256", offsetof(struct pack_end, manifest_sha256), FIELD_SHA256, false},
    {"release_index", offsetof(struct pack_end, release_index), FIELD_U64, false},
    {0},
};

static enum err check_rules(const struct pack_manifest *m, struct error *e)
{
    if (memcmp(m->base.manifest_sha256, m->target.manifest_sha256, SHA256_SIZE) == 0) {
        return fail(e, ERR_FORMAT, 0, "base: is the target itself");
    }
    return fields_check_body(&m->body, PACK_RECORD_SIZE, e);
}

static enum err read_manifest(const json_t *root, struct pack_manifest *m, struct error *e)
{
    // First, so that a newer manifest is called unsupported and not damaged.
    enum err err = fields_read_crit(root, e);
    if (err == OK) {
        err = fields_read(root, root_fields, m, e);
    }
    if (err == OK) {
        err = fields_read_object(root, "base", end_fields, &m->base, e);
    }
    if (err == OK) {
        err = fields_read_object(root, "target", end_fields, &m->target, e);
    }
    if (err == OK) {
        err = fields_read_body(root, &m->body, e);
    }
    return err == OK ? check_rules(m, e) : err;
}

enum err pack_manifest_parse(const uint8_t *text, size_t len, struct pack_manifest **ret,
                             struct error *e)
{
    CLEANUP(cleanup_pack_manifest) struct pack_manifest *m = calloc(1, sizeof(*m));
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

void pack_manifest_free(struct pack_manifest *m)
{
    free(m);
}

static enum err write_manifest(json_t *root, const struct pack_manifest *m, struct error *e)
{
    enum err err = check_rules(m, e);
    if (err == OK) {
        err = field_set(root, "crit", json_array(), e);
    }
    if (err == OK) {
        err = fields_write(root, root_fields, m, e);
    }
    if (err == OK) {
        err = fields_write_object(root, "base", end_fields, &m->base, e);
    }
    if (err == OK) {
        err = fields_write_object(root, "target", end_fields, &m->target, e);
    }
    if (err == OK) {
        err = fields_write_body(root, &m->body, e);
    }
    return err;
}

enum err pack_manifest_write(const struct pack_manifest *m, char **ret_text, size_t *ret_len,
                             struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = json_object();
    enum err err = write_manifest(root, m, e);
    if (err == OK) {
        err = fields_print(root, ret_text, ret_len, e);
    }
    return err == OK ? OK : error_context(e, "manifest");
}
