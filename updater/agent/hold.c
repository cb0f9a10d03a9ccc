// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/hold.h"

#include "base/parse.h"
#include "updater/json_text.h"
#include "updater/printable.h"
#include "updater/record_member.h"
#include "updater/sealed_record.h"

#include <string.h>

// HOLDS_MAX of them, every byte of a reason six in JSON.
enum { RECORD_VERSION = 1, RECORD_MAX = 32 * 1024 };

static const char record_name[] = "holds";

static const char *const kind_names[HOLD_KINDS] = {
    [HOLD_OPERATOR] = "hold",
    [HOLD_LOCK] = "lock",
};

const char *hold_kind_name(enum hold_kind kind)
{
    return kind_names[kind];
}

// --- time ----------------------------------------------------------------------------------------

static uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t left_of(uint64_t until, uint64_t now)
{
    return until > now ? until - now : 0;
}

static bool is_of_this_boot(const struct hold *hold, const struct hold_now *now)
{
    return now->boot_id[0] != '\0' && strcmp(hold->boot_id, now->boot_id) == 0;
}

uint64_t hold_left_ms(const struct hold *hold, const struct hold_now *now)
{
    if (hold->length_ms == HOLD_FOR_EVER) {
        return HOLD_FOR_EVER;
    }
    if (is_of_this_boot(hold, now)) {
        return left_of(hold->until_boot_ms, now->boottime_ms);
    }
    uint64_t by_wall_s = less(left_of(hold->until_s, now->wall_s), HOLD_MAX_MS / 1000);
    return less(by_wall_s * 1000, left_of(hold->length_ms, now->boottime_ms));
}

// From now on it has `left_ms` to go.
static void anchor(struct hold *hold, uint64_t left_ms, const struct hold_now *now)
{
    hold->until_boot_ms = now->boottime_ms + left_ms;
    hold->until_s = now->wall_s + (left_ms + 999) / 1000;
    snprintf(hold->boot_id, sizeof hold->boot_id, "%s", now->boot_id);
}

static bool settle_one(struct hold *hold, const struct hold_now *now)
{
    if (hold->length_ms == HOLD_FOR_EVER || !now->synchronised || now->boot_id[0] == '\0' ||
        is_of_this_boot(hold, now)) {
        return false;
    }
    anchor(hold, hold_left_ms(hold, now), now);
    return true;
}

bool holds_settle(struct holds *h, const struct hold_now *now)
{
    bool changed = false;
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (hold_left_ms(&h->all[i], now) == 0) {
            changed = true;
            continue;
        }
        changed = settle_one(&h->all[i], now) || changed;
        h->all[kept++] = h->all[i];
    }
    h->count = kept;
    return changed;
}

// --- setting and releasing -----------------------------------------------------------------------

static bool is_owner(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > HOLD_OWNER_MAX || text[0] == ' ' || text[len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static enum err check_request(const struct hold_request *r, struct error *e)
{
    const char *name = kind_names[r->kind];
    uint64_t max_ms = r->kind == HOLD_LOCK ? HOLD_LOCK_MAX_MS : HOLD_MAX_MS;
    char max[32];
    if (!is_owner(r->owner)) {
        return fail(e, ERR_USAGE, 0,
                    "%s: an owner has a name of 1 to %d printable ASCII characters", name,
                    HOLD_OWNER_MAX);
    }
    if (r->phases == 0 || (r->phases & ~(unsigned)GATE_ALL_PHASES) != 0) {
        return fail(e, ERR_USAGE, 0, "%s: no phase is named that it is for", name);
    }
    bool for_ever = r->length_ms == HOLD_FOR_EVER && r->kind == HOLD_OPERATOR;
    if (r->length_ms == 0 || (r->length_ms > max_ms && !for_ever)) {
        return fail(e, ERR_USAGE, 0, "%s: it must have an end, within %s", name,
                    format_duration(max_ms, max, sizeof max));
    }
    return OK;
}

static struct hold *find_owner(struct holds *h, enum hold_kind kind, const char *owner)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->all[i].kind == kind && strcmp(h->all[i].owner, owner) == 0) {
            return &h->all[i];
        }
    }
    return NULL;
}

enum err holds_set(struct holds *h, const struct hold_request *r, const struct hold_now *now,
                   struct error *e)
{
    enum err err = check_request(r, e);
    if (err != OK) {
        return err;
    }
    (void)holds_settle(h, now);
    struct hold *place = find_owner(h, r->kind, r->owner);
    if (place == NULL && h->count == HOLDS_MAX) {
        return fail(e, ERR_AGAIN, 0, "%s: %d others stand already, that of %s first",
                    kind_names[r->kind], HOLDS_MAX, h->all[0].owner);
    }
    struct hold hold = {
        .kind = r->kind, .phases = r->phases, .since_s = now->wall_s, .length_ms = r->length_ms};
    const char *reason = r->reason != NULL ? r->reason : "";
    snprintf(hold.owner, sizeof hold.owner, "%s", r->owner);
    printable_copy(reason, strlen(reason), hold.reason, sizeof hold.reason);
    if (r->length_ms != HOLD_FOR_EVER) {
        anchor(&hold, r->length_ms, now);
    }
    if (place == NULL) {
        place = &h->all[h->count++];
    }
    *place = hold;
    return OK;
}

