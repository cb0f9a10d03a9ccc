// SPDX-License-Identifier: Apache-2.0
#include "updater/health_record.h"

#include "base/parse.h"
#include "updater/json_text.h"
#include "updater/trial.h"

#include <string.h>

// 200 checks, and HEALTH_LOGS_MAX bytes of output of which each may take six in JSON.
enum { RECORD_MAX = 512 * 1024 };

static const char record_name[] = "health";

json_t *health_record_make(struct device *d, const struct health_report *r, uint64_t until_ms)
{
    const struct release_id release = trial_release(d, d->running);
    json_t *root = health_report_json(r);
    CLEANUP(cleanup_json)
    json_t *more =
        json_pack("{s:s, s:o, s:I, s:o}", "slot", d->config->slots[d->running].name, "version",
                  json_text_or_null(release.version[0] != '\0' ? release.version : NULL),
                  "until_ms", (json_int_t)until_ms, "watchdog",
                  json_text_or_null(d->watchdog != NULL ? d->watchdog->state : NULL));
    if (root == NULL || more == NULL || json_object_update(root, more) != 0) {
        json_decref(root);
        return NULL;
    }
    return root;
}

enum err health_record_save(const struct device *d, const json_t *record, struct error *e)
{
    CLEANUP(cleanup_free) char *text = record == NULL ? NULL : json_canonical(record);
    return text == NULL ? fail_memory(e)
                        : state_replace(d->state, record_name, text, strlen(text), e);
}

json_t *health_record_load(const struct device *d)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len;
    struct error e;
    json_t *root = NULL;
    if (state_read(d->state, record_name, RECORD_MAX, &data, &len, &e) != OK ||
        json_parse((const char *)data, len, &root, &e) != OK) {
        return NULL;
    }
    return root;
}

// --- what is waited for -------------------------------------------------------------------------

static bool is_of_running_slot(const struct device *d, const json_t *record)
{
    const char *slot = json_string_value(json_object_get(record, "slot"));
    const char *result = json_string_value(json_object_get(record, "result"));
    return slot != NULL && result != NULL && strcmp(result, "waiting") == 0 &&
           strcmp(slot, d->config->slots[d->running].name) == 0;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void PRINTF_LIKE(3, 4) add(char *buf, size_t len, const char *fmt, ...)
{
    size_t used = strlen(buf);
    va_list args;
    va_start(args, fmt);
    vsnprintf(buf + used, len - used, fmt, args);
    va_end(args);
}

// A text that did not fit was cut anywhere, perhaps within a character of UTF-8.
static void end_with_a_character(char *buf)
{
    size_t end = strlen(buf);
    size_t first = end;
    while (first > 0 && ((unsigned char)buf[first - 1] & 0xc0) == 0x80) {
        first--;
    }
    if (first == 0) {
        return;
    }
    unsigned char lead = (unsigned char)buf[first - 1];
    size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (end - (first - 1) < wanted) {
        buf[first - 1] = '\0';
    }
}

const char *health_record_sentence(const struct device *d, const json_t *record, char *buf,
                                   size_t len)
{
    char left[32];
    buf[0] = '\0';
    if (!is_of_running_slot(d, record)) {
        return buf;
    }
    uint64_t until_ms = (uint64_t)json_integer_value(json_object_get(record, "until_ms"));
    uint64_t now_ms = d->clock->ops->boottime_ms(d->clock);
    if (until_ms <= now_ms) {
        return buf;
    }
    add(buf, len, "Waiting for the health checks, %s at most",
        format_duration(until_ms - now_ms, left, sizeof left));
    const char *before = ": ";
    size_t index;
    const json_t *check;
    json_array_foreach(json_object_get(record, "checks"), index, check)
    {
        const char *output = text_of(check, "output");
        if (strcmp(text_of(check, "severity"), "required") == 0 &&
            strcmp(text_of(check, "state"), "healthy") != 0) {
            add(buf, len, "%s%s is %s%s%s%s", before, text_of(check, "name"),
                text_of(check, "state"), output[0] != '\0' ? " (" : "", output,
                output[0] != '\0' ? ")" : "");
            before = ", ";
        }
    }
    add(buf, len, "%s.", before[0] == ':' ? ": all are healthy, and have to stay so" : "");
    end_with_a_character(buf);
    return buf;
}
