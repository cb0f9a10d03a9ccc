// SPDX-License-Identifier: Apache-2.0
#include "updater/heads.h"

#include "format/image.h"

#include <string.h>

enum err heads_new(const struct slot *s, struct heads **ret, struct error *e)
{
    CLEANUP(cleanup_heads) struct heads *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return fail_memory(e);
    }
    h->count = s->count;
    h->bytes = aligned_alloc(BLK_ALIGN, s->count * HEAD_SIZE);
    if (h->bytes == NULL) {
        return fail_memory(e);
    }
    memset(h->bytes, 0, s->count * HEAD_SIZE);
    *ret = TAKE_PTR(h);
    return OK;
}

void heads_free(struct heads *h)
{
    if (h != NULL) {
        free(h->bytes);
        free(h);
    }
}

// How many of `len` bytes at `off` lie in a head.
static size_t inside(uint64_t off, size_t len)
{
    size_t room = off < HEAD_SIZE ? HEAD_SIZE - (size_t)off : 0;
    return len < room ? len : room;
}

static uint8_t *head_at(const struct heads *h, size_t part, uint64_t off)
{
    return h->bytes + part * HEAD_SIZE + (size_t)off;
}

size_t heads_put(struct heads *h, size_t part, uint64_t off, const uint8_t *data, size_t len)
{
    size_t n = inside(off, len);
    if (n > 0) {
        memcpy(head_at(h, part, off), data, n);
    }
    return n;
}

size_t heads_put_zeros(struct heads *h, size_t part, uint64_t off, size_t len)
{
    size_t n = inside(off, len);
    if (n > 0) {
        memset(head_at(h, part, off), 0, n);
    }
    return n;
}

void heads_overlay(const struct heads *h, size_t part, uint64_t off, uint8_t *data, size_t len)
{
    size_t n = inside(off, len);
    if (n > 0) {
        memcpy(data, head_at(h, part, off), n);
    }
}

static enum err take_chunk(struct heads *h, const struct slot *s, size_t part, uint64_t off,
                           const struct chunk *c, struct hasher *hasher, uint8_t *buf,
                           bool *ret_present, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = blk_pread(s->partitions[part].blk, buf, c->raw_len, off, e);
    if (err == OK) {
        err = hasher_sha256(hasher, buf, c->raw_len, digest, e);
    }
    if (err != OK) {
        return error_context(e, "slot %s, partition %s", s->name, s->partitions[part].info->name);
    }
    *ret_present = memcmp(digest, c->raw_sha256, SHA256_SIZE) == 0;
    if (*ret_present) {
        heads_put(h, part, off, buf, c->raw_len);
    }
    return OK;
}

enum err heads_take_present(struct heads *h, const struct slot *s, const struct chunk_table *table,
                            struct hasher *hasher, uint8_t *buf, struct chunk_set *differs,
                            struct error *e)
{
    for (size_t part = 0; part < s->count; part++) {
        const struct partition_info *info = s->partitions[part].info;
        for (uint32_t i = info->first; i - info->first < info->count; i++) {
            uint64_t off;
            struct chunk c = chunk_table_get(table, i, &off);
            if (off >= HEAD_SIZE) {
                break;
            }
            if (chunk_set_has(differs, i)) {
                continue;
            }
            bool present = false;
            enum err err = take_chunk(h, s, part, off, &c, hasher, buf, &present, e);
            if (err != OK) {
                return err;
            }
            if (!present) {
                chunk_set_add(differs, i);
            }
        }
    }
    return OK;
}

// A whole block where the device has one: behind a shorter image nothing of ours is lost.
static size_t head_span(const struct slot_partition *p)
{
    return p->blk->size_bytes < HEAD_SIZE ? (size_t)p->blk->size_bytes : HEAD_SIZE;
}

// A superblock stands in one sector of 512, which is written as a whole: at the beginning (FAT,
// XFS, squashfs) or at 1024 (ext4, erofs). It is taken away before anything else of its partition,
// and comes back behind everything else, each with a sync of its own: so that whatever a cut leaves
// of a head, what could be mounted is complete.
enum { SECTOR = 512 };
static const size_t superblock_off[] = {0, 1024};
enum { SUPERBLOCKS = sizeof superblock_off / sizeof superblock_off[0] };

// How much of `len` bytes at `off` the head of the partition has. 0: `off` may be behind the end of
// the device, where not even nothing can be read or written.
static size_t clipped(const struct slot_partition *p, size_t off, size_t len)
{
    size_t span = head_span(p);
    size_t room = off < span ? span - off : 0;
    return len < room ? len : room;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    static const uint8_t zeros[SECTOR];
    return memcmp(bytes, zeros, len) == 0;
}

