// SPDX-License-Identifier: Apache-2.0
#include "updater/baseline.h"

#include "base/json.h"
#include "updater/health.h"
#include "updater/json_text.h"

#include <string.h>

enum { RECORD_MAX = 32 * 1024 };

static const char record_name[] = "baseline";

void baseline_clear(struct baseline *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->names[i]);
    }
    free(b->names);
    *b = (struct baseline){0};
}

bool baseline_has(const struct baseline *b, const char *check)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->names[i], check) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct device *d)
{
    return d->config->confirm_baseline && d->config->check_count > 0;
}

// --- the record ---------------------------------------------------------------------------------

// Whether it is about `release`; then the names, else nothing. ERR_FORMAT for what is no record.
static enum err parse(const uint8_t *data, size_t len, const struct release_id *release,
                      bool *ret_same, struct baseline *ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    uint8_t manifest[SHA256_SIZE];
    enum err err = json_parse((const char *)data, len, &root, e);
    if (err == OK) {
        err = json_get_sha256(root, "manifest_sha256", manifest, e);
    }
    if (err != OK) {
        return err;
    }
    const json_t *failing = json_object_get(root, "failing");
    *ret_same = memcmp(manifest, release->manifest_sha256, SHA256_SIZE) == 0;
    if (!*ret_same || json_array_size(failing) == 0) {
        return OK;
    }
    ret->names = calloc(json_array_size(failing), sizeof *ret->names);
    if (ret->names == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < json_array_size(failing); i++) {
        const char *name = json_string_value(json_array_get(failing, i));
        if (name == NULL) {
            return fail(e, ERR_FORMAT, 0, "%s: a name of a check is no string", record_name);
        }
        ret->names[ret->count] = strdup(name);
        if (ret->names[ret->count] == NULL) {
            return fail_memory(e);
        }
        ret->count++;
    }
    return OK;
}

static enum err read_record(struct device *d, const struct release_id *release, bool *ret_same,
                            struct baseline *ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    *ret_same = false;
    enum err err = state_read(d->state, record_name, RECORD_MAX, &data, &len, e);
    if (err == OK) {
        err = parse(data, len, release, ret_same, ret, e);
    }
    if (err != ERR_FORMAT && err != ERR_IO) {
        return err;
    }
    baseline_clear(ret);
    *ret_same = false;
    return OK;
}

static bool fails(const struct health_result *r)
{
    return r->required && r->verdict == CHECK_UNHEALTHY;
}

static json_t *failing_json(const struct health_report *report)
{
    json_t *names = json_array();
    for (size_t i = 0; i < report->count; i++) {
        const struct health_result *r = &report->results[i];
        if (fails(r) && json_array_append_new(names, json_text(r->name)) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

static enum err write_record(struct device *d, const struct release_id *release,
                             const struct health_report *report, struct error *e)
{
    char manifest[SHA256_HEX_SIZE];
    hex_encode(release->manifest_sha256, SHA256_SIZE, manifest);
    CLEANUP(cleanup_json)
    json_t *root =
        json_pack("{s:s, s:o}", "manifest_sha256", manifest, "failing", failing_json(report));
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_canonical(root);
    return text == NULL ? fail_memory(e)
                        : state_replace(d->state, record_name, text, strlen(text), e);
}

// --- taking and using it ------------------------------------------------------------------------

enum err baseline_take(struct device *d, const struct release_id *release, bool goes_on,
                       struct error *e)
{
    CLEANUP(health_report_clear) struct health_report report = {.count = 0};
    CLEANUP(baseline_clear) struct baseline old = {0};
    bool taken = false;
    if (!is_wanted(d)) {
        return OK;
    }
    enum err err = read_record(d, release, &taken, &old, e);
    if (err != OK || (goes_on && taken)) {
        return err;
    }
    const struct health_ask ask = {.config = d->config, .clock = d->clock, .log = d->log};
    err = health_briefly(&ask, &report, e);
    if (err != OK) {
        return err;
    }
    struct error unwritten;
    for (size_t i = 0; i < report.count; i++) {
        const struct health_result *r = &report.results[i];
        if (fails(r)) {
            log_warn(d->log, "check %s fails before the update (%s): it will not be asked of it",
                     r->name, r->last_line);
        }
    }
    if (write_record(d, release, &report, &unwritten) != OK) {
        log_warn(d->log,
                 "what fails before the update could not be kept, and will be asked of it: %s",
                 unwritten.msg);
    }
    return OK;
}

enum err baseline_load(struct device *d, const struct release_id *release, struct baseline *ret,
                       struct error *e)
{
    bool same;
    return is_wanted(d) ? read_record(d, release, &same, ret, e) : OK;
}

void baseline_end(struct device *d)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    struct error e;
    if (!is_wanted(d) || state_read(d->state, record_name, RECORD_MAX, &data, &len, &e) != OK ||
        len == 0) {
        return;
    }
    if (state_replace(d->state, record_name, "", 0, &e) != OK) {
        log_warn(d->log, "what failed before the update could not be forgotten: %s", e.msg);
    }
}
