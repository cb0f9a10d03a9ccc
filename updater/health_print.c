// SPDX-License-Identifier: Apache-2.0
#include "base/cleanup.h"
#include "updater/health.h"
#include "updater/health_loop.h"
#include "updater/json_text.h"

#include <string.h>

static const char *severity_name(const struct health_result *r)
{
    return r->required ? "required" : "wanted";
}

static json_t *result_json(const struct health_result *r)
{
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:o}", "name", json_text(r->name), "kind", r->kind,
                     "severity", severity_name(r), "state", check_verdict_name(r->verdict), "tries",
                     (json_int_t)r->tries, "output", json_text(r->last_line));
}

static json_t *report_json(const struct health_report *r)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < r->count; i++) {
        if (json_array_append_new(checks, result_json(&r->results[i])) != 0) {
            json_decref(checks);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:o}", "result", r->verdict == HEALTH_GOOD ? "good" : "bad",
                     "reason", json_text(r->reason), "checks", checks);
}

static enum err print_json(const struct health_report *r, FILE *out, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = report_json(r);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

static void print_table(const struct health_report *r, FILE *out)
{
    int width = (int)strlen("CHECK");
    for (size_t i = 0; i < r->count; i++) {
        int len = (int)strlen(r->results[i].name);
        width = len > width ? len : width;
    }
    fprintf(out, "%-*s  %-8s  %-8s  %-9s  %5s  %s\n", width, "CHECK", "KIND", "SEVERITY", "STATE",
            "TRIES", "OUTPUT");
    for (size_t i = 0; i < r->count; i++) {
        const struct health_result *one = &r->results[i];
        fprintf(out, "%-*s  %-8s  %-8s  %-9s  %5u  %s\n", width, one->name, one->kind,
                severity_name(one), check_verdict_name(one->verdict), one->tries, one->last_line);
    }
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
