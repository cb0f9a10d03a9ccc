// SPDX-License-Identifier: Apache-2.0
#include "updater/journal.h"

#include "base/json.h"
#include "updater/json_text.h"
#include "updater/record_member.h"
#include "updater/sealed_record.h"

#include <string.h>

// RECORD_VERSION is that of released programs. Both slots share the record, so the program that
// reads it may be newer than the one that wrote it: a member that came later may be missing. Any
// other that is missing or of the wrong kind loses the record like damage.
enum { RECORD_VERSION = 1, RECORD_MAX = 16 * 1024 };

static const char record_name[] = "journal";

static const char *const step_names[] = {
    [STEP_IDLE] = "idle",           [STEP_INSTALLING] = "installing",
    [STEP_INSTALLED] = "installed", [STEP_ACTIVATING] = "activating",
    [STEP_TRIAL] = "trial",
};

static const char *const content_names[] = {
    [CONTENT_UNKNOWN] = "unknown",     [CONTENT_PARTIAL] = "partial",
    [CONTENT_INSTALLED] = "installed", [CONTENT_CONFIRMED] = "confirmed",
    [CONTENT_REJECTED] = "rejected",
};

static const char *const outcome_names[] = {
    [OUTCOME_NONE] = "none",
    [OUTCOME_INSTALLED] = "installed",
    [OUTCOME_ACTIVATED] = "activated",
    [OUTCOME_CONFIRMED] = "confirmed",
    [OUTCOME_ROLLED_BACK] = "rolled_back",
    [OUTCOME_FAILED] = "failed",
};

#define COUNT(names) (sizeof(names) / sizeof(names)[0])

const char *journal_step_name(enum journal_step step)
{
    return step_names[step];
}

const char *slot_content_name(enum slot_content content)
{
    return content_names[content];
}

const char *journal_outcome_name(enum journal_outcome outcome)
{
    return outcome_names[outcome];
}

bool journal_newest_confirmed(const struct journal *j, int settled, uint64_t *ret_index)
{
    if (j->confirmed_max == 0) {
        return false;
    }
    *ret_index = j->confirmed_max;
    if (settled != SLOT_NONE && j->slots[settled].content == CONTENT_INSTALLED &&
        j->slots[settled].release.release_index > *ret_index) {
        *ret_index = j->slots[settled].release.release_index;
    }
    return true;
}

void journal_count_anew(struct journal *j)
{
    j->restarts = 0;
    j->left_bytes = 0;
    j->open = false;
    memset(&j->fetched, 0, sizeof j->fetched);
}

uint64_t journal_fetched(const struct journal *j, const struct release_id *release)
{
    bool same = memcmp(j->fetched.manifest_sha256, release->manifest_sha256, SHA256_SIZE) == 0;
    return same ? j->fetched.bytes : 0;
}

void journal_set_fetched(struct journal *j, const struct release_id *release, uint64_t bytes)
{
    memcpy(j->fetched.manifest_sha256, release->manifest_sha256, SHA256_SIZE);
    j->fetched.bytes = bytes;
}

void journal_begin(struct journal *j, int slot, const struct release_id *release,
                   uint64_t left_bytes, bool anew)
{
    bool again = !anew && j->step == STEP_INSTALLING && j->slot == slot &&
                 memcmp(j->release.manifest_sha256, release->manifest_sha256, SHA256_SIZE) == 0;
    if (!again || left_bytes < j->left_bytes) {
        j->restarts = 0;
        j->left_bytes = left_bytes;
    } else if (j->open && j->restarts < UINT32_MAX) {
        j->restarts++;
    }
    j->open = true;
    j->step = STEP_INSTALLING;
    j->slot = slot;
    j->release = *release;
    j->next_chunk = 0;
    j->slots[slot].content = CONTENT_PARTIAL;
    j->slots[slot].release = *release;
}

static struct journal fresh_journal(bool lost)
{
    return (struct journal){.lost = lost, .slot = SLOT_NONE, .last = {.slot = SLOT_NONE}};
}

// --- reading: false for whatever does not fit; the record is then lost ---------------------------

static bool read_fetched(const json_t *root, struct journal *j)
{
    struct error ignored;
    const json_t *fetched = json_object_get(root, "fetched");
    return fetched == NULL ||
           (json_get_sha256(fetched, "manifest", j->fetched.manifest_sha256, &ignored) == OK &&
            member_u64(fetched, "bytes", &j->fetched.bytes));
}

// The members that came later: absent means 0 and false, which a fresh journal has.
static bool read_later_members(const json_t *root, struct journal *j)
{
    const json_t *open = json_object_get(root, "open");
    j->open = json_is_true(open);
    return (open == NULL || json_is_boolean(open)) &&
           (json_object_get(root, "left_bytes") == NULL ||
            member_u64(root, "left_bytes", &j->left_bytes)) &&
           read_fetched(root, j);
}

static bool read_release(const json_t *obj, struct release_id *ret)
{
    struct error ignored;
    const json_t *v = json_object_get(obj, "release");
    return json_get_sha256(v, "manifest", ret->manifest_sha256, &ignored) == OK &&
           member_text(v, "version", ret->version, sizeof ret->version) &&
           member_u64(v, "index", &ret->release_index);
}

