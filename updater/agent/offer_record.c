// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_record.h"

#include "base/json.h"
#include "updater/json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One line of canonical JSON, then "crc32c " and 8 hex digits over that line with its end, as the
// journal. RECORD_MAX: every text at its longest, six characters for each of their bytes.
enum { RECORD_VERSION = 1, RECORD_MAX = 32 * 1024, TRAILER_LEN = 7 + 8 + 1 };

static const char record_name[] = "offer";

static const char *const phase_names[] = {
    [OFFER_NONE] = "none",           [OFFER_ACCEPTED] = "accepted",
    [OFFER_INSTALLED] = "installed", [OFFER_ACTIVATING] = "activating",
    [OFFER_ACTIVATED] = "activated", [OFFER_REBOOTING] = "rebooting",
    [OFFER_DONE] = "done",
};

static const char *const outcome_names[] = {
    [OFFER_UNDECIDED] = "undecided",
    [OFFER_SUCCESS] = "success",
    [OFFER_FAILURE] = "failure",
    [OFFER_CANCELLED] = "cancelled",
};

#define COUNT(names) (sizeof(names) / sizeof(names)[0])

const char *offer_phase_name(enum offer_phase phase)
{
    return phase_names[phase];
}

const char *offer_outcome_name(enum offer_outcome outcome)
{
    return outcome_names[outcome];
}

struct offer_record offer_record_none(void)
{
    return (struct offer_record){.target = SLOT_NONE};
}

// --- reading: false for whatever does not fit; the record is then lost ---------------------------

