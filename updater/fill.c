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
};

// From which places chunks are taken. What one pass could not copy is for the next one.
enum copies { COPY_ALL, COPY_FROM_TARGET, COPY_NONE };

// Once through the chunks.
struct pass {
    struct fill *fill;
    const struct chunk_set *differs;
    enum copies copies;
    struct chunk_set *missed; // what could not be copied
    uint32_t first_missed;
};

static struct job job_for(const struct fill *f, uint32_t index)
{
    struct job j = {.index = index, .part = slot_find(f->slot, index)};
    j.chunk = chunk_table_get(f->table, index, &j.off);
    return j;
}

// Into `raw`; `*ret_done` is false when the bytes there are not those of the chunk, not any more or
// not yet.
static enum err copy_from_target(const struct pass *p, const struct job *j, uint8_t *raw,
                                 bool *ret_done, struct error *e)
{
    struct fill *f = p->fill;
    struct job from = job_for(f, chunk_table_origin(f->table, j->index));
    *ret_done = false;
    if (chunk_set_has(p->missed, from.index)) {
        return OK;
    }
    enum err err = writer_read(f->writer, from.part, from.off, raw, j->chunk.raw_len, e);
    if (err == OK) {
        err = chunk_check_raw(&j->chunk, raw, f->device->hasher, e);
    }
    *ret_done = err == OK;
    return err == ERR_FORMAT ? OK : err;
}

static enum err fill_chunk(struct pass *p, const struct job *j, struct error *e)
{
    struct fill *f = p->fill;
    struct piece piece = {0};
    if (j->chunk.codec == CODEC_ZERO) {
        return writer_zero(f->writer, j->part, j->off, j->chunk.raw_len, e);
    }
    enum err err = pipeline_take(f->pipeline, j->index, &piece, e);
    bool done = piece.made;
    if (err == OK && piece.from == PIECE_TAKERS) {
        err = copy_from_target(p, j, piece.raw, &done, e);
    }
    if (err != OK) {
        return err;
    }
    if (!done) {
        p->first_missed = chunk_set_size(p->missed) == 0 ? j->index : p->first_missed;
        chunk_set_add(p->missed, j->index);
        return OK;
    }
    bool copied = piece.fetched_len == 0;
    f->copied_bytes += copied ? j->chunk.raw_len : 0;
    progress_add(&f->device->progress, copied ? j->chunk.raw_len : piece.fetched_len);
    return writer_put(f->writer, j->part, j->off, piece.raw, j->chunk.raw_len, e);
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

static enum err checkpoint(const struct pass *p, const struct job *last, struct error *e)
{
    struct fill *f = p->fill;
    enum err err = writer_sync(f->writer, e);
    if (err != OK) {
        return err;
    }
    // Further, and the next chunk would have to take the mark back at once: one more store.
    uint64_t end = last->off + last->chunk.raw_len;
    uint32_t mark = chunks_before(f, last->index + 1, last->part, end);
    pipeline_synced(f->pipeline, mark);
    return set_mark(f, mark < p->first_missed ? mark : p->first_missed, e);
}

// What did not read back is written again, and the mark is in front of it.
static enum err take_mark_back(struct fill *f, const struct job *first, struct error *e)
{
    uint32_t untouched = chunks_before(f, first->index, first->part, first->off);
    return f->device->journal.next_chunk > untouched ? set_mark(f, untouched, e) : OK;
}

static enum piece_from place_of(const struct pass *p, uint32_t index)
{
    const struct fill *f = p->fill;
    struct seed_place place;
    struct pack_record record;
    if (p->copies == COPY_NONE) {
        return PIECE_FETCHED;
    }
    if (chunk_table_origin(f->table, index) != index) {
        return PIECE_TAKERS;
    }
    if (p->copies == COPY_ALL && seeds_find(f->seeds, index, &place)) {
        return PIECE_COPIED;
    }
    bool packed = p->copies == COPY_ALL && deltas_find(f->deltas, index, &record);
    return packed ? PIECE_DELTA : PIECE_FETCHED;
}

static void begin(const struct pass *p)
{
    struct fill *f = p->fill;
    for (uint32_t i = 0; i < chunk_table_count(f->table); i++) {
        bool zeros = chunk_table_get(f->table, i, NULL).codec == CODEC_ZERO;
        if (chunk_set_has(p->differs, i) && !zeros) {
            pipeline_want(f->pipeline, i, place_of(p, i));
        }
    }
    pipeline_begin(f->pipeline, f->seeds, f->deltas);
}

static enum err fill_in_order(struct pass *p, struct error *e)
{
    struct fill *f = p->fill;
    for (uint32_t i = 0; i < chunk_table_count(f->table); i++) {
        if (!chunk_set_has(p->differs, i)) {
            continue;
        }
        struct job j = job_for(f, i);
        enum err err = take_mark_back(f, &j, e);
        if (err == OK) {
            err = fill_chunk(p, &j, e);
        }
        if (err == OK && writer_unsynced(f->writer) >= f->device->sync_bytes) {
            err = checkpoint(p, &j, e);
        }
        if (err != OK) {
            return err;
        }
    }
    enum err err = writer_sync(f->writer, e);
    // With another pass to come it would be read back once more.
    if (err == OK && chunk_set_size(p->missed) == 0) {
        pipeline_synced(f->pipeline, chunk_table_count(f->table));
    }
    return err;
}

static enum err run_pass(struct pass *p, struct error *e)
{
    if (!pipeline_has_begun(p->fill->pipeline)) {
        begin(p);
    }
    struct pipeline *pipeline = p->fill->pipeline;
    struct log *log = p->fill->device->log;
    enum err err = fill_in_order(p, e);
    pipeline_end(pipeline);
    if (pipeline_lost_threads(pipeline) != NULL) {
        log_warn(log, "%s; the install goes on in one", pipeline_lost_threads(pipeline));
    }
    if (pipeline_lost_deltas(pipeline) != NULL) {
        log_warn(log, "the delta pack is no longer used: %s", pipeline_lost_deltas(pipeline));
    }
    return err;
}

enum err fill_chunks(struct fill *f, const struct chunk_set *differs, struct error *e)
{
    CLEANUP(cleanup_chunk_set) struct chunk_set *left = NULL;
    CLEANUP(cleanup_chunk_set) struct chunk_set *missed = NULL;
    struct pass p = {.fill = f, .differs = differs, .first_missed = UINT32_MAX};
    enum err err = chunk_set_new(chunk_table_count(f->table), &missed, e);
    if (err == OK) {
        err = chunk_set_new(chunk_table_count(f->table), &left, e);
    }
    for (p.copies = COPY_ALL; err == OK; p.copies++) {
        p.missed = missed;
        err = run_pass(&p, e);
        if (chunk_set_size(missed) == 0) {
            break;
        }
        struct chunk_set *done = left;
        p.differs = left = missed;
        missed = done;
        chunk_set_clear(missed);
        p.first_missed = UINT32_MAX;
    }
    return err;
}

enum err fill_try_first(struct fill *f, const struct chunk_set *differs, struct error *e)
{
    const struct pass p = {f, .differs = differs};
    if (pipeline_has_begun(f->pipeline)) {
        pipeline_end(f->pipeline); // other chunks were to be filled
    }
    begin(&p);
    return pipeline_try_first(f->pipeline, e);
}