// What cannot be read is not known to be zero.
static bool reads_as_zero(const struct slot_partition *p, size_t off, size_t len)
{
    uint8_t sector[SECTOR];
    struct error ignored;
    return len <= sizeof sector && blk_pread(p->blk, sector, len, off, &ignored) == OK &&
           is_zero(sector, len);
}

// A sector that is zero already is left alone: where a superblock stands elsewhere, a cut in a
// needless write could spoil a head that can be mounted.
static enum err zero_everywhere(const struct slot *s, size_t off, size_t len, struct error *e)
{
    for (size_t part = 0; part < s->count; part++) {
        const struct slot_partition *p = &s->partitions[part];
        size_t n = clipped(p, off, len);
        bool done = n == 0 || reads_as_zero(p, off, n);
        enum err err = done ? OK : blk_zero_range(p->blk, off, n, e);
        if (err != OK) {
            return error_context(e, "slot %s, partition %s", s->name, p->info->name);
        }
    }
    return slot_sync(s, e);
}

enum err heads_zero(const struct slot *s, struct error *e)
{
    for (size_t i = 0; i < SUPERBLOCKS; i++) {
        enum err err = zero_everywhere(s, superblock_off[i], SECTOR, e);
        if (err != OK) {
            return err;
        }
    }
    return zero_everywhere(s, 0, HEAD_SIZE, e);
}

// `bytes` are the heads of all partitions as they were written.
static enum err check_heads(const uint8_t *bytes, const struct slot *s, struct error *e)
{
    _Alignas(BLK_ALIGN) uint8_t head[HEAD_SIZE];
    enum err err = OK;
    for (size_t part = 0; err == OK && part < s->count; part++) {
        const struct slot_partition *p = &s->partitions[part];
        err = blk_pread(p->blk, head, head_span(p), 0, e);
        if (err == OK && memcmp(head, bytes + part * HEAD_SIZE, head_span(p)) != 0) {
            err = fail(e, ERR_IO, 0, "offset 0: what was written does not read back");
        }
        if (err != OK) {
            return error_context(e, "slot %s, partition %s", s->name, p->info->name);
        }
    }
    return OK;
}

// The `index`-th sector that may be a superblock, of every head; `from` NULL: zeros.
static void copy_superblocks(uint8_t *bytes, const uint8_t *from, size_t count, size_t index)
{
    for (size_t part = 0; part < count; part++) {
        size_t at = part * HEAD_SIZE + superblock_off[index];
        if (from == NULL) {
            memset(bytes + at, 0, SECTOR);
        } else {
            memcpy(bytes + at, from + at, SECTOR);
        }
    }
}

// [off, off + len) of every head, from `bytes`, which are the heads of all partitions as they are
// to be after this; synced and read back. Where `skip_zeros`, zeros are there: see
// zero_everywhere().
static enum err write_everywhere(const uint8_t *bytes, const struct slot *s, size_t off, size_t len,
                                 bool skip_zeros, struct error *e)
{
    enum err err = OK;
    for (size_t part = 0; err == OK && part < s->count; part++) {
        const struct slot_partition *p = &s->partitions[part];
        const uint8_t *from = bytes + part * HEAD_SIZE + off;
        size_t n = clipped(p, off, len);
        if (n == 0 || (skip_zeros && is_zero(from, n))) {
            continue;
        }
        err = blk_pwrite(p->blk, from, n, off, e);
        if (err != OK) {
            return error_context(e, "slot %s, partition %s", s->name, p->info->name);
        }
    }
    if (err == OK) {
        err = slot_sync(s, e);
    }
    return err == OK ? check_heads(bytes, s, e) : err;
}

enum err heads_write(const struct heads *h, const struct slot *s, struct error *e)
{
    size_t len = h->count * HEAD_SIZE;
    CLEANUP(cleanup_free) uint8_t *buf = aligned_alloc(BLK_ALIGN, len);
    if (buf == NULL) {
        return fail_memory(e);
    }
    memcpy(buf, h->bytes, len);
    copy_superblocks(buf, NULL, h->count, 0);
    copy_superblocks(buf, NULL, h->count, 1);
    enum err err = write_everywhere(buf, s, 0, HEAD_SIZE, false, e);
    for (size_t left = SUPERBLOCKS; err == OK && left > 0; left--) {
        size_t i = left - 1;
        copy_superblocks(buf, h->bytes, h->count, i);
        err = write_everywhere(buf, s, superblock_off[i], SECTOR, true, e);
    }
    return err;
}

bool head_has_superblock(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < SUPERBLOCKS && superblock_off[i] < len; i++) {
        size_t room = len - superblock_off[i];
        if (!is_zero(head + superblock_off[i], room < SECTOR ? room : SECTOR)) {
            return true;
        }
    }
    return false;
}

uint64_t heads_bytes(const struct slot *s)
{
    uint64_t sum = 0;
    for (size_t part = 0; part < s->count; part++) {
        sum += head_span(&s->partitions[part]);
    }
    return sum;
}
