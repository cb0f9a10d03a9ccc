// SPDX-License-Identifier: Apache-2.0
// The members of a manifest as a table of fields, for reader and writer alike: kinds, limits, and
// the sentences that name a key. Used by format/manifest.c and format/pack_manifest.c only.
//
// Invariants
// 1. What the reader refuses is not written either.
// 2. Every refusal is ERR_FORMAT and names its key.
#ifndef FORMAT_MANIFEST_FIELDS_H
#define FORMAT_MANIFEST_FIELDS_H

#include "base/json.h"
#include "format/header.h"
#include "format/manifest.h"

enum field_kind { FIELD_NAME, FIELD_NAMES, FIELD_U32, FIELD_U64, FIELD_BOOL, FIELD_SHA256 };

struct field {
    const char *key; // NULL ends a table of fields
    size_t offset;   // in the struct the fields belong to
    enum field_kind kind;
    // May be left out; the writer does so when it is zero or empty: one manifest, one text.
    bool optional;
};

// --- Rules ---

MUST_CHECK enum err field_check_range(const char *key, uint64_t value, uint64_t min, uint64_t max,
                                      struct error *e);
MUST_CHECK enum err field_check_count(const char *key, size_t count, size_t min, size_t max,
                                      struct error *e);
// 1..TABLE_RECORDS_MAX records of `record_size` bytes fill the table exactly.
MUST_CHECK enum err fields_check_body(const struct file_body *body, uint32_t record_size,
                                      struct error *e);
// A list, NULL being a missing one, with `min` to `max` entries.
MUST_CHECK enum err field_check_list(const json_t *value, const char *key, size_t min, size_t max,
                                     struct error *e);

// --- Reading ---

// 1..MANIFEST_MAX bytes of canonical JSON.
MUST_CHECK enum err fields_parse(const uint8_t *text, size_t len, json_t **ret_root,
                                 struct error *e);
// `crit` lists what a reader must understand. Format 1.0 has no such feature.
MUST_CHECK enum err fields_read_crit(const json_t *root, struct error *e);
// `base` is zeroed, which is the default of every optional field.
MUST_CHECK enum err fields_read(const json_t *obj, const struct field *fields, void *base,
                                struct error *e);
// The same of the object that is member `key` of `root`.
MUST_CHECK enum err fields_read_object(const json_t *root, const char *key,
                                       const struct field *fields, void *base, struct error *e);
// The members "table" and "payload" of `root`.
MUST_CHECK enum err fields_read_body(const json_t *root, struct file_body *ret, struct error *e);

// --- Writing ---

// Takes ownership of `value`; NULL means that there was no memory for it.
MUST_CHECK enum err field_set(json_t *obj, const char *key, json_t *value, struct error *e);
MUST_CHECK enum err fields_write(json_t *obj, const struct field *fields, const void *base,
                                 struct error *e);
MUST_CHECK enum err fields_write_object(json_t *root, const char *key, const struct field *fields,
                                        const void *base, struct error *e);
MUST_CHECK enum err fields_write_body(json_t *root, const struct file_body *body, struct error *e);
// Canonical text, malloced.
MUST_CHECK enum err fields_print(const json_t *root, char **ret_text, size_t *ret_len,
                                 struct error *e);

#endif
