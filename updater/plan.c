// SPDX-License-Identifier: Apache-2.0
#include "updater/plan.h"

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
        seeds_free(p->seeds);
        free(p);
    }
}

uint64_t plan_fetch_bytes(const struct chunk_set *differs, const struct seeds *seeds,
                          const struct chunk_table *table)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        if (plan_fetches(differs, seeds, table, i)) {
            sum += chunk_table_get(table, i, NULL).stored_len;
        }
    }
    return sum;
}

static void count_bytes(struct plan *p, const struct chunk_table *table)
{
    p->fetch_bytes = plan_fetch_bytes(p->differs, p->seeds, table);
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

enum err plan_make(const struct scan *scan, struct plan **ret, struct error *e)
{
    CLEANUP(cleanup_plan) struct plan *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return fail_memory(e);
    }
    enum err err = chunk_set_new(chunk_table_count(scan->table), &p->differs, e);
    if (err == OK) {
        err = scan_slot(scan, p->differs, &p->unreadable_bytes, e);
    }
    if (err != OK) {
        return err;
    }
    count_bytes(p, scan->table);
    *ret = TAKE_PTR(p);
    return OK;
}
