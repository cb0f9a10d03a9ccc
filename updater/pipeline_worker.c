// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "updater/decode.h"

enum err worker_init(struct worker *w, struct pipeline *p, struct error *e)
{
    w->pipeline = p;
    enum err err = w->hasher == NULL ? hasher_new(&w->hasher, e) : OK;
    return err == OK && w->decoder == NULL ? decoder_new(&w->decoder, e) : err;
}

void worker_clear(struct worker *w)
{
    hasher_free(TAKE_PTR(w->hasher));
    decoder_free(TAKE_PTR(w->decoder));
    check_clear(w);
}

static enum err copy(struct worker *w, struct job *j, struct error *e)
{
    const struct seeds *seeds = w->pipeline->seeds;
    struct seed_place place;
    if (!seeds_find(seeds, j->index, &place)) {
        return OK;
    }
    enum err err = seed_read(seeds, &place, j->raw, j->chunk.raw_len, e);
    if (err == OK) {
        err = chunk_check_raw(&j->chunk, j->raw, w->hasher, e);
    }
    j->made = err == OK;
    return err == ERR_IO || err == ERR_FORMAT ? OK : err;
}

// So many more that were wrong than right: the running slot is not what the pack is for.
enum { DELTAS_WRONG_MAX = 8 };

static enum err patch(struct worker *w, struct job *j, struct error *e)
{
    struct pipeline *p = w->pipeline;
    struct pack_record r;
    if (!deltas_find(p->deltas, j->index, &r)) {
        return fail(e, ERR_INTERNAL, 0, "there is no delta for it");
    }
    enum err err = deltas_read_window(p->deltas, &r, p->base, e);
    if (err == OK) {
        err = pack_decode(&r, &j->chunk, p->base, j->stored, w->decoder, w->hasher, j->raw, e);
    }
    j->made = err == OK;
    return err == ERR_IO || err == ERR_FORMAT ? OK : err;
}

void worker_count_delta(struct pipeline *p, const struct job *j)
{
    p->deltas_made += j->made ? 1 : 0;
    p->deltas_wrong += j->made ? 0 : 1;
    if (p->deltas_wrong >= p->deltas_made + DELTAS_WRONG_MAX) {
        lane_lose_deltas(p, "what it makes of the running slot is not the image");
    }
}

enum err worker_make(struct worker *w, struct job *j, struct error *e)
{
    if (j->from == PIECE_COPIED) {
        return copy(w, j, e);
    }
    if (j->from == PIECE_DELTA) {
        return patch(w, j, e);
    }
    enum err err = decode_chunk(w->decoder, w->hasher, &j->chunk, j->stored, j->raw, e);
    j->made = err == OK;
    return err;
}

// The first in the window: it is the one that will be taken first.
static struct job *next_job(struct pipeline *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct job *j = &p->window[(p->first + i) % PIPELINE_WINDOW];
        // One window for all, which is long.
        if (j->state == JOB_STORED && !(j->from == PIECE_DELTA && p->base_taken)) {
            return j;
        }
    }
    return NULL;
}

static void work_on(struct worker *w, struct job *j)
{
    struct pipeline *p = w->pipeline;
    struct error e;
    bool delta = j->from == PIECE_DELTA;
    j->state = JOB_AT_WORK;
    p->base_taken = p->base_taken || delta;
    pthread_mutex_unlock(&p->lock);
    enum err err = worker_make(w, j, &e);
    pthread_mutex_lock(&p->lock);
    j->state = err == OK ? JOB_READY : JOB_FAILED;
    if (delta) {
        p->base_taken = false;
        worker_count_delta(p, j);
        pthread_cond_signal(&p->work);
    }
    if (err != OK) {
        pipeline_fail(p, j->index, &e);
    }
    if (j == &p->window[p->first]) {
        pthread_cond_signal(&p->done);
    }
}

void *worker_main(void *worker)
{
    struct worker *w = worker;
    struct pipeline *p = w->pipeline;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct job *j = next_job(p);
        if (j != NULL) {
            work_on(w, j);
        } else if (!check_some(w)) {
            pthread_cond_wait(&p->work, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
