// SPDX-License-Identifier: Apache-2.0
#include "updater/fill.h"

#include "base/checked.h"
#include "updater/decode.h"
#include "updater/plan.h"

#include <inttypes.h>

// One chunk on its way.
struct job {
    uint32_t index;
    size_t part;
    uint64_t off; // in its partition
    struct chunk chunk;
    const struct chunk_set *differs;
};

static struct job job_for(const struct fill *f, uint32_t index, const struct chunk_set *differs)
{
    struct job j = {.index = index, .part = slot_find(f->slot, index), .differs = differs};
    j.chunk = chunk_table_get(f->table, index, &j.off);
    return j;
}

// Into the place reserved for it; not committed.
static enum err fetch_and_decode(struct fill *f, const struct job *j, struct error *e)
{
    const uint8_t *stored;
    uint8_t *raw;
    enum err err = fetcher_get(f->fetcher, j->index, j->differs, &stored, e);
    if (err != OK) {
        return err;
    }
    err = writer_reserve(f->writer, j->part, j->off, j->chunk.raw_len, &raw, e);
    if (err == OK) {
        err = decode_chunk(f->decoder, f->device->hasher, &j->chunk, stored, raw, e);
    }
    return err;
}

static enum err fill_from_source(struct fill *f, const struct job *j, struct error *e)
{
    enum err err = fetch_and_decode(f, j, e);
    if (err == OK) {
        err = writer_commit(f->writer, j->chunk.raw_len, e);
    }
    if (err != OK) {
        return error_context(e, "chunk %" PRIu32, j->index);
    }
    progress_add(&f->device->progress, j->chunk.stored_len);
    return OK;
}

// `*ret_done` is false when the bytes there are not those of the chunk (any more).
static enum err fill_from_target(struct fill *f, const struct job *j, uint32_t origin,
                                 bool *ret_done, struct error *e)
{
    struct job from = job_for(f, origin, j->differs);
    uint8_t *raw;
    enum err err = writer_reserve_copy(f->writer, from.part, from.off, j->part, j->off,
                                       j->chunk.raw_len, &raw, e);
    if (err != OK) {
        return err;
    }
    err = chunk_check_raw(&j->chunk, raw, f->device->hasher, e);
    *ret_done = err == OK;
    if (err == ERR_FORMAT) {
        return OK;
    }
    return err == OK ? writer_commit(f->writer, j->chunk.raw_len, e) : err;
}

// `*ret_done` is false when no place is known, it cannot be read, or something else stands there:
// then it is fetched.
static enum err fill_from_seed(struct fill *f, const struct job *j, uint32_t origin, bool *ret_done,
                               struct error *e)
{
    struct seed_place place;
    uint8_t *raw;
    if (!seeds_find(f->seeds, origin, &place)) {
        return OK;
    }
    enum err err = writer_reserve(f->writer, j->part, j->off, j->chunk.raw_len, &raw, e);
    if (err != OK) {
        return err;
    }
    err = seed_read(f->seeds, &place, raw, j->chunk.raw_len, e);
    if (err == OK) {
        err = chunk_check_raw(&j->chunk, raw, f->device->hasher, e);
    }
    *ret_done = err == OK;
    if (err == ERR_IO || err == ERR_FORMAT) {
        return OK;
    }
    return err == OK ? writer_commit(f->writer, j->chunk.raw_len, e) : err;
}

static enum err fill_chunk(struct fill *f, const struct job *j, struct error *e)
{
    if (j->chunk.codec == CODEC_ZERO) {
        return writer_zero(f->writer, j->part, j->off, j->chunk.raw_len, e);
    }
    uint32_t origin = chunk_table_origin(f->table, j->index);
    bool done = false;
    enum err err = OK;
    if (origin != j->index) {
        err = fill_from_target(f, j, origin, &done, e);
    }
    if (err == OK && !done) {
        err = fill_from_seed(f, j, origin, &done, e);
    }
    if (err == OK && !done) {
        return fill_from_source(f, j, e);
    }
    if (err == OK) {
        f->copied_bytes += j->chunk.raw_len;
        progress_add(&f->device->progress, j->chunk.raw_len);
    }
    return err;
}

// How many of the first `count` chunks end before the block that `off` of their last partition lies
// in. That block is written with what follows, and a cut may spoil all of it.
static uint32_t chunks_before(const struct fill *f, uint32_t count, size_t part, uint64_t off)
{
    uint64_t done = u64_align_down(off, BLK_ALIGN);
    uint32_t first = f->slot->partitions[part].info->first;
    while (count > first) {
        uint64_t begin;
        struct chunk c = chunk_table_get(f->table, count - 1, &begin);
        if (begin + c.raw_len <= done) {
            break;
        }
        count--;
    }
    return count;
}

static enum err set_mark(struct fill *f, uint32_t next_chunk, struct error *e)
{
    f->device->journal.next_chunk = next_chunk;
    f->device->journal.fetched.bytes = byte_budget_used(f->budget);
    return journal_save(f->device->state, &f->device->journal, e);
}

static enum err checkpoint(struct fill *f, const struct job *last, struct error *e)
{
    enum err err = writer_sync(f->writer, e);
    if (err != OK) {
        return err;
    }
    // Further, and the next chunk would have to take the mark back at once: one more store.
    uint64_t end = last->off + last->chunk.raw_len;
    return set_mark(f, chunks_before(f, last->index + 1, last->part, end), e);
}

// What did not read back is written again, and the mark is in front of it.
static enum err take_mark_back(struct fill *f, const struct job *first, struct error *e)
{
    uint32_t untouched = chunks_before(f, first->index, first->part, first->off);
    return f->device->journal.next_chunk > untouched ? set_mark(f, untouched, e) : OK;
}

enum err fill_chunks(struct fill *f, const struct chunk_set *differs, struct error *e)
{
    for (uint32_t i = 0; i < chunk_table_count(f->table); i++) {
        if (!chunk_set_has(differs, i)) {
            continue;
        }
        struct job j = job_for(f, i, differs);
        enum err err = take_mark_back(f, &j, e);
        if (err == OK) {
            err = fill_chunk(f, &j, e);
        }
        if (err == OK && writer_unsynced(f->writer) >= f->device->sync_bytes) {
            err = checkpoint(f, &j, e);
        }
        if (err != OK) {
            return err;
        }
    }
    return writer_sync(f->writer, e);
}

enum err fill_try_first(struct fill *f, const struct chunk_set *differs, struct error *e)
{
    for (uint32_t i = 0; i < chunk_table_count(f->table); i++) {
        if (plan_fetches(differs, f->seeds, f->table, i)) {
            struct job j = job_for(f, i, differs);
            enum err err = fetch_and_decode(f, &j, e);
            return err == OK ? OK : error_context(e, "chunk %" PRIu32, i);
        }
    }
    return OK;
}
