// SPDX-License-Identifier: Apache-2.0
#include "tests/support/bench_snapshot.h"

#include "tests/support/expect.h"

#include <stdlib.h>

// In place of what `to` held.
static void copy_records(const struct state_mem *from, struct state_mem *to)
{
    for (int i = 0; i < STATE_MEM_RECORDS_MAX; i++) {
        free(to->records[i].data);
        to->records[i] = from->records[i];
        if (from->records[i].data != NULL) {
            to->records[i].data = malloc(from->records[i].len + 1);
            assert_non_null(to->records[i].data);
            memcpy(to->records[i].data, from->records[i].data, from->records[i].len);
        }
    }
}

static void copy_vars(const struct env_vars *from, struct env_vars *to)
{
    struct error e;
    env_vars_clear(to);
    assert_ok(env_vars_copy(from, to, &e));
}

void bench_snapshot_take(struct bench *b, struct bench_snapshot *ret)
{
    *ret = (struct bench_snapshot){0};
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < b->config.slots[s].partition_count; p++) {
            const struct blk_mem *m = &b->slots[s][p];
            ret->data[s][p] = malloc(m->size_bytes);
            assert_non_null(ret->data[s][p]);
            memcpy(ret->data[s][p], m->data, m->size_bytes);
        }
    }
    copy_vars(&b->env.sim.medium, &ret->env);
    copy_records(&b->state, &ret->state);
}

void bench_snapshot_restore(struct bench *b, const struct bench_snapshot *s)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        for (size_t p = 0; p < b->config.slots[i].partition_count; p++) {
            memcpy(b->slots[i][p].data, s->data[i][p], b->slots[i][p].size_bytes);
        }
    }
    copy_vars(&s->env, &b->env.sim.medium);
    copy_records(&s->state, &b->state);
    bench_restart(b);
}

void bench_snapshot_free(struct bench_snapshot *s)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        for (size_t p = 0; p < BENCH_PARTITIONS; p++) {
            free(s->data[i][p]);
        }
    }
    env_vars_clear(&s->env);
    state_mem_free(&s->state);
}
