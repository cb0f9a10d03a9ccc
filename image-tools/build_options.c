// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build_options.h"

#include "base/parse.h"
#include "image-tools/tool.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

// JSON integers of the manifest are signed.
#define MAX_INTEGER ((uint64_t)INT64_MAX)

enum { LEVEL_MAX_ZSTD = 22, LEVEL_MAX_ZLIB = 9 };

const struct option_spec build_option_specs[] = {
    {"output", 'o', "OUT.vvi", "the image to write", false, true},
    {"product", 0, "NAME", "the product it is for", false, true},
    {"compatible", 0, "NAME", "a hardware it runs on", true, true},
    {"version", 0, "TEXT", "version, for people", false, true},
    {"release-index", 0, "N", "its place in the order of releases", false, true},
    {"partition", 0, "NAME=FILE", "a partition image", true, true},
    {"codec", 0, "zstd|zlib|raw", "compression of chunks (zstd)", false, false},
    {"level", 0, "N", "compression level (zstd: 12, zlib: 9)", false, false},
    {"cut", 0, "auto|block|byte|fixed", "where chunks are cut: by content or size (auto)", false,
     false},
    {"chunk-avg", 0, "SIZE", "average chunk size (64K, more if needed)", false, false},
    {"jobs", 0, "N", "threads (all processors); the image is the same", false, false},
    {"min-release-index", 0, "N", "once confirmed, nothing below N installs", false, false},
    {"min-from", 0, "N", "the oldest release it may be installed from", false, false},
    {"allow-downgrade", 0, NULL, "may replace a newer release", false, false},
    {"not-after", 0, "UNIXTIME|YYYY-MM-DD", "not to be installed after", false, false},
    {"device-id", 0, "ID", "only for this device", true, false},
    {"sig-reserve", 0, "SIZE", "room for signatures (8K, at most 64K)", false, false},
    {0},
};

// `ret` holds NAME_MAX_LEN + 1 bytes.
static enum err take_name(const char *option, const char *text, char *ret, struct error *e)
{
    if (!is_name(text)) {
        return fail(e, ERR_USAGE, 0,
                    "--%s '%s': must be 1 to %d characters out of A-Z a-z 0-9 . _ + ~ : -", option,
                    text, NAME_MAX_LEN);
    }
    memcpy(ret, text, strlen(text) + 1);
    return OK;
}

static enum err take_names(const struct parsed *args, const char *option, struct name_list *ret,
                           struct error *e)
{
    const char *text;
    while ((text = parsed_option_nth(args, option, ret->count)) != NULL) {
        // COMMAND_MAX_VALUES bounds the count.
        enum err err = take_name(option, text, ret->names[ret->count], e);
        if (err != OK) {
            return err;
        }
        for (size_t i = 0; i < ret->count; i++) {
            if (strcmp(ret->names[i], text) == 0) {
                return fail(e, ERR_USAGE, 0, "--%s %s: is given twice", option, text);
            }
        }
        ret->count++;
    }
    return OK;
}

static enum err take_identity(const struct parsed *args, struct manifest *m, struct error *e)
{
    enum err err = take_name("product", parsed_option(args, "product"), m->product, e);
    if (err == OK) {
        err = take_name("version", parsed_option(args, "version"), m->version, e);
    }
    if (err == OK) {
        err = take_names(args, "compatible", &m->compatible, e);
    }
    if (err == OK) {
        err = take_names(args, "device-id", &m->device_ids, e);
    }
    return err;
}

static enum err take_release(const struct parsed *args, struct manifest *m, struct error *e)
{
    m->allow_downgrade = parsed_option(args, "allow-downgrade") != NULL;
    enum err err = tool_option_number(args, "release-index", 0, MAX_INTEGER, &m->release_index, e);
    if (err == OK) {
        err = tool_option_number(args, "min-from", 0, MAX_INTEGER, &m->min_from, e);
    }
    if (err == OK) {
        err =
            tool_option_number(args, "min-release-index", 0, MAX_INTEGER, &m->min_release_index, e);
    }
    if (err == OK && m->min_release_index > m->release_index) {
        err = fail(e, ERR_USAGE, 0,
                   "--min-release-index %" PRIu64 ": is above --release-index %" PRIu64
                   ", the image would forbid itself",
                   m->min_release_index, m->release_index);
    }
    return err;
}

// The last second of the day, because "not after" a day includes it. What strptime() lets pass
// (short fields, days that do not exist) does not come back as the same text.
static bool parse_date(const char *text, uint64_t *ret_s)
{
    struct tm tm = {0};
    char again[16];
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0') {
        return false;
    }
    tm.tm_hour = 23;
    tm.tm_min = 59;
    tm.tm_sec = 59;
    time_t t = timegm(&tm);
    if (t <= 0 || strftime(again, sizeof(again), "%Y-%m-%d", &tm) == 0 ||
        strcmp(again, text) != 0) {
        return false;
    }
    *ret_s = (uint64_t)t;
    return true;
}

static enum err take_times(const struct parsed *args, const char *source_date_epoch, uint64_t now_s,
                           struct manifest *m, struct error *e)
{
    m->created = now_s;
    if (source_date_epoch != NULL &&
        (!parse_u64(source_date_epoch, &m->created) || m->created > MAX_INTEGER)) {
        return fail(e, ERR_USAGE, 0, "SOURCE_DATE_EPOCH '%s': must be seconds since 1970",
                    source_date_epoch);
    }
    const char *text = parsed_option(args, "not-after");
    if (text == NULL) {
        return OK;
    }
    uint64_t not_after;
    if (!parse_date(text, &not_after) &&
        (!parse_u64(text, &not_after) || not_after == 0 || not_after > MAX_INTEGER)) {
        return fail(e, ERR_USAGE, 0, "--not-after %s: must be YYYY-MM-DD or seconds since 1970",
                    text);
    }
    if (not_after < m->created) {
        return fail(e, ERR_USAGE, 0, "--not-after %s: is before the image is created", text);
    }
    m->not_after = not_after;
    return OK;
}

