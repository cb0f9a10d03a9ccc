// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/denylist.h"

#include "updater/record_member.h"
#include "updater/sealed_record.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

// Each byte of a text is two in JSON at most; the rest is a hash, numbers and names.
enum {
    RELEASE_MAX = 2 * (NAME_MAX_LEN + PLAIN_TEXT_MAX) + SHA256_HEX_SIZE + 256,
    RECORD_MAX = DENYLIST_MAX * RELEASE_MAX,
    HEX_SHOWN = 12,
};

static const char record_name[] = "denied";

bool denylist_blames_release(enum offer_outcome outcome, enum failure_cause cause, enum err code)
{
    bool too_large = cause == FAILURE_OF_INSTALL && code == ERR_TOO_LARGE;
    return outcome == OFFER_FAILURE && (cause == FAILURE_OF_TRIAL || too_large);
}

// --- reading: false for whatever does not fit; the record is then lost ---------------------------

static bool read_release(const json_t *obj, struct denied_release *r)
{
    struct error ignored;
    return json_get_sha256(obj, "manifest", r->manifest_sha256, &ignored) == OK &&
           plain_text_read(obj, "version", r->version, sizeof r->version) &&
           member_u64(obj, "release_index", &r->release_index) &&
           plain_text_read(obj, "reason", r->reason, sizeof r->reason) &&
           member_u64(obj, "time_s", &r->time_s) && member_u64(obj, "count", &r->count);
}

static bool read_list(const json_t *root, struct denylist *d)
{
    uint64_t schema;
    const json_t *denied = json_object_get(root, "denied");
    size_t count = json_array_size(denied);
    if (!member_u64(root, "schema", &schema) || schema != DENYLIST_SCHEMA ||
        !json_is_array(denied) || count > DENYLIST_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_release(json_array_get(denied, i), &d->releases[i])) {
            return false;
        }
    }
    d->count = count;
    return true;
}

enum err denylist_load(struct state_store *s, struct log *log, struct denylist **ret,
                       struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    bool lost;
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &lost, e);
    if (err != OK) {
        return err;
    }
    struct denylist *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return fail_memory(e);
    }
    if (lost || (root != NULL && !read_list(root, d))) {
        if (log != NULL) {
            log_warn(log, "the list of denied releases is damaged, and begins anew");
        }
        d->count = 0;
    }
    *ret = d;
    return OK;
}

// --- writing -------------------------------------------------------------------------------------

static json_t *release_json(const struct denied_release *r)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(r->manifest_sha256, SHA256_SIZE, hex);
    return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}", "manifest", hex, "version", r->version,
                     "release_index", (json_int_t)r->release_index, "reason", r->reason, "time_s",
                     (json_int_t)r->time_s, "count", (json_int_t)r->count);
}

enum err denylist_lift(struct state_store *s, struct log *log, const char *which, size_t *ret_count,
                       struct error *e)
{
    CLEANUP(cleanup_free) struct denylist *list = NULL;
    enum err err = denylist_load(s, log, &list, e);
    if (list == NULL) {
        return err;
    }
    err = denylist_allow(list, which, ret_count, e);
    return err == OK ? denylist_save(s, list, e) : err;
}

json_t *denylist_json(const struct denylist *d)
{
    CLEANUP(cleanup_json) json_t *denied = json_array();
    for (size_t i = 0; i < d->count; i++) {
        if (json_array_append_new(denied, release_json(&d->releases[i])) != 0) {
            return NULL;
        }
    }
    return json_pack("{s:i, s:O}", "schema", DENYLIST_SCHEMA, "denied", denied);
}

enum err denylist_save(struct state_store *s, const struct denylist *d, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = denylist_json(d);
    return sealed_record_save(s, record_name, root, e);
}

// --- the list ------------------------------------------------------------------------------------

static size_t index_of(const struct denylist *d, const uint8_t manifest_sha256[SHA256_SIZE])
{
    size_t i = 0;
    while (i < d->count &&
           memcmp(d->releases[i].manifest_sha256, manifest_sha256, SHA256_SIZE) != 0) {
        i++;
    }
    return i;
}

