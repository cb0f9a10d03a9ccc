// SPDX-License-Identifier: Apache-2.0
#include "updater/config_files.h"

#include "base/cleanup.h"
#include "updater/config_keys.h"

#include <string.h>
#include <sys/stat.h>

struct config_places config_places_standard(void)
{
    return (struct config_places){
        .vendor_dir = "/usr/lib/vv-update/conf.d",
        .main_file = "/etc/vv-update/update.conf",
        .local_dir = "/etc/vv-update/conf.d",
        .check_owner = geteuid() == 0,
    };
}

// The main file may be missing when drop-ins say everything; a dangling link is not "missing".
static enum err add_main_file(const struct config_places *p, struct conf *c, struct error *e)
{
    struct stat st;
    if (lstat(p->main_file, &st) != 0 && errno == ENOENT) {
        return OK;
    }
    return conf_add_file(c, p->main_file, p->check_owner, e);
}

// Rule 2, for the entries that came from the files `first_file` and later.
static enum err check_limited(const struct conf *c, size_t first_file, struct error *e)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct conf_entry *entry = &c->entries[i];
        bool from_state_dir = false;
        for (size_t f = first_file; f < c->file_count; f++) {
            from_state_dir = from_state_dir || entry->file == c->files[f];
        }
        const struct key_spec *spec = config_key_find(entry->section, entry->key);
        if (from_state_dir && (spec == NULL || (spec->flags & KEY_STATE_DIR) == 0)) {
            return conf_fail(e, entry,
                             "this key of [%s] cannot be set from the state directory; "
                             "vv-update.conf(5) has those that can, all others belong below "
                             "/etc/vv-update",
                             entry->section);
        }
    }
    return OK;
}

static enum err add_state_dir(const struct config_places *p, struct conf *c, struct error *e)
{
    const struct conf_entry *state_dir = conf_find(c, "device", "state_dir");
    if (state_dir == NULL) {
        return OK; // a missing required key: said with the others
    }
    CLEANUP(cleanup_free) char *dir = NULL;
    if (asprintf(&dir, "%s/conf.d", state_dir->value) < 0) {
        dir = NULL;
        return fail_memory(e);
    }
    size_t first_file = c->file_count;
    enum err err = conf_add_dir(c, dir, NULL, p->check_owner, e);
    return err != OK ? err : check_limited(c, first_file, e);
}

enum err config_files_read(const struct config_places *places, struct conf *ret, struct error *e)
{
    enum err err = conf_add_dir(ret, places->vendor_dir, places->local_dir, places->check_owner, e);
    if (err == OK) {
        err = add_main_file(places, ret, e);
    }
    if (err == OK) {
        err = conf_add_dir(ret, places->local_dir, NULL, places->check_owner, e);
    }
    if (err == OK && !places->spare_state_dir) {
        err = add_state_dir(places, ret, e);
    }
    if (err == OK && ret->file_count == 0) {
        return fail(e, ERR_CONFIG, 0, "there is no configuration: neither %s nor a *.conf in %s",
                    places->main_file, places->local_dir);
    }
    return err;
}

enum err config_files_read_one(const char *path, bool check_owner, struct conf *ret,
                               struct error *e)
{
    enum err err = conf_add_file(ret, path, check_owner, e);
    if (err != OK) {
        return err;
    }
    CLEANUP(cleanup_free) char *dir = NULL;
    if (asprintf(&dir, "%s.d", path) < 0) {
        dir = NULL;
        return fail_memory(e);
    }
    return conf_add_dir(ret, dir, NULL, check_owner, e);
}