bool holds_release(struct holds *h, enum hold_kind kind, const char *owner,
                   const struct hold_now *now)
{
    (void)holds_settle(h, now);
    struct hold *hold = find_owner(h, kind, owner);
    if (hold == NULL) {
        return false;
    }
    size_t behind = (size_t)(h->all + h->count - (hold + 1));
    memmove(hold, hold + 1, behind * sizeof *hold);
    h->count--;
    return true;
}

// --- telling -------------------------------------------------------------------------------------

const struct hold *holds_find(const struct holds *h, enum gate_phase phase,
                              const struct hold_now *now)
{
    const struct hold *longest = NULL;
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < h->count; i++) {
        uint64_t left_ms = hold_left_ms(&h->all[i], now);
        if ((h->all[i].phases & 1U << phase) != 0 && left_ms > longest_ms) {
            longest = &h->all[i];
            longest_ms = left_ms;
        }
    }
    return longest;
}

const char *hold_sentence(const struct hold *hold, const struct hold_now *now, char *buf,
                          size_t size)
{
    char left[32] = "";
    uint64_t left_ms = hold_left_ms(hold, now);
    if (left_ms != HOLD_FOR_EVER) {
        format_duration(left_ms, left, sizeof left);
    }
    snprintf(buf, size, "%s by %s %s%s%s%s", hold->kind == HOLD_LOCK ? "locked" : "held",
             hold->owner, left[0] != '\0' ? "for another " : "until released", left,
             hold->reason[0] != '\0' ? ": " : "", hold->reason);
    return buf;
}

// --- the record ----------------------------------------------------------------------------------

static json_t *hold_json(const struct hold *hold)
{
    bool ends = hold->length_ms != HOLD_FOR_EVER;
    return json_pack(
        "{s:s, s:s, s:o, s:i, s:I, s:I, s:I, s:I, s:s}", "kind", kind_names[hold->kind], "owner",
        hold->owner, "reason", json_text(hold->reason), "phases", (int)hold->phases, "since",
        (json_int_t)hold->since_s, "length_ms", ends ? (json_int_t)hold->length_ms : (json_int_t)0,
        "until", (json_int_t)hold->until_s, "until_boot_ms", (json_int_t)hold->until_boot_ms,
        "boot_id", hold->boot_id);
}

enum err holds_save(struct state_store *s, const struct holds *h, struct error *e)
{
    json_t *all = json_array();
    for (size_t i = 0; i < h->count && all != NULL; i++) {
        if (json_array_append_new(all, hold_json(&h->all[i])) != 0) {
            json_decref(all);
            all = NULL;
        }
    }
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:i, s:o}", "format", RECORD_VERSION, "holds", all);
    return sealed_record_save(s, record_name, root, e);
}

static bool read_text(const json_t *obj, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(obj, key));
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    return strcmp(printable_copy(text, strlen(text), ret, size), text) == 0;
}

// Nothing that holds_set() would not have taken: a record is not trusted to be ours.
static bool read_hold(const json_t *obj, struct hold *ret)
{
    struct hold h = {0};
    unsigned kind;
    uint64_t phases;
    struct error ignored;
    if (!member_word(obj, "kind", kind_names, HOLD_KINDS, &kind) ||
        !read_text(obj, "owner", h.owner, sizeof h.owner) ||
        !read_text(obj, "reason", h.reason, sizeof h.reason) ||
        !member_u64(obj, "phases", &phases) || phases > GATE_ALL_PHASES ||
        !member_u64(obj, "since", &h.since_s) || !member_u64(obj, "length_ms", &h.length_ms) ||
        !member_u64(obj, "until", &h.until_s) ||
        !member_u64(obj, "until_boot_ms", &h.until_boot_ms) ||
        !read_text(obj, "boot_id", h.boot_id, sizeof h.boot_id)) {
        return false;
    }
    h.kind = (enum hold_kind)kind;
    h.phases = (unsigned)phases;
    h.length_ms = h.length_ms == 0 ? HOLD_FOR_EVER : h.length_ms;
    const struct hold_request r = {h.kind, h.owner, NULL, h.phases, h.length_ms};
    *ret = h;
    return check_request(&r, &ignored) == OK;
}

static bool read_holds(const json_t *root, struct holds *ret)
{
    uint64_t version;
    const json_t *all = json_object_get(root, "holds");
    if (!member_u64(root, "format", &version) || version != RECORD_VERSION || !json_is_array(all) ||
        json_array_size(all) > HOLDS_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(all); i++) {
        if (!read_hold(json_array_get(all, i), &ret->all[ret->count++])) {
            return false;
        }
    }
    return true;
}

enum err holds_load(struct state_store *s, struct holds *ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    struct holds h = {0};
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &h.lost, e);
    if (err == OK && root != NULL && !read_holds(root, &h)) {
        h = (struct holds){.lost = true};
    }
    if (err == OK) {
        *ret = h;
    }
    return err;
}
