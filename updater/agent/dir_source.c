// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/dir_source.h"

#include "updater/agent/plain_text.h"
#include "updater/policy.h"
#include "updater/release.h"
#include "updater/source_open.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static bool is_image_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".vvi") == 0;
}

// Calls `call` for each image of the directory, in any order. One that is not there has none.
static enum err each_image(const char *path,
                           enum err (*call)(void *ctx, const char *image, struct error *e),
                           void *ctx, struct error *e)
{
    DIR *dir = opendir(path);
    enum err err = OK;
    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? OK
                   : fail(e, ERR_IO, errno, "%s: cannot be looked into", path);
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); err == OK && entry != NULL; entry = readdir(dir)) {
        char image[OFFER_URL_MAX + 300];
        if (is_image_name(entry->d_name)) {
            snprintf(image, sizeof image, "%s/%s", path, entry->d_name);
            err = call(ctx, image, e);
        }
        errno = 0;
    }
    if (err == OK && errno != 0) {
        err = fail(e, ERR_IO, errno, "%s: cannot be read to its end", path);
    }
    closedir(dir);
    return err;
}

// What came out of the images that were looked at so far, the same in whatever order that was.
struct findings {
    struct device *device;
    size_t count;             // of the images in a directory
    bool found;               // one that can be installed here
    struct fleet_answer best; // the newest of those; whether it is offered depends on what runs
    struct error why_not;     // of one that cannot; code OK: there was none
    bool incomplete;          // one could not be read
    bool unchanged;           // the one at the URL is known
    char seen[FLEET_SEEN_SIZE];
    unsigned http_status; // as in struct fleet_answer
    uint64_t retry_after_ms;
};

// `name` is that of a source: without credentials. Of several the last by name is told.
static void note(struct findings *f, const char *name, const struct error *why)
{
    struct error e = *why;
    if (strstr(e.msg, name) == NULL) {
        (void)error_context(&e, "%s", name);
    }
    if (f->why_not.code == OK || strcmp(e.msg, f->why_not.msg) > 0) {
        f->why_not = e;
    }
}

// The running release has a number to compare with if we put it there. An image that allows a
// downgrade is taken for one that is wanted; whether the floor lets it by, the install says.
static bool is_wanted(const struct device *d, const struct manifest *m, struct error *why)
{
    enum slot_content content = d->journal.slots[d->running].content;
    const struct release_id *running = &d->journal.slots[d->running].release;
    bool known = content == CONTENT_INSTALLED || content == CONTENT_CONFIRMED;
    if (!known || m->release_index > running->release_index) {
        return true;
    }
    (void)fail(why, ERR_NOT_NOW, 0,
               "release %" PRIu64 " is not newer than the running release %" PRIu64,
               m->release_index, running->release_index);
    return m->release_index < running->release_index && m->allow_downgrade;
}

static void take(struct device *d, const char *url, const char *name, const struct image *image,
                 struct fleet_answer *ret)
{
    *ret = (struct fleet_answer){.release = release_id_of(image)};
    ret->offered = is_wanted(d, image->manifest, &ret->why);
    if (!ret->offered) {
        (void)error_context(&ret->why, "%s", name);
    }
    snprintf(ret->offer.source, sizeof ret->offer.source, "%s", dir_source.name);
    hex_encode(ret->release.manifest_sha256, SHA256_SIZE, ret->offer.id);
    snprintf(ret->offer.url, sizeof ret->offer.url, "%s", url);
}

static enum err check_image(const struct device *d, const struct manifest *m, struct error *why)
{
    enum slot_content content = d->journal.slots[d->running].content;
    const struct policy_facts facts = {
        .product = d->config->product,
        .compatible = d->config->compatible,
        .device_id = d->config->device_id,
        .running_known = content != CONTENT_UNKNOWN && content != CONTENT_PARTIAL,
        .running_index = d->journal.slots[d->running].release.release_index,
    };
    enum err err = policy_check_device(m, &facts, why);
    return err == OK ? policy_check_min_from(m, &facts, why) : err;
}

// The best is the newest that can be installed, and not the newest that is wanted: else one that
// allows a downgrade and a newer one beside it would take turns.
static bool is_better(const struct findings *f, const struct image *image, const char *url)
{
    const struct release_id *best = &f->best.release;
    if (!f->found || image->manifest->release_index != best->release_index) {
        return !f->found || image->manifest->release_index > best->release_index;
    }
    int order = memcmp(image->header.manifest_sha256, best->manifest_sha256, SHA256_SIZE);
    return order > 0 || (order == 0 && strcmp(url, f->best.offer.url) < 0);
}

static void take_if_best(struct findings *f, const char *url, const char *name,
                         const struct image *image)
{
    struct error e;
    if (check_image(f->device, image->manifest, &e) != OK) {
        note(f, name, &e);
    } else if (strlen(url) > OFFER_URL_MAX) {
        (void)fail(&e, ERR_CONFIG, 0, "the name is too long");
        note(f, name, &e);
    } else if (is_better(f, image, url)) {
        f->found = true;
        take(f->device, url, name, image, &f->best);
    }
}

// An error: it could not be asked. What is no image of ours is not offered, and noted. Only one
// that was verified is seen: anything else may be the doing of whoever is on the way.
static enum err look_at(struct findings *f, const char *url, const char *seen, struct error *e)
{
    struct device *d = f->device;
    CLEANUP(cleanup_source) struct source *source = NULL;
    CLEANUP(cleanup_image) struct image *image = NULL;
    enum err err = source_open(d, url, &source, e);
    if (err == OK && seen != NULL) {
        err = source_unless(source, seen, e);
    }
    if (err == OK) {
        err = release_fetch_head(d, source, &image, e);
    }
    if (err == OK) {
        take_if_best(f, url, source->name, image);
        source_version(source, f->seen, sizeof f->seen);
    } else if (source_is_unchanged(e)) {
        f->unchanged = true;
        return OK;
    } else if (err == ERR_TRUST || err == ERR_FORMAT) {
        note(f, source->name, e);
        return OK;
    }
    if (source != NULL) {
        f->http_status = source->http_status;
        f->retry_after_ms = source->retry_after_ms;
    }
    return err;
}

