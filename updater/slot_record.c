// SPDX-License-Identifier: Apache-2.0
#include "updater/slot_record.h"

#include <stdio.h>
#include <string.h>

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

// --- chunk by chunk ------------------------------------------------------------------------------

struct walking {
    const struct slot_record_walk *walk;
    const struct head_verifier *verifier;
    struct hasher *hasher;
    uint64_t pos;  // in the record
    uint8_t *head; // the beginning of the record, until all of the head is there
    size_t head_len;
    struct image *image; // then its head, verified; it never gets its table
    // The partition that the next chunk belongs to, and how many chunks of it went by.
    size_t part;
    uint32_t count;
    uint64_t off;
};

// Takes what there is of the head, and ends with a verified image when it is whole.
static enum err take_head(struct walking *w, const uint8_t *piece, size_t len, struct error *e)
{
    struct header header;
    uint8_t *longer = realloc(w->head, w->head_len + len);
    if (longer == NULL) {
        return fail_memory(e);
    }
    w->head = longer;
    memcpy(w->head + w->head_len, piece, len);
    w->head_len += len;
    if (w->head_len < HEADER_SIZE) {
        return fail(e, ERR_FORMAT, 0, "header: cut short");
    }
    enum err err = header_parse(w->head, &header, e);
    if (err != OK || w->head_len < header_head_size(&header)) {
        return err;
    }
    err = image_open_head(w->head, w->head_len, w->verifier, w->hasher, &w->image, e);
    free(TAKE_PTR(w->head));
    return err == OK ? hasher_begin(w->hasher, e) : err;
}

// What a piece at w->pos has of the chunk table.
static size_t table_part(const struct walking *w, const uint8_t *piece, size_t len,
                         const uint8_t **ret)
{
    const struct header *h = &w->image->header;
    uint64_t begin = h->table_offset > w->pos ? h->table_offset - w->pos : 0;
    uint64_t end = h->table_offset + h->table_size;
    end = end > w->pos ? end - w->pos : 0;
    end = end < len ? end : len;
    *ret = piece + (begin < end ? begin : 0);
    return begin < end ? (size_t)(end - begin) : 0;
}

static enum err verify_piece(void *context, const uint8_t *piece, size_t len, struct error *e)
{
    struct walking *w = context;
    const uint8_t *table;
    enum err err = w->image == NULL ? take_head(w, piece, len, e) : OK;
    if (err == OK && w->image != NULL) {
        size_t n = table_part(w, piece, len, &table);
        err = n > 0 ? hasher_add(w->hasher, table, n, e) : OK;
    }
    w->pos += len;
    return err;
}

static enum err hand_out(struct walking *w, const uint8_t *record, struct error *e)
{
    const struct manifest *m = w->image->manifest;
    struct chunk c;
    enum err err = chunk_record_parse(record, &c, e);
    if (err != OK || w->part == m->partition_count) {
        return err;
    }
    w->walk->each(w->walk->context, &m->partitions[w->part], w->off, &c);
    w->off += c.raw_len;
    if (++w->count == m->partitions[w->part].count) {
        w->part++;
        w->count = 0;
        w->off = 0;
    }
    return OK;
}

// Records lie at multiples of their size, and so do pieces.
static enum err walk_piece(void *context, const uint8_t *piece, size_t len, struct error *e)
{
    struct walking *w = context;
    const uint8_t *table;
    enum err err = OK;
    size_t n = table_part(w, piece, len, &table);
    for (; err == OK && n >= CHUNK_RECORD_SIZE; n -= CHUNK_RECORD_SIZE) {
        err = hand_out(w, table, e);
        table += CHUNK_RECORD_SIZE;
    }
    w->pos += len;
    return err;
}

static enum err walk_record(struct walking *w, struct state_store *s, const char *name,
                            struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = state_each(s, name, verify_piece, w, e);
    if (err != OK) {
        return err;
    }
    if (w->image == NULL) {
        return fail(e, ERR_FORMAT, 0, "image: cut short: %zu bytes", w->head_len);
    }
    err = hasher_end(w->hasher, digest, e);
    if (err == OK && memcmp(digest, w->image->manifest->body.table_sha256, SHA256_SIZE) != 0) {
        err = fail(e, ERR_FORMAT, 0,
                   "chunk table: corrupt: its hash is not the one in the "
                   "manifest");
    }
    w->pos = 0;
    return err == OK ? state_each(s, name, walk_piece, w, e) : err;
}

enum err slot_record_walk(struct state_store *s, const char *slot_name,
                          const struct head_verifier *verifier, struct hasher *hasher,
                          const struct slot_record_walk *walk, struct error *e)
{
    char name[NAME_MAX_LEN + 8];
    struct walking w = {.walk = walk, .verifier = verifier, .hasher = hasher};
    record_name(slot_name, name, sizeof name);
    enum err err = walk_record(&w, s, name, e);
    bool nothing = w.image == NULL && w.pos == 0;
    if ((err == ERR_IO && e->sys == ENOENT) || (err == ERR_FORMAT && nothing)) {
        err = fail(e, ERR_NOT_NOW, 0, "slot %s holds no verified release", slot_name);
    } else if (err != OK) {
        err = error_context(e, "slot %s: its stored record", slot_name);
    }
    if (err == OK && walk->ret_head != NULL) {
        *walk->ret_head = TAKE_PTR(w.image);
    }
    image_free(w.image);
    free(w.head);
    return err;
}
