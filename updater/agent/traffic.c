// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/traffic.h"

#include "base/hash.h"
#include "updater/record_member.h"
#include "updater/sealed_record.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RECORD_MAX = 512, MONTHS = 12, FIRST_YEAR = 1900, TRAFFIC_SCHEMA = 1 };

static const char record_name[] = "traffic";

static struct tm local_time(uint64_t wall_s)
{
    struct tm tm = {.tm_mday = 1};
    time_t t = (time_t)wall_s;
    tzset();
    (void)localtime_r(&t, &tm);
    return tm;
}

static unsigned month_of(const struct traffic_clock *clock)
{
    const struct tm tm = local_time(clock->wall_s);
    return (unsigned)((tm.tm_year + FIRST_YEAR) * MONTHS + tm.tm_mon);
}

static bool read_record(const json_t *root, struct traffic *t)
{
    struct error ignored;
    uint64_t schema;
    uint64_t month;
    if (!member_u64(root, "schema", &schema) || schema != TRAFFIC_SCHEMA ||
        !member_u64(root, "month", &month) || month > UINT32_MAX) {
        return false;
    }
    t->month = (unsigned)month;
    return member_u64(root, "bytes", &t->bytes) &&
           json_get_sha256(root, "manifest", t->manifest_sha256, &ignored) == OK &&
           member_u64(root, "taken", &t->taken_bytes);
}

enum err traffic_load(struct state_store *s, struct traffic *ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    *ret = (struct traffic){0};
    enum err err = sealed_record_load(s, record_name, RECORD_MAX, &root, &ret->lost, e);
    if (err == OK && root != NULL && !read_record(root, ret)) {
        *ret = (struct traffic){.lost = true};
    }
    return err;
}

enum err traffic_save(struct state_store *s, const struct traffic *t, struct error *e)
{
    char hex[SHA256_HEX_SIZE];
    hex_encode(t->manifest_sha256, SHA256_SIZE, hex);
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:i, s:I, s:I, s:s, s:I}", "schema", TRAFFIC_SCHEMA, "month",
                             (json_int_t)t->month, "bytes", (json_int_t)t->bytes, "manifest", hex,
                             "taken", (json_int_t)t->taken_bytes);
    return sealed_record_save(s, record_name, root, e);
}

static bool begin_month(struct traffic *t, const struct traffic_clock *clock)
{
    unsigned month = month_of(clock);
    if (clock->wall_s < clock->floor_s || month == t->month) {
        return false;
    }
    t->month = month;
    t->bytes = 0;
    return true;
}

bool traffic_count(struct traffic *t, const struct journal *j, const struct traffic_clock *clock)
{
    bool same = memcmp(t->manifest_sha256, j->fetched.manifest_sha256, SHA256_SIZE) == 0;
    // Less than was taken over: somebody let the release be counted anew.
    bool anew = !same || j->fetched.bytes < t->taken_bytes;
    uint64_t more = anew ? j->fetched.bytes : j->fetched.bytes - t->taken_bytes;
    bool changed = begin_month(t, clock) || t->taken_bytes != j->fetched.bytes || more > 0;
    memcpy(t->manifest_sha256, j->fetched.manifest_sha256, SHA256_SIZE);
    t->taken_bytes = j->fetched.bytes;
    t->bytes += more;
    return changed;
}

void traffic_add(struct traffic *t, uint64_t bytes, const struct traffic_clock *clock)
{
    (void)begin_month(t, clock);
    t->bytes += bytes;
}

uint64_t traffic_next_month_s(const struct traffic_clock *clock)
{
    struct tm tm = local_time(clock->wall_s);
    struct tm next = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 1, .tm_isdst = -1};
    time_t t = mktime(&next);
    return t < 0 ? clock->wall_s : (uint64_t)t;
}

const char *traffic_next_month_text(uint64_t next_s, char *buf)
{
    static const char *const names[MONTHS] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const struct tm tm = local_time(next_s);
    snprintf(buf, TRAFFIC_TEXT_SIZE, "%d %s", tm.tm_mday, names[tm.tm_mon % MONTHS]);
    return buf;
}
