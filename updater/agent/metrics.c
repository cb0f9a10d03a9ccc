// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/metrics.h"

#include "base/parse.h"
#include "updater/agent/offer_record.h"
#include "updater/agent/plain_text.h"

#include <inttypes.h>
#include <string.h>

enum { LABEL_MAX = 256 };

// --- the text ------------------------------------------------------------------------------------

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// NAME="VALUE"; of the format: backslash, quote and end of line are escaped in a value. The last
// one does not get here.
static void label(FILE *out, const char *name, const char *value)
{
    char plain[LABEL_MAX];
    plain_text_copy(plain, sizeof plain, value);
    fprintf(out, "%s=\"", name);
    for (const char *p = plain; *p != '\0'; p++) {
        if (*p == '\\' || *p == '"') {
            fputc('\\', out);
        }
        fputc(*p, out);
    }
    fputc('"', out);
}

static void number(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_identity(const struct metrics *m, FILE *out)
{
    char index[32];
    head(out, "vv_update_build_info", "gauge", "The program that writes this.");
    fprintf(out, "vv_update_build_info{");
    label(out, "version", m->program_version);
    fprintf(out, "} 1\n");
    head(out, "vv_update_info", "gauge", "The release that runs, and its slot.");
    fprintf(out, "vv_update_info{");
    label(out, "version", m->version);
    fputc(',', out);
    label(out, "slot", m->slot);
    snprintf(index, sizeof index, "%" PRIu64, m->release_index);
    fputc(',', out);
    label(out, "release_index", index);
    fprintf(out, "} 1\n");
}

static void write_states(const struct metrics *m, FILE *out)
{
    if (m->state_count == 0) {
        return; // no head without a sample
    }
    head(out, "vv_update_agent_state", "gauge", "What the agent does: 1 for that, 0 for others.");
    for (size_t i = 0; i < m->state_count; i++) {
        fprintf(out, "vv_update_agent_state{");
        label(out, "state", m->states[i]);
        fprintf(out, "} %d\n", i == m->state ? 1 : 0);
    }
}

static void write_updates(const struct metrics *m, FILE *out)
{
    head(out, "vv_update_updates_total", "counter", "Offers that were decided, by outcome.");
    for (int i = OFFER_SUCCESS; i < METRICS_OUTCOMES; i++) {
        fprintf(out, "vv_update_updates_total{");
        label(out, "outcome", offer_outcome_name((enum offer_outcome)i));
        fprintf(out, "} %" PRIu64 "\n", m->updates[i]);
    }
}

static void write_metrics(const struct metrics *m, FILE *out)
{
    write_identity(m, out);
    write_states(m, out);
    number(out, "vv_update_trial", "gauge", "Whether the running slot is on trial.", m->trial);
    number(out, "vv_update_held", "gauge", "Whether an operator holds updates.", m->held);
    number(out, "vv_update_denied_releases", "gauge", "Releases that failed here and are denied.",
           m->denied_releases);
    number(out, "vv_update_last_poll_timestamp_seconds", "gauge",
           "When a source was asked last; 0: never.", m->last_poll_s);
    number(out, "vv_update_last_poll_success", "gauge", "Whether it answered then.",
           m->last_poll_ok);
    number(out, "vv_update_polls_total", "counter", "Times that a source was asked.", m->polls);
    number(out, "vv_update_poll_failures_total", "counter", "Of them, those without an answer.",
           m->poll_failures);
    number(out, "vv_update_last_update_timestamp_seconds", "gauge",
           "When an offer was decided last; 0: never.", m->last_update_s);
    number(out, "vv_update_last_update_success", "gauge", "Whether it was a success.",
           m->last_update_ok);
    write_updates(m, out);
    number(out, "vv_update_download_bytes_total", "counter", "Bytes that were fetched for updates.",
           m->download_bytes);
}

char *metrics_text(const struct metrics *m)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return NULL;
    }
    write_metrics(m, out);
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    return whole ? TAKE_PTR(text) : NULL;
}

// --- the file ------------------------------------------------------------------------------------

enum err metrics_store(struct state_store *s, const char *name, const struct metrics *m,
                       bool *ret_changed, struct error *e)
{
    CLEANUP(cleanup_free) char *text = metrics_text(m);
    if (text == NULL) {
        return fail_memory(e);
    }
    bool same;
    const struct file_part part = {text, strlen(text)};
    enum err err = state_holds(s, name, &part, 1, &same, e);
    if (err == OK && !same) {
        err = state_replace_parts(s, name, &part, 1, e);
    }
    if (err == OK) {
        *ret_changed = !same;
    }
    return err;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    return len > strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

enum err metrics_write(const char *path, const struct metrics *m, struct error *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? "" : slash + 1;
    if (path[0] != '/' || !is_name(name) || name[0] == '.' || !ends_with(name, ".prom")) {
        return fail(e, ERR_CONFIG, 0, "metrics: '%s' is not the whole path of a file NAME.prom",
                    path);
    }
    // "/x.prom" is in "/".
    CLEANUP(cleanup_free) char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (dir == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    bool changed;
    enum err err = state_dir_open_public(dir, "metrics: directory", &s, e);
    return err != OK ? err : metrics_store(s, name, m, &changed, e);
}
