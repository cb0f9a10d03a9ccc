// SPDX-License-Identifier: Apache-2.0
#include "updater/slot_record.h"

#include <stdio.h>

// "slot-b": names are at most NAME_MAX_LEN long.
static void record_name(const char *slot_name, char *buf, size_t len)
{
    snprintf(buf, len, "slot-%s", slot_name);
}

enum err slot_record_exists(struct state_store *s, const char *slot_name, bool *ret_exists,
                            struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    CLEANUP(cleanup_free) uint8_t *bytes = NULL;
    size_t len;
    record_name(slot_name, name, sizeof name);
    enum err err = state_read(s, name, IMAGE_PREFIX_MAX, &bytes, &len, e);
    bool missing = err == ERR_IO && e->sys == ENOENT;
    if (err == ERR_IO && !missing) {
        return err;
    }
    *ret_exists = !missing; // one that is too long is there too
    return OK;
}

enum err slot_record_mark(struct state_store *s, const char *slot_name, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    bool exists;
    record_name(slot_name, name, sizeof name);
    enum err err = slot_record_exists(s, slot_name, &exists, e);
    return err != OK || exists ? err : state_replace(s, name, "", 0, e);
}

enum err slot_record_save(struct state_store *s, const char *slot_name, const struct image *image,
                          struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    CLEANUP(cleanup_free) uint8_t *bytes = NULL;
    size_t len;
    record_name(slot_name, name, sizeof name);
    enum err err = image_prefix(image, &bytes, &len, e);
    if (err == OK) {
        err = state_replace(s, name, bytes, len, e);
    }
    return err;
}

enum err slot_record_load(struct state_store *s, const char *slot_name,
                          const struct head_verifier *verifier, struct hasher *hasher,
                          struct image **ret, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    CLEANUP(cleanup_free) uint8_t *bytes = NULL;
    size_t len;
    record_name(slot_name, name, sizeof name);
    enum err err = state_read(s, name, IMAGE_PREFIX_MAX, &bytes, &len, e);
    if ((err == ERR_IO && e->sys == ENOENT) || (err == OK && len == 0)) {
        return fail(e, ERR_NOT_NOW, 0, "slot %s holds no verified release", slot_name);
    }
    if (err == OK) {
        err = image_open_prefix(bytes, len, verifier, hasher, ret, e);
    }
    return err == OK ? OK : error_context(e, "slot %s: its stored record", slot_name);
}