static bool read_word(const json_t *obj, const char *key, const char *const *names, size_t count,
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

static bool read_u64(const json_t *obj, const char *key, uint64_t *ret)
{
    struct error ignored;
    return json_get_u64(obj, key, ret, &ignored) == OK;
}

static bool read_bool(const json_t *obj, const char *key, bool *ret)
{
    const json_t *v = json_object_get(obj, key);
    *ret = json_is_true(v);
    return json_is_boolean(v);
}

static bool read_text(const json_t *obj, const char *key, char *ret, size_t size)
{
    struct error ignored;
    const char *text;
    if (json_get_string(obj, key, &text, &ignored) != OK || strlen(text) >= size) {
        return false;
    }
    memcpy(ret, text, strlen(text) + 1);
    return true;
}

static bool read_offer(const json_t *root, struct offer *o)
{
    return read_text(root, "source", o->source, sizeof o->source) &&
           read_text(root, "id", o->id, sizeof o->id) &&
           read_text(root, "url", o->url, sizeof o->url);
}

// JSON null: not known yet.
static bool read_release(const json_t *root, struct offer_record *r)
{
    struct error ignored;
    const json_t *v = json_object_get(root, "release");
    r->release_known = !json_is_null(v);
    return !r->release_known ||
           (json_get_sha256(v, "manifest", r->release.manifest_sha256, &ignored) == OK &&
            read_text(v, "version", r->release.version, sizeof r->release.version) &&
            read_u64(v, "index", &r->release.release_index));
}

static bool read_target(const json_t *root, int *ret)
{
    const json_t *v = json_object_get(root, "target");
    json_int_t slot = json_integer_value(v);
    if (!json_is_integer(v) || slot < SLOT_NONE || slot >= SLOT_COUNT) {
        return false;
    }
    *ret = (int)slot;
    return true;
}

static bool read_end(const json_t *root, struct offer_record *r)
{
    unsigned outcome;
    if (!read_word(root, "outcome", outcome_names, COUNT(outcome_names), &outcome)) {
        return false;
    }
    r->outcome = (enum offer_outcome)outcome;
    return read_text(root, "reason", r->reason, sizeof r->reason) &&
           read_text(root, "failed_checks", r->failed_checks, sizeof r->failed_checks) &&
           read_u64(root, "decided", &r->decided_s) && read_bool(root, "reported", &r->reported);
}

// What records of format 1 did not always have. A cause is an exit status of a verb.
static bool read_later_members(const json_t *root, struct offer_record *r)
{
    uint64_t failed_by = OK;
    bool says_cause = json_object_get(root, "failed_by") != NULL;
    bool says_consent = json_object_get(root, "consented") != NULL;
    bool says_fetched = json_object_get(root, "fetched") != NULL;
    if ((says_cause && !read_u64(root, "failed_by", &failed_by)) || failed_by > UINT8_MAX ||
        (says_consent && !read_bool(root, "consented", &r->consented)) ||
        (says_fetched && !read_u64(root, "fetched", &r->fetched_bytes))) {
        return false;
    }
    r->failed_by = (enum err)failed_by;
    return true;
}

// What no writer of ours leaves behind is damage too.
static bool is_possible(const struct offer_record *r)
{
    bool installed = r->phase > OFFER_ACCEPTED && r->phase < OFFER_DONE;
    bool decided = r->outcome != OFFER_UNDECIDED;
    return decided == (r->phase == OFFER_DONE) && (!r->reported || decided) &&
           (r->failed_by == OK || r->outcome == OFFER_FAILURE) &&
           (!installed || (r->release_known && r->target != SLOT_NONE));
}

static bool read_members(const json_t *root, struct offer_record *r)
{
    uint64_t version;
    uint64_t tries;
    unsigned phase;
    if (!read_u64(root, "format", &version) || version != RECORD_VERSION ||
        !read_word(root, "phase", phase_names, COUNT(phase_names), &phase) ||
        !read_u64(root, "tries", &tries) || tries > UINT32_MAX) {
        return false;
    }
    r->phase = (enum offer_phase)phase;
    r->tries = (unsigned)tries;
    return read_offer(root, &r->offer) && read_release(root, r) && read_target(root, &r->target) &&
           read_text(root, "boot_id", r->boot_id, sizeof r->boot_id) &&
           read_u64(root, "accepted", &r->accepted_s) && read_end(root, r) &&
           read_later_members(root, r) && is_possible(r);
}

static void write_trailer(const void *line, size_t len, char ret[TRAILER_LEN + 1])
{
    snprintf(ret, TRAILER_LEN + 1, "crc32c %08" PRIx32 "\n", crc32c(line, len));
}

// Nothing is parsed before the checksum holds.
static bool is_whole(const uint8_t *data, size_t len)
{
    if (len < TRAILER_LEN + 1) {
        return false;
    }
    size_t line = len - TRAILER_LEN;
    char trailer[TRAILER_LEN + 1];
    write_trailer(data, line, trailer);
    return memcmp(data + line, trailer, TRAILER_LEN) == 0 && data[line - 1] == '\n';
}

// ERR_FORMAT: the record is lost. Anything else is no fault of the record.
static enum err read_record(const uint8_t *data, size_t len, struct offer_record *ret,
                            struct error *e)
{
    if (!is_whole(data, len)) {
        return fail(e, ERR_FORMAT, 0, "offer: its checksum does not hold");
    }
    CLEANUP(cleanup_json) json_t *root = NULL;
    enum err err = json_parse_canonical((const char *)data, len - TRAILER_LEN - 1, &root, e);
    if (err == OK && !read_members(root, ret)) {
        err = fail(e, ERR_FORMAT, 0, "offer: a member is missing or impossible");
    }
    return err;
}

static bool is_bad_block(enum err err, const struct error *e)
{
    return err == ERR_IO && e->sys == EIO;
}

enum err offer_record_load(struct state_store *s, struct offer_record *ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    struct offer_record r = offer_record_none();
    enum err err = state_read(s, record_name, RECORD_MAX, &data, &len, e);
    if (is_bad_block(err, e)) {
        // Perhaps for once: a record that is given up is a report that is never sent.
        err = state_read(s, record_name, RECORD_MAX, &data, &len, e);
    }
    if (err == ERR_IO && e->sys == ENOENT) {
        *ret = r;
        return OK;
    }
    if (err == OK) {
        err = read_record(data, len, &r, e);
    }
    // A bad block under the record is damage like any other.
    if (err == ERR_FORMAT || is_bad_block(err, e)) {
        r = offer_record_none();
        r.lost = true;
        err = OK;
    }
    if (err == OK) {
        *ret = r;
    }
    return err;
}

// --- writing -------------------------------------------------------------------------------------

static json_t *release_json(const struct offer_record *r)
{
    char hex[SHA256_HEX_SIZE];
    if (!r->release_known) {
        return json_null();
    }
    hex_encode(r->release.manifest_sha256, SHA256_SIZE, hex);
    return json_pack("{s:s, s:o, s:I}", "manifest", hex, "version", json_text(r->release.version),
                     "index", (json_int_t)r->release.release_index);
}

static json_t *record_json(const struct offer_record *r)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:s, s:o, s:i, s:o, s:s, s:o, s:o, s:i, s:b, s:I, s:I, "
                     "s:I, s:I, s:b}",
                     "format", RECORD_VERSION, "source", json_text(r->offer.source), "id",
                     json_text(r->offer.id), "url", json_text(r->offer.url), "phase",
                     phase_names[r->phase], "release", release_json(r), "target", r->target,
                     "boot_id", json_text(r->boot_id), "outcome", outcome_names[r->outcome],
                     "reason", json_text(r->reason), "failed_checks", json_text(r->failed_checks),
                     "failed_by", (int)r->failed_by, "consented", (int)r->consented, "tries",
                     (json_int_t)r->tries, "fetched", (json_int_t)r->fetched_bytes, "accepted",
                     (json_int_t)r->accepted_s, "decided", (json_int_t)r->decided_s, "reported",
                     (int)r->reported);
}

enum err offer_record_save(struct state_store *s, const struct offer_record *r, struct error *e)
{
    // JSON integers end at 2^63 - 1; so do the numbers of a manifest, and no clock gets there.
    if ((r->release.release_index | r->accepted_s | r->decided_s | r->fetched_bytes) > INT64_MAX) {
        return fail(e, ERR_INTERNAL, 0, "offer: a number is too large to be stored");
    }
    CLEANUP(cleanup_json) json_t *root = record_json(r);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    size_t line = strlen(text) + 1;
    CLEANUP(cleanup_free) char *record = malloc(line + TRAILER_LEN + 1);
    if (record == NULL) {
        return fail_memory(e);
    }
    memcpy(record, text, line - 1);
    record[line - 1] = '\n';
    write_trailer(record, line, record + line);
    return state_replace(s, record_name, record, line + TRAILER_LEN, e);
}