// A name goes through JSON, to terminals and into reports: what none of them can tell would be
// another name there.
static bool can_be_told(struct findings *f, const char *path)
{
    struct error e;
    char told[OFFER_URL_MAX + 300];
    plain_text_copy(told, sizeof told, path);
    if (strcmp(told, path) == 0) {
        return true;
    }
    (void)fail(&e, ERR_CONFIG, 0, "its name has bytes that are no text: it has to be renamed");
    note(f, told, &e);
    return false;
}

// A file that is gone, or cannot be read yet, is one that is not offered.
static enum err look_at_file(void *findings, const char *path, struct error *e)
{
    struct findings *f = findings;
    f->count++;
    enum err err = can_be_told(f, path) ? look_at(f, path, NULL, e) : OK;
    if (err != ERR_IO) {
        return err;
    }
    // What is no file stays so, and for a link to nowhere there is the stamp.
    f->incomplete = f->incomplete || (e->sys != 0 && e->sys != ENOENT);
    note(f, path, e);
    return OK;
}

static enum err poll_dir(struct device *d, const char *seen, struct fleet_answer *ret,
                         struct error *e)
{
    const struct config_fleet *c = &d->config->fleet;
    struct findings f = {.device = d};
    enum err err =
        c->dir != NULL ? each_image(c->dir, look_at_file, &f, e) : look_at(&f, c->url, seen, e);
    if (err != OK) {
        *ret = (struct fleet_answer){.http_status = f.http_status};
        ret->retry_after_ms = f.retry_after_ms;
        return err;
    }
    if (c->dir != NULL && f.count == 0) {
        (void)fail(&f.why_not, ERR_NOT_NOW, 0, "%s: there is no image", c->dir);
    }
    *ret = f.best;
    ret->incomplete = f.incomplete;
    ret->unchanged = f.unchanged;
    memcpy(ret->seen, f.seen, sizeof ret->seen);
    if (!ret->offered && f.why_not.code != OK) {
        ret->why = f.why_not; // there is something to be mended
    }
    return OK;
}

enum {
    OFFER_SHOWN = 16,                             // characters of its id
    ID_ROOM = NAME_MAX_LEN - 1 - OFFER_SHOWN - 5, // beside "-", those, and ".json"
};

// "ID-", or without an id nothing. One that is too long for a name, or would hide the file, stands
// there by its hash: a report that can never be written would be the last of this device.
static enum err device_part(const char *id, char *ret, size_t size, struct error *e)
{
    uint8_t hash[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    if (id == NULL || (strlen(id) <= ID_ROOM && id[0] != '.')) {
        snprintf(ret, size, "%s%s", id != NULL ? id : "", id != NULL ? "-" : "");
        return OK;
    }
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = hasher_sha256(hasher, id, strlen(id), hash, e);
    }
    if (err == OK) {
        hex_encode(hash, sizeof hash, hex);
        snprintf(ret, size, "%.16s-", hex);
    }
    return err;
}

static enum err report_file(const struct config *config, const struct offer_record *record,
                            struct error *e)
{
    char device[ID_ROOM + 2];
    char name[NAME_MAX_LEN + 1];
    CLEANUP(cleanup_state_store) struct state_store *dir = NULL;
    if (config->fleet.report_dir == NULL) {
        return OK;
    }
    CLEANUP(cleanup_json) json_t *report = fleet_report_json(config, record);
    CLEANUP(cleanup_free) char *text = report == NULL ? NULL : json_print(report, JSON_INDENT(2));
    if (text == NULL) {
        return fail_memory(e);
    }
    enum err err = device_part(config->device_id, device, sizeof device, e);
    if (err != OK) {
        return err;
    }
    snprintf(name, sizeof name, "%s%.*s.json", device, OFFER_SHOWN, record->offer.id);
    err = state_dir_open_public(config->fleet.report_dir, "[fleet] report_dir", &dir, e);
    return err == OK ? state_replace(dir, name, text, strlen(text), e) : err;
}

const struct fleet_source dir_source = {"dir", poll_dir, report_file};

// --- whether anything changed -------------------------------------------------------------------

// FNV-1a (the parameters are those of its authors' page): a change is to be noticed, not proven.
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

static uint64_t mix(uint64_t stamp, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        stamp = (stamp ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return stamp;
}

// A sum, so that the order in which the directory has them does not count.
static enum err add_to_stamp(void *stamp, const char *path, struct error *e)
{
    struct stat st;
    char facts[100];
    (void)e;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) { // others are not offered either
        snprintf(facts, sizeof facts, "%jd %jd.%09ld %ju", (intmax_t)st.st_size,
                 (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (uintmax_t)st.st_ino);
        uint64_t of_name = mix(FNV_BASIS, path, strlen(path) + 1);
        *(uint64_t *)stamp += mix(of_name, facts, strlen(facts));
    }
    return OK;
}

uint64_t dir_source_stamp(const struct config *config)
{
    struct error ignored;
    uint64_t stamp = FNV_BASIS;
    const char *dir = config->fleet.dir;
    if (dir == NULL || each_image(dir, add_to_stamp, &stamp, &ignored) != OK) {
        return 0;
    }
    return stamp != 0 ? stamp : 1;
}
