// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_record.h"

#include "base/json.h"
#include "updater/json_text.h"
#include "updater/record_member.h"
#include "updater/sealed_record.h"

// RECORD_MAX: every text at its longest, six characters for each of their bytes.
enum { RECORD_VERSION = 1, RECORD_MAX = 32 * 1024 };

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

static bool read_offer(const json_t *root, struct offer *o)
{
    return member_text(root, "source", o->source, sizeof o->source) &&
           member_text(root, "id", o->id, sizeof o->id) &&
           member_text(root, "url", o->url, sizeof o->url);
}

// JSON null: not known yet.
static bool read_release(const json_t *root, struct offer_record *r)
{
    struct error ignored;
    const json_t *v = json_object_get(root, "release");
    r->release_known = !json_is_null(v);
    return !r->release_known ||
           (json_get_sha256(v, "manifest", r->release.manifest_sha256, &ignored) == OK &&
            member_text(v, "version", r->release.version, sizeof r->release.version) &&
            member_u64(v, "index", &r->release.release_index));
}

static bool read_end(const json_t *root, struct offer_record *r)
{
    unsigned outcome;
    if (!member_word(root, "outcome", outcome_names, COUNT(outcome_names), &outcome)) {
        return false;
    }
    r->outcome = (enum offer_outcome)outcome;
    return member_text(root, "reason", r->reason, sizeof r->reason) &&
           member_text(root, "failed_checks", r->failed_checks, sizeof r->failed_checks) &&
           member_u64(root, "decided", &r->decided_s) &&
           member_bool(root, "reported", &r->reported);
}

// What records of format 1 did not always have. A cause is an exit status of a verb.
static bool read_later_members(const json_t *root, struct offer_record *r)
{
    uint64_t failed_by = OK;
    bool says_cause = json_object_get(root, "failed_by") != NULL;
    bool says_consent = json_object_get(root, "consented") != NULL;
    bool says_fetched = json_object_get(root, "fetched") != NULL;
    if ((says_cause && !member_u64(root, "failed_by", &failed_by)) || failed_by > UINT8_MAX ||
        (says_consent && !member_bool(root, "consented", &r->consented)) ||
        (says_fetched && !member_u64(root, "fetched", &r->fetched_bytes))) {
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
    uint32_t tries;
    unsigned phase;
    if (!member_u64(root, "format", &version) || version != RECORD_VERSION ||
        !member_word(root, "phase", phase_names, COUNT(phase_names), &phase) ||
        !member_u32(root, "tries", &tries)) {
        return false;
    }
    r->phase = (enum offer_phase)phase;
    r->tries = tries;
    return read_offer(root, &r->offer) && read_release(root, r) &&
           member_slot(root, "target", &r->target) &&
           member_text(root, "boot_id", r->boot_id, sizeof r->boot_id) &&
           member_u64(root, "accepted", &r->accepted_s) && read_end(root, r) &&
           read_later_members(root, r) && is_possible(r);
}

enum err offer_record_load(struct state_store *s, struct offer_record *ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    struct offer_record r = offer_record_none();
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &r.lost, e);
    if (err == OK && r.lost) {
        // Perhaps for once: a record that is given up is a report that is never sent.
        err = sealed_record_load(s, record_name, RECORD_MAX, &root, &r.lost, e);
    }
    if (err == OK && root != NULL && !read_members(root, &r)) {
        r = offer_record_none();
        r.lost = true;
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
    return sealed_record_save(s, record_name, root, e);
}