static bool read_slots(const json_t *root, struct journal *j)
{
    const json_t *slots = json_object_get(root, "slots");
    if (json_array_size(slots) != SLOT_COUNT) {
        return false;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        const json_t *slot = json_array_get(slots, i);
        unsigned content;
        if (!member_word(slot, "content", content_names, COUNT(content_names), &content) ||
            !read_release(slot, &j->slots[i].release)) {
            return false;
        }
        j->slots[i].content = (enum slot_content)content;
    }
    return true;
}

static bool read_last(const json_t *root, struct journal *j)
{
    const json_t *last = json_object_get(root, "last");
    unsigned outcome;
    if (!member_word(last, "outcome", outcome_names, COUNT(outcome_names), &outcome) ||
        !member_slot(last, "slot", &j->last.slot) || !read_release(last, &j->last.release) ||
        !member_text(last, "reason", j->last.reason, sizeof j->last.reason) ||
        !member_u64(last, "time", &j->last.time_s)) {
        return false;
    }
    j->last.outcome = (enum journal_outcome)outcome;
    return true;
}

static bool read_journal(const json_t *root, struct journal *j)
{
    uint64_t version;
    unsigned step;
    if (!member_u64(root, "format", &version) || version != RECORD_VERSION ||
        !member_word(root, "step", step_names, COUNT(step_names), &step)) {
        return false;
    }
    j->step = (enum journal_step)step;
    return member_slot(root, "slot", &j->slot) && read_release(root, &j->release) &&
           member_u32(root, "next_chunk", &j->next_chunk) &&
           member_u32(root, "chunk_count", &j->chunk_count) &&
           member_u32(root, "restarts", &j->restarts) &&
           member_u32(root, "attempts", &j->attempts) && read_slots(root, j) &&
           read_last(root, j) && member_u64(root, "confirmed_max", &j->confirmed_max) &&
           member_u64(root, "floor", &j->floor) &&
           member_u64(root, "time_floor", &j->time_floor_s) && read_later_members(root, j);
}

enum err journal_load(struct state_store *s, struct journal *ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    bool lost;
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &lost, e);
    if (err != OK) {
        return err;
    }
    struct journal j = fresh_journal(lost);
    *ret = root == NULL || read_journal(root, &j) ? j : fresh_journal(true);
    return OK;
}

// --- writing -------------------------------------------------------------------------------------

static json_t *release_json(const struct release_id *r)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(r->manifest_sha256, SHA256_SIZE, hex);
    return json_pack("{s:s, s:s, s:I}", "manifest", hex, "version", r->version, "index",
                     (json_int_t)r->release_index);
}

static json_t *slots_json(const struct journal *j)
{
    json_t *slots = json_array();
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        json_t *slot = json_pack("{s:s, s:o}", "content", content_names[j->slots[i].content],
                                 "release", release_json(&j->slots[i].release));
        // A failed append leaves the array too short, which is seen when it is packed.
        if (json_array_append_new(slots, slot) != 0) {
            json_decref(slots);
            return NULL;
        }
    }
    return slots;
}

static json_t *fetched_json(const struct journal *j)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(j->fetched.manifest_sha256, SHA256_SIZE, hex);
    return json_pack("{s:s, s:I}", "manifest", hex, "bytes", (json_int_t)j->fetched.bytes);
}

static json_t *journal_json(const struct journal *j)
{
    json_t *last =
        json_pack("{s:s, s:i, s:o, s:o, s:I}", "outcome", outcome_names[j->last.outcome], "slot",
                  j->last.slot, "release", release_json(&j->last.release), "reason",
                  json_text(j->last.reason), "time", (json_int_t)j->last.time_s);
    return json_pack(
        "{s:i, s:s, s:i, s:o, s:I, s:I, s:I, s:I, s:b, s:o, s:I, s:o, s:o, s:I, s:I, s:I}",
        "format", RECORD_VERSION, "step", step_names[j->step], "slot", j->slot, "release",
        release_json(&j->release), "next_chunk", (json_int_t)j->next_chunk, "chunk_count",
        (json_int_t)j->chunk_count, "restarts", (json_int_t)j->restarts, "left_bytes",
        (json_int_t)j->left_bytes, "open", (int)j->open, "fetched", fetched_json(j), "attempts",
        (json_int_t)j->attempts, "slots", slots_json(j), "last", last, "confirmed_max",
        (json_int_t)j->confirmed_max, "floor", (json_int_t)j->floor, "time_floor",
        (json_int_t)j->time_floor_s);
}

// JSON integers end at 2^63 - 1. Manifests do too, so a larger number is a bug.
static bool fits(const struct journal *j)
{
    uint64_t all = j->release.release_index | j->last.release.release_index | j->last.time_s |
                   j->confirmed_max | j->floor | j->time_floor_s | j->left_bytes | j->fetched.bytes;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        all |= j->slots[i].release.release_index;
    }
    return all <= INT64_MAX;
}

enum err journal_save(struct state_store *s, const struct journal *j, struct error *e)
{
    if (!fits(j)) {
        return fail(e, ERR_INTERNAL, 0, "journal: a number is too large to be stored");
    }
    CLEANUP(cleanup_json) json_t *root = journal_json(j);
    return sealed_record_save(s, record_name, root, e);
}