static enum err take_partition(const char *text, struct build_options *o, struct error *e)
{
    struct manifest *m = &o->manifest;
    char name[NAME_MAX_LEN + 2];
    size_t len = strcspn(text, "=");
    if (text[len] == '\0' || text[len + 1] == '\0') {
        return fail(e, ERR_USAGE, 0, "--partition %s: must be NAME=FILE", text);
    }
    if (m->partition_count == MANIFEST_PARTITIONS_MAX) {
        return fail(e, ERR_USAGE, 0, "--partition %s: more than %d partitions", text,
                    MANIFEST_PARTITIONS_MAX);
    }
    // One character more than a name may have: enough to see that it is too long.
    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name)), text);
    struct partition_info *p = &m->partitions[m->partition_count];
    enum err err = take_name("partition", name, p->name, e);
    if (err != OK) {
        return err;
    }
    for (size_t i = 0; i < m->partition_count; i++) {
        if (strcmp(m->partitions[i].name, name) == 0) {
            return fail(e, ERR_USAGE, 0, "--partition %s: the name %s is given twice", text, name);
        }
    }
    p->id = (uint32_t)m->partition_count;
    o->paths[m->partition_count++] = text + len + 1;
    return OK;
}

static enum err take_partitions(const struct parsed *args, struct build_options *o, struct error *e)
{
    const char *text;
    for (size_t i = 0; (text = parsed_option_nth(args, "partition", i)) != NULL; i++) {
        enum err err = take_partition(text, o, e);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err take_codec(const struct parsed *args, struct build_options *o, struct error *e)
{
    static const struct {
        int level;
        uint64_t max;
    } levels[] = {
        [CODEC_ZLIB] = {BUILD_LEVEL_ZLIB, LEVEL_MAX_ZLIB},
        [CODEC_ZSTD] = {BUILD_LEVEL_ZSTD, LEVEL_MAX_ZSTD},
    };
    const char *text = parsed_option(args, "codec");
    o->codec = CODEC_ZSTD;
    if (text != NULL && (!codec_from_name(text, &o->codec) || o->codec == CODEC_ZERO)) {
        return fail(e, ERR_USAGE, 0, "--codec %s: must be zstd, zlib or raw", text);
    }
    if (o->codec == CODEC_RAW) {
        o->level = 0;
        return parsed_option(args, "level") == NULL
                   ? OK
                   : fail(e, ERR_USAGE, 0, "--level: the codec raw has no levels");
    }
    uint64_t level = (uint64_t)levels[o->codec].level;
    enum err err = tool_option_number(args, "level", 1, levels[o->codec].max, &level, e);
    o->level = (int)level;
    return err;
}

static enum err take_cut(const struct parsed *args, struct build_options *o, struct error *e)
{
    const char *text = parsed_option(args, "cut");
    o->cut = (struct cut_request){.max_records = CUT_PLAN_RECORDS};
    o->cut.automatic = text == NULL || strcmp(text, "auto") == 0;
    if (!o->cut.automatic && !cut_rule_from_name(text, &o->cut.rule)) {
        return fail(e, ERR_USAGE, 0, "--cut %s: must be auto, block, byte or fixed", text);
    }
    if (parsed_option(args, "chunk-avg") == NULL) {
        return OK;
    }
    struct cutter c;
    enum err err = tool_option_size(args, "chunk-avg", CHUNK_RAW_MAX, &o->cut.average, e);
    if (err == OK && cutter_init(&c, o->cut.rule, o->cut.average, e) != OK) {
        err = error_context(e, "--chunk-avg");
    }
    return err;
}

static enum err take_rest(const struct parsed *args, struct build_options *o, struct error *e)
{
    uint64_t jobs = tool_default_jobs();
    uint64_t reserve = BUILD_SIGNATURE_RESERVE;
    enum err err = tool_option_number(args, "jobs", 1, TOOL_JOBS_MAX, &jobs, e);
    if (err == OK) {
        err = tool_option_size(args, "sig-reserve", SIGNATURE_AREA_MAX, &reserve, e);
    }
    o->output = parsed_option(args, "output");
    o->jobs = (unsigned)jobs;
    o->signature_reserve = (uint32_t)reserve;
    return err;
}

enum err build_options_parse(const struct parsed *args, const char *source_date_epoch,
                             uint64_t now_s, struct build_options *ret, struct error *e)
{
    struct build_options o = {0};
    enum err err = take_identity(args, &o.manifest, e);
    if (err == OK) {
        err = take_release(args, &o.manifest, e);
    }
    if (err == OK) {
        err = take_times(args, source_date_epoch, now_s, &o.manifest, e);
    }
    if (err == OK) {
        err = take_partitions(args, &o, e);
    }
    if (err == OK) {
        err = take_codec(args, &o, e);
    }
    if (err == OK) {
        err = take_cut(args, &o, e);
    }
    if (err == OK) {
        err = take_rest(args, &o, e);
    }
    if (err == OK) {
        *ret = o;
    }
    return err;
}
