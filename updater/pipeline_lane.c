// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include <string.h>

enum { REST_FIRST = 8, REST_MAX = 1024 };

void lane_init(struct lane *l, struct pipeline *p, struct source *source)
{
    l->pipeline = p;
    l->source = source;
    l->first = source == p->source;
    l->fetcher = (struct fetcher){.source = source, .payload_off = p->payload_off};
    l->busy = l->waits = false;
    l->rest = l->rest_until = 0;
}

// The stored bytes of a job of the lane's range, which was begun.
static enum err fetch(struct lane *l, const struct job *j, struct error *e)
{
    struct pipeline *p = l->pipeline;
    if (l->first && p->tried_stored != NULL && p->tried == j->index) {
        memcpy(j->stored, p->tried_stored, j->chunk.stored_len);
        free(TAKE_PTR(p->tried_stored));
        return OK;
    }
    return fetcher_read(&l->fetcher, &j->chunk, j->stored, e);
}

// No answer is under way that goes on with the range; the chunk that was tried needs none.
static bool must_begin(const struct lane *l)
{
    bool tried = l->first && l->pipeline->tried_stored != NULL;
    return !tried && l->fetcher.pos == l->fetcher.end;
}

static enum err begin(struct lane *l, struct error *e)
{
    return fetcher_begin(&l->fetcher, l->pipeline->table, &l->range, e);
}

static void advance(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    l->busy = fetch_range_advance(&l->range, p->table, p->fetched);
    if (!l->busy) {
        p->ranges_done++;
        l->rest = 0;
    }
}

enum err lane_fetch_alone(struct lane *l, const struct job *j, struct error *e)
{
    if (!l->busy) {
        l->busy = range_queue_take(&l->pipeline->ranges, &l->range);
    }
    enum err err = must_begin(l) ? begin(l, e) : OK;
    if (err == OK) {
        err = fetch(l, j, e);
    }
    if (err == OK) {
        advance(l);
    }
    return err;
}

void lane_wake(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    bool useful = !l->busy || pipeline_find(p, l->range.index) != NULL ||
                  range_queue_has_before(&p->ranges, l->range.index);
    if (l->waits && useful) {
        pthread_cond_signal(&l->wake);
    }
}

static void wake_others(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    for (size_t i = 0; i < p->lane_count; i++) {
        if (&p->lanes[i] != l) {
            lane_wake(&p->lanes[i]);
        }
    }
}

static void wait_here(struct lane *l)
{
    l->waits = true;
    pthread_cond_wait(&l->wake, &l->pipeline->lock);
    l->waits = false;
}

static void hand_back(struct lane *l)
{
    fetcher_drop(&l->fetcher);
    range_queue_give_back(&l->pipeline->ranges, &l->range);
    l->busy = false;
}

static void give_up(struct lane *l, const struct error *e)
{
    struct pipeline *p = l->pipeline;
    if (l->first) {
        pipeline_fail(p, l->range.index, e);
        l->busy = false;
        return;
    }
    hand_back(l);
    l->rest = l->rest == 0 ? REST_FIRST : l->rest * 2;
    l->rest = l->rest < REST_MAX ? l->rest : REST_MAX;
    l->rest_until = p->ranges_done + l->rest;
    wake_others(l);
}

// Under the lock, which is let go meanwhile. False: the lane gave up.
static bool without_lock(struct lane *l, const struct job *j)
{
    struct pipeline *p = l->pipeline;
    struct error e;
    pthread_mutex_unlock(&p->lock);
    enum err err = j == NULL ? begin(l, &e) : fetch(l, j, &e);
    pthread_mutex_lock(&p->lock);
    if (err != OK) {
        give_up(l, &e);
    }
    return err == OK;
}

static bool takes_range(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    bool rests = p->ranges_done < l->rest_until;
    l->busy = !rests && range_queue_take(&p->ranges, &l->range);
    return l->busy;
}

// The request is sent as soon as the range is the lane's: while its first chunk has no place yet,
// the answer is on its way.
static void go_on(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    if (must_begin(l) && !without_lock(l, NULL)) {
        return;
    }
    struct job *j = pipeline_find(p, l->range.index);
    if (j == NULL && range_queue_has_before(&p->ranges, l->range.index)) {
        hand_back(l); // what comes before it is written first
    } else if (j == NULL) {
        wait_here(l);
    } else if (without_lock(l, j)) {
        j->state = JOB_STORED;
        advance(l);
        pthread_cond_signal(&p->work);
        if (!l->busy) {
            wake_others(l); // those that rest count ranges
        }
    }
}

void *lane_main(void *lane)
{
    struct lane *l = lane;
    struct pipeline *p = l->pipeline;
    pthread_mutex_lock(&p->lock);
    while (!p->stop && !(p->failed && l->first)) {
        if (l->busy || takes_range(l)) {
            go_on(l);
        } else {
            wait_here(l);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