static void take_out(struct denylist *d, size_t i)
{
    d->count--;
    memmove(&d->releases[i], &d->releases[i + 1], (d->count - i) * sizeof d->releases[0]);
}

const struct denied_release *denylist_find(const struct denylist *d,
                                           const uint8_t manifest_sha256[SHA256_SIZE])
{
    size_t i = index_of(d, manifest_sha256);
    return i < d->count ? &d->releases[i] : NULL;
}

static uint64_t storable(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : n;
}

void denylist_add(struct denylist *d, const struct release_id *release, const char *reason,
                  uint64_t time_s)
{
    struct denied_release r = {
        .release_index = storable(release->release_index), .time_s = storable(time_s), .count = 1};
    memcpy(r.manifest_sha256, release->manifest_sha256, SHA256_SIZE);
    plain_text_copy(r.version, sizeof r.version, release->version);
    plain_text_copy(r.reason, sizeof r.reason, reason);
    size_t i = index_of(d, release->manifest_sha256);
    if (i < d->count) {
        const struct denied_release *old = &d->releases[i];
        r.count = storable(old->count + (old->time_s == r.time_s ? 0 : 1));
        take_out(d, i);
    } else if (d->count == DENYLIST_MAX) {
        take_out(d, 0);
    }
    d->releases[d->count++] = r;
}

static size_t allow_version(struct denylist *d, const char *version)
{
    size_t before = d->count;
    for (size_t i = d->count; i > 0; i--) {
        if (strcmp(d->releases[i - 1].version, version) == 0) {
            take_out(d, i - 1);
        }
    }
    return before - d->count;
}

static bool is_prefix(const char *text)
{
    size_t len = strlen(text);
    return len >= DENYLIST_PREFIX_MIN && len < SHA256_HEX_SIZE &&
           strspn(text, "0123456789abcdefABCDEF") == len;
}

static bool begins_with(const struct denied_release *r, const char *prefix)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(r->manifest_sha256, SHA256_SIZE, hex);
    return strncasecmp(hex, prefix, strlen(prefix)) == 0;
}

static enum err allow_prefix(struct denylist *d, const char *prefix, struct error *e)
{
    size_t found = d->count;
    for (size_t i = 0; i < d->count && is_prefix(prefix); i++) {
        if (!begins_with(&d->releases[i], prefix)) {
            continue;
        }
        if (found < d->count) {
            return fail(e, ERR_USAGE, 0,
                        "several denied releases have a manifest hash that begins with %s; give "
                        "more digits",
                        prefix);
        }
        found = i;
    }
    if (found == d->count) {
        return fail(e, ERR_USAGE, 0,
                    "no release is denied that has the version or the first %d or more digits of "
                    "the manifest hash '%s'",
                    DENYLIST_PREFIX_MIN, prefix);
    }
    take_out(d, found);
    return OK;
}

enum err denylist_allow(struct denylist *d, const char *which, size_t *ret_count, struct error *e)
{
    size_t count = d->count;
    if (strcmp(which, "all") == 0) {
        d->count = 0;
        *ret_count = count;
        return OK;
    }
    // A release whose version is not known has "" there, which is nobody's name.
    count = which[0] != '\0' ? allow_version(d, which) : 0;
    enum err err = count > 0 ? OK : allow_prefix(d, which, e);
    if (err == OK) {
        *ret_count = count > 0 ? count : 1;
    }
    return err;
}

void denylist_print(const struct denylist *d, FILE *out)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct denied_release *r = &d->releases[i];
        char hex[SHA256_HEX_SIZE];
        hex_encode(r->manifest_sha256, SHA256_SIZE, hex);
        fprintf(out, "%.*s  %-16s failed %" PRIu64 " time%s: %s\n", HEX_SHOWN, hex,
                r->version[0] != '\0' ? r->version : "-", r->count, r->count == 1 ? "" : "s",
                r->reason[0] != '\0' ? r->reason : "-");
    }
    if (d->count == 0) {
        fprintf(out, "No release is denied.\n");
    }
}
