// SPDX-License-Identifier: Apache-2.0
#include "updater/scan.h"

#include <string.h>

// Where the scan stands in the chunks of one partition.
struct walk {
    const struct scan *scan;
    struct chunk_set *differs;
    uint64_t unreadable;
    uint32_t index; // of the chunk being hashed
    struct chunk chunk;
    uint32_t hashed; // bytes of it so far
    bool broken;     // a part of it could not be read
};

static enum err end_chunk(struct walk *w, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_end(w->scan->hasher, digest, e);
    if (err != OK) {
        return err;
    }
    if (w->broken || memcmp(digest, w->chunk.raw_sha256, SHA256_SIZE) != 0) {
        chunk_set_add(w->differs, w->index);
    }
    w->index++;
    w->hashed = 0;
    w->broken = false;
    return OK;
}

// The next `len` bytes of the partition: hashed chunk by chunk.
static enum err take_bytes(struct walk *w, const uint8_t *data, size_t len, bool readable,
                           struct error *e)
{
    enum err err = OK;
    while (err == OK && len > 0) {
        if (w->hashed == 0) {
            w->chunk = chunk_table_get(w->scan->table, w->index, NULL);
            err = hasher_begin(w->scan->hasher, e);
        }
        size_t n = w->chunk.raw_len - w->hashed;
        n = n < len ? n : len;
        if (err == OK) {
            err = hasher_add(w->scan->hasher, data, n, e);
        }
        w->broken = w->broken || !readable;
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

static enum err scan_partition(struct walk *w, size_t part, struct error *e)
{
    const struct scan *s = w->scan;
    const struct partition_info *info = s->slot->partitions[part].info;
    w->index = info->first;
    for (uint64_t off = 0; off < info->image_size;) {
        uint64_t left = info->image_size - off;
        size_t len = left < SCAN_BUF_SIZE ? (size_t)left : SCAN_BUF_SIZE;
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

enum err scan_slot(const struct scan *s, struct chunk_set *ret_differs, uint64_t *ret_unreadable,
                   struct error *e)
{
    struct walk w = {.scan = s, .differs = ret_differs};
    chunk_set_clear(ret_differs);
    enum err err = slot_sync(s->slot, e);
    progress_begin(s->progress, s->step, slot_image_bytes(s->slot));
    for (size_t part = 0; err == OK && part < s->slot->count; part++) {
        err = scan_partition(&w, part, e);
        if (err != OK) {
            err = error_context(e, "slot %s, partition %s", s->slot->name,
                                s->slot->partitions[part].info->name);
        }
    }
    progress_end(s->progress);
    if (err == OK && ret_unreadable != NULL) {
        *ret_unreadable = w.unreadable;
    }
    return err;
}
