// SPDX-License-Identifier: Apache-2.0
#include "updater/plan.h"

#include "updater/heads.h"

bool plan_fetches(const struct chunk_set *differs, const struct seeds *seeds,
                  const struct chunk_table *table, uint32_t index)
{
    struct seed_place place;
    return chunk_set_has(differs, index) && chunk_table_origin(table, index) == index &&
           chunk_table_get(table, index, NULL).codec != CODEC_ZERO &&
           !seeds_find(seeds, index, &place);
}

void plan_free(struct plan *p)
{
    if (p != NULL) {
        chunk_set_free(p->differs);
        deltas_free(p->deltas);
        seeds_free(p->seeds);
        free(p);
    }
}

uint64_t plan_fetch_bytes(const struct chunk_set *differs, const struct seeds *seeds,
                          const struct deltas *deltas, const struct chunk_table *table)
{
    struct pack_record r;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        if (plan_fetches(differs, seeds, table, i)) {
            sum += deltas_find(deltas, i, &r) ? r.stored_len
                                              : chunk_table_get(table, i, NULL).stored_len;
        }
    }
    return sum;
}

static void count_bytes(struct plan *p, const struct chunk_table *table)
{
    p->fetch_bytes = plan_fetch_bytes(p->differs, p->seeds, p->deltas, table);
    p->copy_bytes = p->zero_bytes = p->write_bytes = p->reused_bytes = 0;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        struct chunk c = chunk_table_get(table, i, NULL);
        if (!chunk_set_has(p->differs, i)) {
            p->reused_bytes += c.raw_len;
        } else if (c.codec == CODEC_ZERO) {
            p->zero_bytes += c.raw_len;
        } else {
            p->write_bytes += c.raw_len;
            p->copy_bytes += plan_fetches(p->differs, p->seeds, table, i) ? 0 : c.raw_len;
        }
    }
}

void plan_add_seeds(struct plan *p, const struct chunk_table *table, struct seeds *seeds)
{
    p->seeds = seeds;
    count_bytes(p, table);
}

// --- whether it is worth looking ---

// Bytes of the chunks that can be samples: zeros are everywhere, and heads are not in place while
// an install is under way.
static bool is_sample(const struct chunk_table *table, uint32_t index, uint32_t *ret_len)
{
    uint64_t off;
    struct chunk c = chunk_table_get(table, index, &off);
    *ret_len = c.raw_len;
    return c.codec != CODEC_ZERO && off >= HEAD_SIZE;
}

// How many bytes lie between two samples; 0: all is to be looked at.
static uint64_t sample_gap(const struct chunk_table *table)
{
    uint64_t bytes = 0;
    uint32_t count = 0;
    uint32_t len;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        if (is_sample(table, i, &len)) {
            bytes += len;
            count++;
        }
    }
    uint64_t gap = bytes / PLAN_SAMPLES;
    gap = gap < PLAN_SAMPLE_GAP ? gap : PLAN_SAMPLE_GAP;
    return count < 4 * PLAN_SAMPLES ? 0 : gap;
}

// Whether a sample is in place, or cannot be read, which is to be found out then.
static enum err look_at_samples(const struct scan *scan, struct chunk_set *differs, uint64_t gap,
                                bool *ret_found, struct error *e)
{
    uint64_t bytes = gap; // the first one
    uint32_t len;
    *ret_found = false;
    for (uint32_t i = 0; !*ret_found && i < chunk_table_count(scan->table); i++) {
        if (!is_sample(scan->table, i, &len)) {
            continue;
        }
        bytes += len;
        if (bytes < gap) {
            continue;
        }
        bytes = 0;
        uint64_t unreadable = 0;
        enum err err = scan_chunks(scan, i, 1, differs, &unreadable, e);
        if (err != OK) {
            return err;
        }
        *ret_found = !chunk_set_has(differs, i) || unreadable > 0;
    }
    return OK;
}

static enum err look(const struct scan *scan, bool look_at_all, struct plan *p, struct error *e)
{
    uint64_t gap = look_at_all ? 0 : sample_gap(scan->table);
    bool found = gap == 0;
    enum err err = OK;
    if (!found) {
        struct scan silent = *scan;
        struct progress nobody = {.kind = PROGRESS_NONE};
        silent.progress = &nobody;
        err = slot_sync(scan->slot, e);
        if (err == OK) {
            err = look_at_samples(&silent, p->differs, gap, &found, e);
        }
    }
    if (err != OK || found) {
        return err == OK ? scan_slot(scan, p->differs, &p->unreadable_bytes, e) : err;
    }
    for (uint32_t i = 0; i < chunk_table_count(scan->table); i++) {
        chunk_set_add(p->differs, i);
    }
    return OK;
}

void plan_add_deltas(struct plan *p, const struct chunk_table *table, struct deltas *deltas)
{
    p->deltas = deltas;
    count_bytes(p, table);
}

enum err plan_make(const struct scan *scan, bool look_at_all, struct plan **ret, struct error *e)
{
    CLEANUP(cleanup_plan) struct plan *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return fail_memory(e);
    }
    enum err err = chunk_set_new(chunk_table_count(scan->table), &p->differs, e);
    if (err == OK) {
        err = look(scan, look_at_all, p, e);
    }
    if (err != OK) {
        return err;
    }
    count_bytes(p, scan->table);
    *ret = TAKE_PTR(p);
    return OK;
}
