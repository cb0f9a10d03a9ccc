// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include <stdio.h>
#include <string.h>

enum { REST_FIRST = 8, REST_MAX = 1024 };

void lane_init(struct lane *l, struct pipeline *p, struct source *source, enum lane_kind kind)
{
    bool delta = kind == LANE_DELTA;
    l->pipeline = p;
    l->source = source;
    l->kind = kind;
    l->ranges = delta ? &p->delta_ranges : &p->ranges;
    l->fetcher = (struct fetcher){.source = source, .map = delta ? &p->pack_map : &p->image_map};
    l->busy = l->waits = l->fetching = l->ended = false;
    l->rest = l->rest_until = 0;
}

// The stored bytes of a job of the lane's range, which was begun.
static enum err fetch(struct lane *l, const struct job *j, struct error *e)
{
    struct pipeline *p = l->pipeline;
    if (l->kind == LANE_FIRST && p->tried_stored != NULL && p->tried == j->index) {
        memcpy(j->stored, p->tried_stored, j->stored_len);
        free(TAKE_PTR(p->tried_stored));
        return OK;
    }
    return fetcher_read(&l->fetcher, j->index, j->stored, e);
}

// No answer is under way that goes on with the range; the chunk that was tried needs none.
static bool must_begin(const struct lane *l)
{
    bool tried = l->kind == LANE_FIRST && l->pipeline->tried_stored != NULL;
    return !tried && l->fetcher.pos == l->fetcher.end;
}

static enum err begin(struct lane *l, struct error *e)
{
    return fetcher_begin(&l->fetcher, &l->range, e);
}

static void advance(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    l->busy = fetch_range_advance(&l->range, l->fetcher.map, l->ranges->wanted);
    if (!l->busy) {
        p->ranges_done++;
        l->rest = 0;
    }
}

enum err lane_fetch_alone(struct lane *l, const struct job *j, struct error *e)
{
    if (!l->busy) {
        l->busy = range_queue_take(l->ranges, &l->range);
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
                  range_queue_has_before(l->ranges, l->range.index);
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

void lane_lose_deltas(struct pipeline *p, const char *why)
{
    if (p->deltas_lost) {
        return;
    }
    p->deltas_lost = true;
    snprintf(p->lost_why, sizeof p->lost_why, "%s", why);
    atomic_store(&p->deltas_interrupted, true);
    pthread_cond_signal(&p->delta_lane.wake);
    for (size_t i = 0; i < p->count; i++) {
        struct job *j = &p->window[(p->first + i) % PIPELINE_WINDOW];
        bool under_way = p->delta_lane.fetching && p->delta_lane.range.index == j->index;
        if (j->from == PIECE_DELTA && j->state == JOB_WANTED && !under_way) {
            j->state = JOB_READY;
        }
    }
    pthread_cond_signal(&p->done);
}

static void hand_back(struct lane *l)
{
    fetcher_drop(&l->fetcher);
    range_queue_give_back(l->ranges, &l->range);
    l->busy = false;
}

// The pack may have the one connection that a server grants: the first lane tries again without it.
static bool gets_its_connection(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    if (p->deltas == NULL || p->deltas_lost) {
        return false;
    }
    lane_lose_deltas(p, "the image cannot be read beside it");
    while (!p->stop && p->delta_lane.started && !p->delta_lane.ended) {
        wait_here(l);
    }
    return true;
}

static void give_up(struct lane *l, const struct error *e)
{
    struct pipeline *p = l->pipeline;
    if (l->kind == LANE_FIRST) {
        if (!gets_its_connection(l)) {
            pipeline_fail(p, l->range.index, e);
            l->busy = false;
        }
        return;
    }
    if (l->kind == LANE_DELTA) {
        lane_lose_deltas(p, e->msg);
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
    l->fetching = j != NULL;
    pthread_mutex_unlock(&p->lock);
    enum err err = j == NULL ? begin(l, &e) : fetch(l, j, &e);
    pthread_mutex_lock(&p->lock);
    l->fetching = false;
    if (err != OK) {
        give_up(l, &e);
    }
    return err == OK;
}

static bool takes_range(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    bool rests = p->ranges_done < l->rest_until;
    l->busy = !rests && range_queue_take(l->ranges, &l->range);
    return l->busy;
}

// The request is sent as soon as the range is the lane's: while its first chunk has no place yet,
// the answer is on its way. Not so that of a pack, which is not to keep the image waiting.
static void go_on(struct lane *l)
{
    struct pipeline *p = l->pipeline;
    struct job *j = pipeline_find(p, l->range.index);
    if (must_begin(l) && (j != NULL || l->kind != LANE_DELTA)) {
        (void)without_lock(l, NULL); // and looks again: much may have happened meanwhile
        return;
    }
    if (j == NULL && range_queue_has_before(l->ranges, l->range.index)) {
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

static bool has_ended(const struct lane *l)
{
    const struct pipeline *p = l->pipeline;
    return (l->kind == LANE_FIRST && p->failed) || (l->kind == LANE_DELTA && p->deltas_lost);
}

void *lane_main(void *lane)
{
    struct lane *l = lane;
    struct pipeline *p = l->pipeline;
    pthread_mutex_lock(&p->lock);
    while (!p->stop && !has_ended(l)) {
        if (l->busy || takes_range(l)) {
            go_on(l);
        } else {
            wait_here(l);
        }
    }
    if (l->kind == LANE_DELTA) {
        fetcher_drop(&l->fetcher);
        l->ended = true;
        pthread_cond_signal(&p->lanes[0].wake); // it may wait for the connection
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
