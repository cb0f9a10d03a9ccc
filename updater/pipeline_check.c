// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

enum {
    CHECK_BYTES = 1024 * 1024, // or one chunk, before a worker looks whether a job waits
    CHECKS_BEHIND = 512,       // chunks; so many 64K chunks are 32 MiB
};

bool checks_are_wanted(const struct pipeline *p)
{
    return p->options.slot != NULL;
}

enum err check_init(struct worker *w, struct error *e)
{
    const struct pipeline *p = w->pipeline;
    return checks_are_wanted(p) && w->differs == NULL
               ? chunk_set_new(chunk_table_count(p->table), &w->differs, e)
               : OK;
}

enum err check_init_buf(struct worker *w, struct error *e)
{
    if (!checks_are_wanted(w->pipeline) || w->buf != NULL) {
        return OK;
    }
    w->buf = aligned_alloc(BLK_ALIGN, CHECK_BUF_SIZE);
    return w->buf == NULL ? fail_memory(e) : OK;
}

void check_clear(struct worker *w)
{
    free(TAKE_PTR(w->buf));
    chunk_set_free(TAKE_PTR(w->differs));
}

bool checks_are_behind(const struct pipeline *p)
{
    return p->check_end - p->check_next > CHECKS_BEHIND;
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
    end = end - i > CHECK_CHUNKS_MAX ? i + CHECK_CHUNKS_MAX : end;
    while (i < end && bytes < CHECK_BYTES) {
        bytes += chunk_table_get(p->table, i, NULL).raw_len;
        i++;
    }
    return i - p->check_next;
}

static void find_prints(struct worker *w, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        w->prints[i].known = fingerprints_find(w->pipeline->prints, first + i, &w->prints[i].print);
    }
}

// What cannot be read is not verified, and found again by who reads what is not.
static bool scan_some(struct worker *w, uint32_t first, uint32_t count)
{
    const struct pipeline *p = w->pipeline;
    const struct ring *jobs = &p->raw;
    struct progress nobody = {.kind = PROGRESS_NONE};
    const struct scan scan = {
        .slot = p->options.slot,
        .table = p->table,
        .hasher = w->hasher,
        .progress = &nobody,
        .heads = p->options.heads,
        .prints = w->prints,
        .fingerprinter = w->fingerprinter,
        .buf = p->running ? w->buf : jobs->bytes,
        .buf_len = p->running ? CHECK_BUF_SIZE : jobs->size,
    };
    struct error ignored;
    chunk_set_clear(w->differs);
    return scan_chunks(&scan, first, count, w->differs, NULL, &ignored) == OK;
}

bool check_some(struct worker *w)
{
    struct pipeline *p = w->pipeline;
    if (p->check_next >= p->check_end) {
        return false;
    }
    uint32_t first = p->check_next;
    uint32_t count = count_next(p);
    p->check_next += count;
    p->checks++;
    find_prints(w, first, count);
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
    if (p->options.slot == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->check_end = end > p->check_end ? end : p->check_end;
    if (p->running) {
        pthread_cond_broadcast(&p->work);
    } else {
        while (check_some(&p->workers[0])) {
        }
    }
    pthread_mutex_unlock(&p->lock);
}

const struct chunk_set *pipeline_verified(const struct pipeline *p)
{
    return p->verified;
}
