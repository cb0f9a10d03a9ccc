// SPDX-License-Identifier: Apache-2.0
#include "updater/seed_scan.h"

#include "base/checked.h"

#include <string.h>

// A cut is certain when so much stands behind it (format/cutter.h).
enum { LOOK_AHEAD = CHUNK_RAW_MAX + BLK_ALIGN };

struct search {
    const struct seed_scan *scan;
    struct cutter cutter;
    // The buffer has [base, end) of the partition; base is a multiple of BLK_ALIGN, so that every
    // read takes the direct path.
    uint64_t base, end;
    uint64_t pos;   // where the next chunk begins
    uint64_t blind; // bytes since the last chunk of the image
    bool hit;       // there was one
};

static const uint8_t *here(const struct search *s)
{
    return s->scan->buf + (s->pos - s->base);
}

static enum err refill(struct search *s, struct error *e)
{
    uint64_t size = s->scan->blk->size_bytes;
    if (s->end == size || s->end - s->pos >= LOOK_AHEAD) {
        return OK;
    }
    uint64_t base = u64_align_down(s->pos, BLK_ALIGN);
    memmove(s->scan->buf, s->scan->buf + (base - s->base), (size_t)(s->end - base));
    s->base = base;
    uint64_t room = SEED_SCAN_BUF_SIZE - (s->end - base);
    uint64_t left = size - s->end;
    size_t n = (size_t)(left < room ? left : room);
    enum err err = blk_pread(s->scan->blk, s->scan->buf + (s->end - base), n, s->end, e);
    s->end += err == OK ? n : 0;
    return err;
}

static bool is_zero(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

// Whether the `len` bytes from here on are a chunk of the image; `*ret_zeros`: no chunk at all.
static enum err look(const struct search *s, size_t len, bool *ret_hit, bool *ret_zeros,
                     struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    uint32_t index;
    *ret_hit = false;
    *ret_zeros = is_zero(here(s), len);
    if (*ret_zeros) {
        return OK;
    }
    enum err err = hasher_sha256(s->scan->hasher, here(s), len, digest, e);
    if (err == OK && chunk_finder_find(s->scan->finder, digest, &index)) {
        *ret_hit = true;
        s->scan->found(s->scan->context, index, s->pos);
    }
    return err;
}

static enum err step(struct search *s, struct error *e)
{
    bool hit = false;
    bool zeros = false;
    enum err err = refill(s, e);
    if (err != OK) {
        return err;
    }
    size_t len = cutter_next(&s->cutter, s->pos, here(s), (size_t)(s->end - s->pos));
    err = look(s, len, &hit, &zeros, e);
    if (err != OK) {
        return err;
    }
    s->pos += len;
    progress_add(s->scan->progress, len);
    if (hit) {
        s->hit = true;
        s->blind = 0;
    } else if (!zeros || !s->hit || s->pos > s->scan->info->image_size) {
        s->blind += len;
    }
    return OK;
}

uint64_t seed_scan_bytes(const struct blk *blk, const struct partition_info *info)
{
    struct cutter cutter;
    return cutter_from_name(info->cut, &cutter) ? blk->size_bytes : 0;
}

enum err seed_scan(const struct seed_scan *scan, struct error *e)
{
    struct search s = {.scan = scan};
    uint64_t size = scan->blk->size_bytes;
    enum err err = OK;
    if (!cutter_from_name(scan->info->cut, &s.cutter)) {
        return OK;
    }
    while (err == OK && s.pos < size && s.blind < scan->blind_bytes) {
        err = step(&s, e);
    }
    progress_add(scan->progress, size - s.pos);
    return err;
}
