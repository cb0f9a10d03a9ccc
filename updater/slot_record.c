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
    // Only a mark is read as a whole: anything longer is there too.
    enum err err = state_read(s, name, 0, &bytes, &len, e);
    bool missing = err == ERR_IO && e->sys == ENOENT;
    if (err != OK && err != ERR_FORMAT && !missing) {
        return err;
    }
    *ret_exists = !missing;
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

enum err slot_record_forget(struct state_store *s, const char *slot_name, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    CLEANUP(cleanup_free) uint8_t *bytes = NULL;
    size_t len;
    record_name(slot_name, name, sizeof name);
    // Longer than a mark: a record.
    enum err err = state_read(s, name, 0, &bytes, &len, e);
    bool recorded = err == ERR_FORMAT;
    bool missing = err == ERR_IO && e->sys == ENOENT;
    return recorded || missing ? state_replace(s, name, "", 0, e) : err;
}

enum err slot_record_save(struct state_store *s, const char *slot_name, const struct image *image,
                          struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    struct file_part parts[IMAGE_PREFIX_PARTS];
    record_name(slot_name, name, sizeof name);
    enum err err = image_prefix(image, parts, e);
    return err == OK ? state_replace_parts(s, name, parts, IMAGE_PREFIX_PARTS, e) : err;
}

enum err slot_record_check_room(struct state_store *s, const char *slot_name,
                                const struct image *image, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    struct file_part parts[IMAGE_PREFIX_PARTS];
    record_name(slot_name, name, sizeof name);
    enum err err = image_prefix(image, parts, e);
    if (err == OK) {
        err = state_try_replace(s, name, parts, IMAGE_PREFIX_PARTS, e);
    }
    return err == OK ? OK
                     : error_context(e, "the state directory cannot take the record of slot %s",
                                     slot_name);
}

enum err slot_record_is(struct state_store *s, const char *slot_name, const struct image *image,
                        bool *ret_same, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    struct file_part parts[IMAGE_PREFIX_PARTS];
    record_name(slot_name, name, sizeof name);
    enum err err = image_prefix(image, parts, e);
    return err == OK ? state_holds(s, name, parts, IMAGE_PREFIX_PARTS, ret_same, e) : err;
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
        err = image_take_prefix(TAKE_PTR(bytes), len, verifier, hasher, ret, e);
    }
    return err == OK ? OK : error_context(e, "slot %s: its stored record", slot_name);
}
