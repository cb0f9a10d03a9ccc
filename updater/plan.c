// SPDX-License-Identifier: Apache-2.0
#include "updater/plan.h"

bool plan_fetches(const struct chunk_set *differs, const struct chunk_table *table, uint32_t index)
{
    return chunk_set_has(differs, index) && chunk_table_origin(table, index) == index &&
           chunk_table_get(table, index, NULL).codec != CODEC_ZERO;
}

void plan_free(struct plan *p)
{
    if (p != NULL) {
        chunk_set_free(p->differs);
        free(p);
    }
}

uint64_t plan_fetch_bytes(const struct chunk_set *differs, const struct chunk_table *table)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        if (plan_fetches(differs, table, i)) {
            sum += chunk_table_get(table, i, NULL).stored_len;
        }
    }
    return sum;
}

static uint64_t bytes_in_place(const struct chunk_set *differs, const struct chunk_table *table)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(table); i++) {
        if (!chunk_set_has(differs, i)) {
            sum += chunk_table_get(table, i, NULL).raw_len;
        }
    }
    return sum;
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
    p->fetch_bytes = plan_fetch_bytes(p->differs, scan->table);
    p->reused_bytes = bytes_in_place(p->differs, scan->table);
    *ret = TAKE_PTR(p);
    return OK;
}
