// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/dir_source.h"

#include "updater/policy.h"
#include "updater/release.h"
#include "updater/source_open.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct image_list {
    size_t count;
    char *names[DIR_SOURCE_IMAGES_MAX]; // in order
};

static void image_list_clear(struct image_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->names[i]);
    }
    l->count = 0;
}

static bool is_image_name(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".vvi") == 0;
}

// The first ones by name, whatever order the directory has them in.
static enum err list_add(struct image_list *l, const char *name, struct error *e)
{
    size_t at = l->count;
    while (at > 0 && strcmp(l->names[at - 1], name) > 0) {
        at--;
    }
    if (at == DIR_SOURCE_IMAGES_MAX) {
        return OK;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return fail_memory(e);
    }
    if (l->count == DIR_SOURCE_IMAGES_MAX) {
        free(l->names[--l->count]);
    }
    memmove(l->names + at + 1, l->names + at, (l->count - at) * sizeof l->names[0]);
    l->names[at] = copy;
    l->count++;
    return OK;
}

// A directory that is not there has no images.
static enum err list_images(const char *path, struct image_list *ret, struct error *e)
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
        err = is_image_name(entry->d_name) ? list_add(ret, entry->d_name, e) : OK;
        errno = 0;
    }
    if (err == OK && errno != 0) {
        err = fail(e, ERR_IO, errno, "%s: cannot be read to its end", path);
    }
    closedir(dir);
    return err;
}

// What came out of the images that were looked at so far.
struct findings {
    bool found;               // one that can be installed here
    struct fleet_answer best; // the newest of those; whether it is offered depends on what runs
    struct error why_not;     // of one that cannot; code OK: there was none
    bool incomplete;          // one could not be read
};

// `name` is that of a source: without credentials.
static void note(struct findings *f, const char *name, const struct error *why)
{
    f->why_not = *why;
    (void)error_context(&f->why_not, "%s", name);
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
static void take_if_best(struct device *d, const char *url, const char *name,
                         const struct image *image, struct findings *f)
{
    struct error e;
    if (check_image(d, image->manifest, &e) != OK) {
        note(f, name, &e);
    } else if (strlen(url) > OFFER_URL_MAX) {
        (void)fail(&e, ERR_CONFIG, 0, "the name is too long");
        note(f, name, &e);
    } else if (!f->found || image->manifest->release_index > f->best.release.release_index) {
        f->found = true;
        take(d, url, name, image, &f->best);
    }
}

// An error: it could not be asked. What is no image of ours is not offered, and noted.
static enum err look_at(struct device *d, const char *url, struct findings *f, struct error *e)
{
    CLEANUP(cleanup_source) struct source *source = NULL;
    CLEANUP(cleanup_image) struct image *image = NULL;
    enum err err = source_open(d, url, &source, e);
    if (err == OK) {
        err = release_fetch_head(d, source, &image, e);
    }
    if (err == OK) {
        take_if_best(d, url, source->name, image, f);
    } else if (err == ERR_TRUST || err == ERR_FORMAT) {
        note(f, source->name, e);
        return OK;
    }
    return err;
}

// A file that is gone, or cannot be read yet, is one that is not offered.
static enum err look_into(struct device *d, const char *path, struct findings *f, struct error *e)
{
    CLEANUP(image_list_clear) struct image_list images = {.count = 0};
    enum err err = list_images(path, &images, e);
    for (size_t i = 0; err == OK && i < images.count; i++) {
        char url[OFFER_URL_MAX + 300];
        snprintf(url, sizeof url, "%s/%s", path, images.names[i]);
        err = look_at(d, url, f, e);
        if (err == ERR_IO) {
            // What is no file stays so, and for a link to nowhere there is the stamp.
            f->incomplete = f->incomplete || (e->sys != 0 && e->sys != ENOENT);
            note(f, url, e);
            err = OK;
        }
    }
    if (err == OK && images.count == 0) {
        (void)fail(&f->why_not, ERR_NOT_NOW, 0, "%s: there is no image", path);
    }
    return err;
}

static enum err poll_dir(struct device *d, struct fleet_answer *ret, struct error *e)
{
    const struct config_fleet *c = &d->config->fleet;
    struct findings f = {.found = false};
    enum err err = c->dir != NULL ? look_into(d, c->dir, &f, e) : look_at(d, c->url, &f, e);
    if (err != OK) {
        return err;
    }
    *ret = f.best;
    ret->incomplete = f.incomplete;
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
    err = state_dir_open(config->fleet.report_dir, &dir, e);
    return err == OK ? state_replace(dir, name, text, strlen(text), e) : err;
}

const struct fleet_source dir_source = {"dir", poll_dir, report_file};

// --- whether anything changed -------------------------------------------------------------------

// FNV-1a (the parameters are those of its authors' page): a change is to be noticed, not proven.
static uint64_t mix(uint64_t stamp, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        stamp = (stamp ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return stamp;
}

uint64_t dir_source_stamp(const struct config *config)
{
    struct error ignored;
    CLEANUP(image_list_clear) struct image_list images = {.count = 0};
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);
    const char *dir = config->fleet.dir;
    if (dir == NULL || list_images(dir, &images, &ignored) != OK) {
        return 0;
    }
    for (size_t i = 0; i < images.count; i++) {
        char path[OFFER_URL_MAX + 300];
        struct stat st = {.st_ino = 0};
        snprintf(path, sizeof path, "%s/%s", dir, images.names[i]);
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
            continue; // not offered either
        }
        char facts[NAME_MAX + 100];
        snprintf(facts, sizeof facts, "%s %jd %jd.%09ld %ju", images.names[i], (intmax_t)st.st_size,
                 (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (uintmax_t)st.st_ino);
        stamp = mix(stamp, facts, strlen(facts) + 1);
    }
    return stamp != 0 ? stamp : 1;
}
