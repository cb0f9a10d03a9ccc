// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/events.h"

#include "base/parse.h"
#include "updater/agent/offer_record.h"
#include "updater/agent/plain_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_MAX = 512, PERCENT = 100 };

static const char *const kind_names[] = {
    [EVENT_STATE] = "state", [EVENT_PROGRESS] = "progress", [EVENT_REPORT] = "report",
    [EVENT_GATE] = "gate",   [EVENT_LOG] = "log",
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info"};

const char *event_kind_name(enum event_kind kind)
{
    return kind_names[kind];
}

enum log_level event_level(const char *name)
{
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_INFO; level++) {
        if (name != NULL && strcmp(name, level_names[level]) == 0) {
            return level;
        }
    }
    return LOG_LEVEL_INFO;
}

bool event_is_final(const struct agent_event *ev)
{
    return (ev->kind == EVENT_STATE || ev->kind == EVENT_REPORT) && ev->outcome != OFFER_UNDECIDED;
}

static bool is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

// --- JSON ----------------------------------------------------------------------------------------

static json_t *text_json(const char *text)
{
    char plain[FIELD_MAX];
    plain_text_copy(plain, sizeof plain, text);
    return json_string(plain);
}

static json_t *text_or_null(const char *text)
{
    return is_empty(text) ? json_null() : text_json(text);
}

// JSON integers end at 2^63 - 1.
static json_t *number_json(uint64_t n)
{
    return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *number_or_null(uint64_t n, bool known)
{
    return known ? number_json(n) : json_null();
}

static uint64_t percent_of(const struct agent_event *ev)
{
    if (ev->done_bytes >= ev->total_bytes) {
        return PERCENT;
    }
    // Without an overflow; a total below 100 bytes needs none.
    return ev->total_bytes < UINT64_MAX / PERCENT ? ev->done_bytes * PERCENT / ev->total_bytes
                                                  : ev->done_bytes / (ev->total_bytes / PERCENT);
}

static json_t *members_of_kind(const struct agent_event *ev)
{
    bool total = ev->total_bytes > 0;
    switch (ev->kind) {
    case EVENT_STATE:
        return json_pack("{s:s, s:o}", "outcome", offer_outcome_name(ev->outcome), "reason",
                         text_json(ev->reason));
    case EVENT_REPORT:
        return json_pack("{s:s, s:o, s:o, s:b}", "outcome", offer_outcome_name(ev->outcome),
                         "reason", text_json(ev->reason), "failed_checks",
                         text_json(ev->failed_checks), "acknowledged", (int)ev->acknowledged);
    case EVENT_PROGRESS:
        return json_pack("{s:o, s:o, s:o}", "done_bytes", number_json(ev->done_bytes),
                         "total_bytes", number_or_null(ev->total_bytes, total), "percent",
                         number_or_null(total ? percent_of(ev) : 0, total));
    case EVENT_GATE:
        return json_pack("{s:o, s:o, s:b, s:o, s:o}", "phase", text_json(ev->phase), "gate",
                         text_json(ev->gate), "open", (int)ev->open, "reason",
                         text_json(ev->reason), "until",
                         number_or_null(ev->until_s, ev->until_s > 0));
    case EVENT_LOG:
        return json_pack("{s:s, s:o}", "level", level_names[ev->level], "message",
                         text_json(ev->message));
    }
    return NULL;
}

json_t *event_json(const struct agent_event *ev)
{
    CLEANUP(cleanup_json) json_t *more = members_of_kind(ev);
    CLEANUP(cleanup_json)
    json_t *root =
        json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema", EVENTS_SCHEMA, "event",
                  kind_names[ev->kind], "time", number_json(ev->time_s), "state",
                  text_json(ev->state), "source", text_or_null(ev->source), "offer",
                  text_or_null(ev->offer), "version", text_or_null(ev->version), "release_index",
                  number_or_null(ev->release_index, !is_empty(ev->version)));
    if (root == NULL || more == NULL || json_object_update(root, more) != 0) {
        return NULL;
    }
    return TAKE_PTR(root);
}

// --- variables -----------------------------------------------------------------------------------

static void put(FILE *out, const char *name, const char *text)
{
    char plain[FIELD_MAX];
    plain_text_copy(plain, sizeof plain, text);
    fprintf(out, "%s=%s\n", name, plain);
}

char *event_variables(const struct agent_event *ev)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len;
    char index[32] = "";
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    if (!is_empty(ev->version)) {
        snprintf(index, sizeof index, "%" PRIu64, ev->release_index);
    }
    bool decided = event_is_final(ev);
    put(out, "VV_EVENT", kind_names[ev->kind]);
    put(out, "VV_STATE", ev->state);
    put(out, "VV_SOURCE", ev->source);
    put(out, "VV_OFFER", ev->offer);
    put(out, "VV_VERSION", ev->version);
    put(out, "VV_RELEASE_INDEX", index);
    put(out, "VV_OUTCOME", decided ? offer_outcome_name(ev->outcome) : "");
    put(out, "VV_REASON", ev->reason);
    put(out, "VV_FAILED_CHECKS", ev->failed_checks);
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    return whole ? TAKE_PTR(text) : NULL;
}

// --- for people ----------------------------------------------------------------------------------

// "downloading 2.0 of dir"
static void write_subject(const struct agent_event *ev, FILE *out)
{
    fprintf(out, "%s", is_empty(ev->state) ? "agent" : ev->state);
    if (!is_empty(ev->version)) {
        fprintf(out, " %s", ev->version);
    }
    if (!is_empty(ev->source)) {
        fprintf(out, " of %s", ev->source);
    }
}

static void write_why(const char *before, const char *text, FILE *out)
{
    if (!is_empty(text)) {
        fprintf(out, "%s%s", before, text);
    }
}

static void write_sentence(const struct agent_event *ev, FILE *out)
{
    char done[16];
    char total[16];
    if (ev->kind == EVENT_LOG) {
        write_why("", ev->message, out);
        return;
    }
    write_subject(ev, out);
    if (ev->kind == EVENT_PROGRESS) {
        fprintf(out, ": %s", format_size(ev->done_bytes, done, sizeof done));
        if (ev->total_bytes > 0) {
            fprintf(out, " of %s", format_size(ev->total_bytes, total, sizeof total));
        }
    } else if (ev->kind == EVENT_GATE) {
        fprintf(out, ": %s %s by %s", ev->phase != NULL ? ev->phase : "",
                ev->open ? "let pass" : "held back", ev->gate != NULL ? ev->gate : "");
        write_why(": ", ev->reason, out);
    } else {
        if (ev->outcome != OFFER_UNDECIDED) {
            fprintf(out, ": %s", offer_outcome_name(ev->outcome));
        }
        write_why(": ", ev->reason, out);
        write_why("; failed checks: ", ev->failed_checks, out);
        fprintf(out, "%s", ev->acknowledged ? "; its source knows" : "");
    }
}

const char *event_sentence(const struct agent_event *ev, char *buf, size_t len)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t written;
    FILE *out = open_memstream(&text, &written);
    buf[0] = '\0';
    if (out != NULL) {
        write_sentence(ev, out);
        if (fclose(out) == 0) {
            plain_text_copy(buf, len, text);
        }
    }
    return buf;
}
