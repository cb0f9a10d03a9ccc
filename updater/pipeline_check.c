// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "updater/scan.h"

enum { CHECK_BYTES = 1024 * 1024 }; // or one chunk, before a worker looks whether a job waits

enum err check_init(struct worker *w, struct error *e)
{
    if (w->pipeline->options.slot == NULL || w->buf != NULL) {
        return OK;
    }
    enum err err = chunk_set_new(chunk_table_count(w->pipeline->table), &w->differs, e);
    if (err != OK) {
        return err;
    }
    w->buf = aligned_alloc(BLK_ALIGN, CHECK_BUF_SIZE);
    return w->buf == NULL ? fail_memory(e) : OK;
}

void check_clear(struct worker *w)
{
    free(TAKE_PTR(w->buf));
    chunk_set_free(TAKE_PTR(w->differs));
}

// Neighbours in one partition, from check_next on.
static uint32_t count_next(const struct pipeline *p)
{
    const struct slot *slot = p->options.slot;
    const struct partition_info *info = slot->partitions[slot_find(slot, p->check_next)].info;
    uint32_t end = info->first + info->count;
    end = end < p->check_end ? end : p->check_end;
    uint64_t bytes = 0;
    uint32_t i = p->check_next;
    while (i < end && bytes < CHECK_BYTES) {
        bytes += chunk_table_get(p->table, i, NULL).raw_len;
        i++;
    }
    return i - p->check_next;
}

// What cannot be read is not verified, and found again by who reads what is not.
static bool scan_some(struct worker *w, uint32_t first, uint32_t count)
{
    const struct pipeline *p = w->pipeline;
    struct progress nobody = {.kind = PROGRESS_NONE};
    const struct scan scan = {
        .slot = p->options.slot,
        .table = p->table,
        .hasher = w->hasher,
        .progress = &nobody,
        .heads = p->options.heads,
        .buf = w->buf,
        .buf_len = CHECK_BUF_SIZE,
    };
    struct error ignored;
    chunk_set_clear(w->differs);
    return scan_chunks(&scan, first, count, w->differs, NULL, &ignored) == OK;
}

bool check_some(struct worker *w)
{
    struct pipeline *p = w->pipeline;
    if (w->buf == NULL || p->check_next >= p->check_end) {
        return false;
    }
    uint32_t first = p->check_next;
    uint32_t count = count_next(p);
    p->check_next += count;
    p->checks++;
    pthread_mutex_unlock(&p->lock);
    bool scanned = scan_some(w, first, count);
    pthread_mutex_lock(&p->lock);
    for (uint32_t i = first; scanned && i < first + count; i++) {
        if (!chunk_set_has(w->differs, i)) {
            chunk_set_add(p->verified, i);
        }
    }
    p->checks--;
    if (checks_are_done(p)) {
        pthread_cond_signal(&p->done);
    }
    return true;
}

bool checks_are_done(const struct pipeline *p)
{
    return p->check_next >= p->check_end && p->checks == 0;
}

void pipeline_synced(struct pipeline *p, uint32_t end)
{
    if (p->running && p->options.slot != NULL) {
        pthread_mutex_lock(&p->lock);
        p->check_end = end > p->check_end ? end : p->check_end;
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
}

const struct chunk_set *pipeline_verified(const struct pipeline *p)
{
    return p->verified;
}
