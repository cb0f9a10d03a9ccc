// SPDX-License-Identifier: Apache-2.0
#include "updater/scan.h"

#include <string.h>

// Where the scan stands in the chunks of one partition.
struct walk {
    const struct scan *scan;
    struct chunk_set *differs;
    uint64_t unreadable;
    uint32_t first; // chunk that the scan's prints begin with
    uint32_t index; // of the chunk being hashed
    struct chunk chunk;
    const struct scan_print *print; // it is compared with; NULL: with its hash
    uint32_t hashed;                // bytes of it so far
    bool broken; // a part of it could not be read, or is not the zeros it should be
};

static bool is_zeros(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static enum err end_hash(struct walk *w, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_end(w->scan->hasher, digest, e);
    w->broken = w->broken || memcmp(digest, w->chunk.raw_sha256, SHA256_SIZE) != 0;
    return err;
}

static enum err end_print(struct walk *w, struct error *e)
{
    struct fingerprint print;
    enum err err = fingerprint_end(w->scan->fingerprinter, &print, e);
    w->broken = w->broken || !fingerprint_equal(&print, &w->print->print);
    return err;
}

static enum err end_chunk(struct walk *w, struct error *e)
{
    enum err err = OK;
    if (w->chunk.codec != CODEC_ZERO) {
        err = w->print != NULL ? end_print(w, e) : end_hash(w, e);
    }
    if (err != OK) {
        return err;
    }
    if (w->broken) {
        chunk_set_add(w->differs, w->index);
    }
    w->index++;
    w->hashed = 0;
    w->broken = false;
    return OK;
}

static enum err begin_chunk(struct walk *w, struct error *e)
{
    const struct scan *s = w->scan;
    w->chunk = chunk_table_get(s->table, w->index, NULL);
    w->print = s->prints != NULL ? &s->prints[w->index - w->first] : NULL;
    w->print = w->print != NULL && w->print->known ? w->print : NULL;
    if (w->chunk.codec == CODEC_ZERO) {
        return OK;
    }
    return w->print != NULL ? fingerprint_begin(s->fingerprinter, e) : hasher_begin(s->hasher, e);
}

static enum err add_to_chunk(struct walk *w, const uint8_t *data, size_t len, struct error *e)
{
    if (w->chunk.codec == CODEC_ZERO) {
        w->broken = w->broken || !is_zeros(data, len);
        return OK;
    }
    return w->print != NULL ? fingerprint_add(w->scan->fingerprinter, data, len, e)
                            : hasher_add(w->scan->hasher, data, len, e);
}

// The next `len` bytes of the partition: hashed chunk by chunk.
static enum err take_bytes(struct walk *w, const uint8_t *data, size_t len, bool readable,
                           struct error *e)
{
    enum err err = OK;
    while (err == OK && len > 0) {
        if (w->hashed == 0) {
            err = begin_chunk(w, e);
        }
        size_t n = w->chunk.raw_len - w->hashed;
        n = n < len ? n : len;
        w->broken = w->broken || !readable;
        if (err == OK) {
            err = add_to_chunk(w, data, n, e);
        }
        w->hashed += (uint32_t)n;
        data += n;
        len -= n;
        if (err == OK && w->hashed == w->chunk.raw_len) {
            err = end_chunk(w, e);
        }
    }
    return err;
}

// Reads [off, off + len) of a partition, and with it the rest of its last block where there is one,
// so that the read takes the direct path.
static enum err read_window(const struct scan *s, size_t part, uint64_t off, size_t len,
                            struct error *e)
{
    struct blk *blk = s->slot->partitions[part].blk;
    size_t whole = (len + BLK_ALIGN - 1) & ~(size_t)(BLK_ALIGN - 1);
    size_t n = whole <= blk->size_bytes - off ? whole : len;
    enum err err = blk_pread(blk, s->buf, n, off, e);
    if (err == OK && s->heads != NULL) {
        heads_overlay(s->heads, part, off, s->buf, len);
    }
    return err;
}

// [off, end) of a partition, where chunk `first` begins at `off`. What comes behind the first
// window is aligned.
static enum err scan_span(struct walk *w, size_t part, uint32_t first, uint64_t off, uint64_t end,
                          struct error *e)
{
    const struct scan *s = w->scan;
    w->index = first;
    while (off < end) {
        size_t room = s->buf_len - (size_t)(off % BLK_ALIGN);
        size_t len = end - off < room ? (size_t)(end - off) : room;
        enum err read = read_window(s, part, off, len, e);
        if (read != OK && read != ERR_IO) {
            return read;
        }
        w->unreadable += read == OK ? 0 : len;
        enum err err = take_bytes(w, s->buf, len, read == OK, e);
        if (err != OK) {
            return err;
        }
        progress_add(s->progress, len);
        off += len;
    }
    return OK;
}

static uint64_t end_of(const struct chunk_table *table, uint32_t index)
{
    uint64_t off;
    struct chunk c = chunk_table_get(table, index, &off);
    return off + c.raw_len;
}

static enum err scan_run(struct walk *w, uint32_t first, uint32_t count, struct error *e)
{
    const struct scan *s = w->scan;
    size_t part = slot_find(s->slot, first);
    uint64_t off;
    (void)chunk_table_get(s->table, first, &off);
    enum err err = scan_span(w, part, first, off, end_of(s->table, first + count - 1), e);
    return err == OK ? OK
                     : error_context(e, "slot %s, partition %s", s->slot->name,
                                     s->slot->partitions[part].info->name);
}

enum err scan_chunks(const struct scan *s, uint32_t first, uint32_t count,
                     struct chunk_set *differs, uint64_t *ret_unreadable, struct error *e)
{
    struct walk w = {.scan = s, .differs = differs, .first = first};
    enum err err = scan_run(&w, first, count, e);
    if (err == OK && ret_unreadable != NULL) {
        *ret_unreadable = w.unreadable;
    }
    return err;
}

static bool is_skipped(const struct scan *s, uint32_t index)
{
    return s->skip != NULL && chunk_set_has(s->skip, index);
}

// The chunks of a partition, but for those that are skipped.
static enum err scan_partition(struct walk *w, const struct partition_info *info, struct error *e)
{
    uint32_t end = info->first + info->count;
    uint32_t i = info->first;
    enum err err = OK;
    while (err == OK && i < end) {
        uint32_t first = i;
        while (i < end && !is_skipped(w->scan, i)) {
            i++;
        }
        if (i > first) {
            err = scan_run(w, first, i - first, e);
        }
        while (i < end && is_skipped(w->scan, i)) {
            i++;
        }
    }
    return err;
}

static uint64_t bytes_to_read(const struct scan *s)
{
    uint64_t sum = slot_image_bytes(s->slot);
    for (uint32_t i = 0; s->skip != NULL && i < chunk_table_count(s->table); i++) {
        sum -= is_skipped(s, i) ? chunk_table_get(s->table, i, NULL).raw_len : 0;
    }
    return sum;
}

enum err scan_slot(const struct scan *s, struct chunk_set *ret_differs, uint64_t *ret_unreadable,
                   struct error *e)
{
    struct walk w = {.scan = s, .differs = ret_differs};
    chunk_set_clear(ret_differs);
    enum err err = slot_sync(s->slot, e);
    uint64_t total = bytes_to_read(s);
    if (total > 0) {
        progress_begin(s->progress, s->step, total);
    }
    for (size_t part = 0; err == OK && part < s->slot->count; part++) {
        err = scan_partition(&w, s->slot->partitions[part].info, e);
    }
    if (total > 0) {
        progress_end(s->progress);
    }
    if (err == OK && ret_unreadable != NULL) {
        *ret_unreadable = w.unreadable;
    }
    return err;
}
