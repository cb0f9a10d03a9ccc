// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/history.h"

#include "updater/record_member.h"
#include "updater/sealed_record.h"

#include <string.h>
#include <time.h>

// Each byte of a text is two in JSON at most; some 300 more for the numbers and names.
enum {
    ENTRY_MAX = 2 * (OFFER_SOURCE_MAX + NAME_MAX_LEN + 3 * PLAIN_TEXT_MAX) + 512,
    RECORD_MAX = HISTORY_MAX * ENTRY_MAX,
    DURATION_MAX_S = 183 * 24 * 3600,
    MS_PER_S = 1000,
};

static const char record_name[] = "history";

static uint64_t storable(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : n;
}

void history_entry_of(const struct offer_record *r, struct history_entry *ret)
{
    uint64_t took_s = r->decided_s - r->accepted_s;
    bool known = r->accepted_s > 0 && r->decided_s >= r->accepted_s && took_s <= DURATION_MAX_S;
    *ret = (struct history_entry){
        .release_index = r->release_known ? storable(r->release.release_index) : 0,
        .outcome = r->outcome,
        .accepted_s = storable(r->accepted_s),
        .decided_s = storable(r->decided_s),
        .duration_s = known ? took_s : 0,
        .fetched_bytes = storable(r->fetched_bytes),
    };
    plain_text_copy(ret->source, sizeof ret->source, r->offer.source);
    plain_text_copy(ret->offer, sizeof ret->offer, r->offer.id);
    plain_text_copy(ret->version, sizeof ret->version, r->release_known ? r->release.version : "");
    plain_text_copy(ret->reason, sizeof ret->reason, r->reason);
    plain_text_copy(ret->failed_checks, sizeof ret->failed_checks, r->failed_checks);
}

// --- reading: false for whatever does not fit; the record is then lost ---------------------------

static bool read_outcome(const json_t *obj, enum offer_outcome *ret)
{
    const char *word = json_string_value(json_object_get(obj, "outcome"));
    for (int i = OFFER_SUCCESS; i <= OFFER_CANCELLED && word != NULL; i++) {
        if (strcmp(word, offer_outcome_name((enum offer_outcome)i)) == 0) {
            *ret = (enum offer_outcome)i;
            return true;
        }
    }
    return false;
}

static bool read_entry(const json_t *obj, struct history_entry *h)
{
    return plain_text_read(obj, "source", h->source, sizeof h->source) &&
           plain_text_read(obj, "offer", h->offer, sizeof h->offer) &&
           plain_text_read(obj, "version", h->version, sizeof h->version) &&
           member_u64(obj, "release_index", &h->release_index) && read_outcome(obj, &h->outcome) &&
           plain_text_read(obj, "reason", h->reason, sizeof h->reason) &&
           plain_text_read(obj, "failed_checks", h->failed_checks, sizeof h->failed_checks) &&
           member_u64(obj, "accepted_s", &h->accepted_s) &&
           member_u64(obj, "decided_s", &h->decided_s) &&
           member_u64(obj, "duration_s", &h->duration_s) &&
           member_u64(obj, "fetched_bytes", &h->fetched_bytes);
}

static bool read_entries(const json_t *root, struct history *h)
{
    uint64_t schema;
    const json_t *entries = json_object_get(root, "entries");
    size_t count = json_array_size(entries);
    if (!member_u64(root, "schema", &schema) || schema != HISTORY_SCHEMA ||
        !json_is_array(entries) || count > HISTORY_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_entry(json_array_get(entries, i), &h->entries[i])) {
            return false;
        }
    }
    h->count = count;
    return true;
}

enum err history_load(struct state_store *s, struct log *log, struct history **ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    bool lost;
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &lost, e);
    if (err != OK) {
        return err;
    }
    struct history *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return fail_memory(e);
    }
    if (lost || (root != NULL && !read_entries(root, h))) {
        if (log != NULL) {
            log_warn(log, "the history of updates is damaged, and begins anew");
        }
        h->count = 0;
    }
    *ret = h;
    return OK;
}

// --- writing -------------------------------------------------------------------------------------

static json_t *entry_json(const struct history_entry *h)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "source", h->source,
                     "offer", h->offer, "version", h->version, "release_index",
                     (json_int_t)h->release_index, "outcome", offer_outcome_name(h->outcome),
                     "reason", h->reason, "failed_checks", h->failed_checks, "accepted_s",
                     (json_int_t)h->accepted_s, "decided_s", (json_int_t)h->decided_s, "duration_s",
                     (json_int_t)h->duration_s, "fetched_bytes", (json_int_t)h->fetched_bytes);
}

json_t *history_json(const struct history *h)
{
    CLEANUP(cleanup_json) json_t *entries = json_array();
    for (size_t i = 0; i < h->count; i++) {
        if (json_array_append_new(entries, entry_json(&h->entries[i])) != 0) {
            return NULL;
        }
    }
    return json_pack("{s:i, s:O}", "schema", HISTORY_SCHEMA, "entries", entries);
}

static bool has(const struct history *h, const struct history_entry *entry)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct history_entry *old = &h->entries[i];
        if (old->decided_s == entry->decided_s && strcmp(old->offer, entry->offer) == 0 &&
            strcmp(old->source, entry->source) == 0) {
            return true;
        }
    }
    return false;
}

enum err history_add(struct state_store *s, const struct history_entry *entry, struct log *log,
                     struct error *e)
{
    CLEANUP(cleanup_free) struct history *h = NULL;
    enum err err = history_load(s, log, &h, e);
    if (h == NULL || has(h, entry)) {
        return err;
    }
    if (h->count == HISTORY_MAX) {
        h->count--;
        memmove(&h->entries[0], &h->entries[1], h->count * sizeof h->entries[0]);
    }
    h->entries[h->count++] = *entry;
    CLEANUP(cleanup_json) json_t *root = history_json(h);
    return sealed_record_save(s, record_name, root, e);
}

// --- for people ----------------------------------------------------------------------------------

static const char *when_text(uint64_t time_s, char *buf, size_t len)
{
    struct tm tm;
    time_t t = (time_t)time_s;
    if (time_s == 0 || gmtime_r(&t, &tm) == NULL || strftime(buf, len, "%F %T UTC", &tm) == 0) {
        return "-";
    }
    return buf;
}

static void print_entry(const struct history_entry *h, FILE *out)
{
    char when[64];
    char took[32];
    char size[16];
    uint64_t took_ms = h->duration_s <= DURATION_MAX_S ? h->duration_s * MS_PER_S : 0;
    fprintf(out, "%-24s %-12s %-16s %-10s %-14s %s\n", when_text(h->decided_s, when, sizeof when),
            h->source, h->version[0] != '\0' ? h->version : "-", offer_outcome_name(h->outcome),
            took_ms > 0 ? format_duration(took_ms, took, sizeof took) : "-",
            h->fetched_bytes > 0 ? format_size(h->fetched_bytes, size, sizeof size) : "-");
    if (h->reason[0] != '\0') {
        fprintf(out, "    %s\n", h->reason);
    }
    if (h->failed_checks[0] != '\0') {
        fprintf(out, "    failed checks: %s\n", h->failed_checks);
    }
}

void history_print(const struct history *h, FILE *out)
{
    if (h->count == 0) {
        fprintf(out, "No update was decided here yet.\n");
        return;
    }
    fprintf(out, "%-24s %-12s %-16s %-10s %-14s %s\n", "DECIDED", "SOURCE", "VERSION", "OUTCOME",
            "TOOK", "FETCHED");
    for (size_t i = 0; i < h->count; i++) {
        print_entry(&h->entries[i], out);
    }
}
