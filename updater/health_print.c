// SPDX-License-Identifier: Apache-2.0
#include "base/cleanup.h"
#include "base/terminal.h"
#include "updater/health.h"
#include "updater/health_loop.h"
#include "updater/json_text.h"

#include <string.h>

enum { ROW_SIZE = 512, KIND_WIDTH = 8 };

static const char *severity_name(const struct health_result *r)
{
    return r->required ? "required" : "wanted";
}

// Of several lines the last one may not be the one that matters.
static bool has_log(const struct health_result *r)
{
    const char *newline = strchr(r->output, '\n');
    return r->required && newline != NULL && newline[strspn(newline, "\r\n\t ")] != '\0';
}

// `*left`: how much of the logs may still be told.
static json_t *result_json(const struct health_result *r, size_t *left)
{
    json_t *one =
        json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "name", json_text(r->name), "kind",
                  r->kind, "severity", severity_name(r), "state", check_verdict_name(r->verdict),
                  "tries", (json_int_t)r->tries, "duration_ms", (json_int_t)r->duration_ms,
                  "output", json_text(r->last_line));
    size_t len = strlen(r->output);
    if (one == NULL || !has_log(r) || len > *left) {
        return one;
    }
    *left -= len;
    if (json_object_set_new(one, "log", json_text(r->output)) != 0) {
        json_decref(one);
        return NULL;
    }
    return one;
}

json_t *health_report_json(const struct health_report *r)
{
    static const char *const results[] = {
        [HEALTH_GOOD] = "good", [HEALTH_BAD] = "bad", [HEALTH_WAITING] = "waiting"};
    size_t left = HEALTH_LOGS_MAX;
    json_t *checks = json_array();
    for (size_t i = 0; i < r->count; i++) {
        if (json_array_append_new(checks, result_json(&r->results[i], &left)) != 0) {
            json_decref(checks);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:o}", "result", results[r->verdict], "reason",
                     json_text(r->reason), "checks", checks);
}

static enum err print_json(const struct health_report *r, FILE *out, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = health_report_json(r);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

static int wider(int width, const char *text)
{
    int len = (int)strlen(text);
    return len > width ? len : width;
}

// Row 0 is the heading.
static void format_row(const struct health_report *r, size_t row, char *buf, size_t len)
{
    int name = (int)strlen("CHECK");
    int kind = KIND_WIDTH;
    for (size_t i = 0; i < r->count; i++) {
        name = wider(name, r->results[i].name);
        kind = wider(kind, r->results[i].kind);
    }
    if (row == 0) {
        snprintf(buf, len, "%-*s  %-*s  %-8s  %-9s  %5s  %s", name, "CHECK", kind, "KIND",
                 "SEVERITY", "STATE", "TRIES", "OUTPUT");
        return;
    }
    const struct health_result *one = &r->results[row - 1];
    snprintf(buf, len, "%-*s  %-*s  %-8s  %-9s  %5u  %s", name, one->name, kind, one->kind,
             severity_name(one), check_verdict_name(one->verdict), one->tries, one->last_line);
}

static void print_table(const struct health_report *r, FILE *out)
{
    char row[ROW_SIZE];
    for (size_t i = 0; i <= r->count; i++) {
        format_row(r, i, row, sizeof row);
        fprintf(out, "%s\n", row);
    }
}

// Where `columns` characters of UTF-8 end.
static size_t cut(const char *text, size_t columns)
{
    size_t at = 0;
    for (size_t seen = 0; text[at] != '\0'; at++) {
        seen += ((unsigned char)text[at] & 0xc0) != 0x80;
        if (seen > columns) {
            break;
        }
    }
    return at;
}

void health_screen_draw(struct health_screen *s, const struct health_report *r)
{
    char row[ROW_SIZE];
    size_t columns = terminal_columns(s->out);
    if (s->rows > 0) {
        fprintf(s->out, "\033[%zuA", s->rows); // up
    }
    for (size_t i = 0; i <= r->count; i++) {
        format_row(r, i, row, sizeof row);
        // The last column stays free: many terminals wrap as soon as it is written.
        fprintf(s->out, "%.*s\033[K\n", (int)cut(row, columns > 0 ? columns - 1 : SIZE_MAX), row);
    }
    s->rows = r->count + 1;
    fflush(s->out);
}

enum err health_print(const struct health_report *r, FILE *out, bool json, struct error *e)
{
    enum err err = OK;
    if (json) {
        err = print_json(r, out, e);
    } else if (r->count == 0) {
        fprintf(out, "no health checks are configured\n");
    } else {
        print_table(r, out);
    }
    if (err == OK && (fflush(out) != 0 || ferror(out) != 0)) {
        err = fail(e, ERR_IO, errno, "write the report of the health checks");
    }
    return err;
}
