// SPDX-License-Identifier: Apache-2.0
#include "updater/write.h"

#include "base/checked.h"

#include <assert.h>
#include <string.h>

struct writer {
    const struct slot *slot;
    struct heads *heads;
    uint8_t *buf;
    // The run: bytes that wait. It stands in the buffer at run_off % BLK_ALIGN, so that every block
    // of the target is a block of the buffer.
    size_t part;
    uint64_t run_off;
    size_t run_len;
    bool dirty[MANIFEST_PARTITIONS_MAX];
    uint64_t written, synced; // synced: what `written` was then
};

enum err writer_new(const struct slot *slot, struct heads *heads, struct writer **ret,
                    struct error *e)
{
    CLEANUP(cleanup_writer) struct writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return fail_memory(e);
    }
    w->slot = slot;
    w->heads = heads;
    w->buf = aligned_alloc(BLK_ALIGN, WRITE_MAX + BLK_ALIGN);
    if (w->buf == NULL) {
        return fail_memory(e);
    }
    *ret = TAKE_PTR(w);
    return OK;
}

void writer_free(struct writer *w)
{
    if (w != NULL) {
        free(w->buf);
        free(w);
    }
}

static uint8_t *run_start(const struct writer *w)
{
    return w->buf + w->run_off % BLK_ALIGN;
}

static uint64_t run_end(const struct writer *w)
{
    return w->run_off + w->run_len;
}

static enum err put(struct writer *w, const uint8_t *data, size_t len, uint64_t off,
                    struct error *e)
{
    const struct slot_partition *p = &w->slot->partitions[w->part];
    w->dirty[w->part] = true;
    enum err err = blk_pwrite(p->blk, data, len, off, e);
    if (err != OK) {
        return error_context(e, "slot %s, partition %s", w->slot->name, p->info->name);
    }
    w->written += len;
    return OK;
}

// The next write of [off, off + len): up to the next block boundary, or whole blocks, or the rest.
static size_t next_piece(uint64_t off, size_t len)
{
    size_t misplaced = (size_t)(off % BLK_ALIGN);
    size_t n = misplaced != 0 ? BLK_ALIGN - misplaced : WRITE_MAX;
    if (len >= n) {
        return n;
    }
    return misplaced != 0 || len < BLK_ALIGN ? len : (size_t)u64_align_down(len, BLK_ALIGN);
}

static enum err put_span(struct writer *w, const uint8_t *data, size_t len, uint64_t off,
                         struct error *e)
{
    size_t held = heads_put(w->heads, w->part, off, data, len);
    data += held;
    off += held;
    len -= held;
    while (len > 0) {
        size_t n = next_piece(off, len);
        enum err err = put(w, data, n, off, e);
        if (err != OK) {
            return err;
        }
        data += n;
        off += n;
        len -= n;
    }
    return OK;
}

// The zeros that fill the last block of an image, so that it is written whole.
static size_t pad_tail(struct writer *w)
{
    const struct slot_partition *p = &w->slot->partitions[w->part];
    uint64_t end = run_end(w);
    uint64_t block_end;
    if (end != p->info->image_size || !u64_align_up(end, BLK_ALIGN, &block_end)) {
        return 0;
    }
    uint64_t pad_end = block_end < p->blk->size_bytes ? block_end : p->blk->size_bytes;
    size_t pad = (size_t)(pad_end - end);
    memset(run_start(w) + w->run_len, 0, pad);
    return pad;
}

// Ends the run.
static enum err flush(struct writer *w, struct error *e)
{
    if (w->run_len == 0) {
        return OK;
    }
    size_t len = w->run_len + pad_tail(w);
    enum err err = put_span(w, run_start(w), len, w->run_off, e);
    w->run_off += w->run_len;
    w->run_len = 0;
    return err;
}

enum err writer_put(struct writer *w, size_t part, uint64_t off, const uint8_t *data, size_t len,
                    struct error *e)
{
    if (part != w->part || off != run_end(w)) {
        enum err err = flush(w, e);
        if (err != OK) {
            return err;
        }
        w->part = part;
        w->run_off = off;
    }
    while (len > 0) {
        size_t room = WRITE_MAX - (size_t)(w->run_off % BLK_ALIGN) - w->run_len;
        size_t n = len < room ? len : room;
        memcpy(run_start(w) + w->run_len, data, n);
        w->run_len += n;
        data += n;
        len -= n;
        enum err err = n == room ? flush(w, e) : OK;
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err writer_zero(struct writer *w, size_t part, uint64_t off, uint64_t len, struct error *e)
{
    const struct slot_partition *p = &w->slot->partitions[part];
    size_t held = heads_put_zeros(w->heads, part, off, (size_t)(len < HEAD_SIZE ? len : HEAD_SIZE));
    if (len == held) {
        return OK;
    }
    w->dirty[part] = true;
    enum err err = blk_zero_range(p->blk, off + held, len - held, e);
    return err == OK ? OK : error_context(e, "slot %s, partition %s", w->slot->name, p->info->name);
}

static bool waits(const struct writer *w, size_t part, uint64_t off, size_t len)
{
    return w->run_len > 0 && part == w->part && off < run_end(w) && w->run_off < off + len;
}

enum err writer_read(struct writer *w, size_t part, uint64_t off, uint8_t *ret, size_t len,
                     struct error *e)
{
    const struct slot_partition *from = &w->slot->partitions[part];
    enum err err = waits(w, part, off, len) ? flush(w, e) : OK;
    if (err != OK) {
        return err;
    }
    err = blk_pread(from->blk, ret, len, off, e);
    if (err != OK) {
        return error_context(e, "slot %s, partition %s", w->slot->name, from->info->name);
    }
    heads_overlay(w->heads, part, off, ret, len);
    return OK;
}

enum err writer_sync(struct writer *w, struct error *e)
{
    enum err err = flush(w, e);
    for (size_t part = 0; err == OK && part < w->slot->count; part++) {
        const struct slot_partition *p = &w->slot->partitions[part];
        if (!w->dirty[part]) {
            continue;
        }
        err = blk_sync(p->blk, e);
        if (err != OK) {
            return error_context(e, "slot %s, partition %s", w->slot->name, p->info->name);
        }
        w->dirty[part] = false;
    }
    w->synced = err == OK ? w->written : w->synced;
    return err;
}

uint64_t writer_written(const struct writer *w)
{
    return w->written;
}

uint64_t writer_unsynced(const struct writer *w)
{
    return w->written - w->synced + w->run_len;
}
