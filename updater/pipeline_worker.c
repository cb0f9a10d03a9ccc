// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include "updater/decode.h"

enum err worker_init(struct worker *w, struct pipeline *p, struct error *e)
{
    w->pipeline = p;
    enum err err = w->hasher == NULL ? hasher_new(&w->hasher, e) : OK;
    if (err == OK && w->fingerprinter == NULL) {
        err = fingerprinter_new(&p->print_key, &w->fingerprinter, e);
    }
    if (err == OK && w->decoder == NULL) {
        err = decoder_new(&w->decoder, e);
    }
    return err == OK ? check_init(w, e) : err;
}

void worker_clear(struct worker *w)
{
    hasher_free(TAKE_PTR(w->hasher));
    fingerprinter_free(TAKE_PTR(w->fingerprinter));
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

// So many that are wrong, and none that is right, are the last.
static void count_delta(struct pipeline *p, const struct job *j)
{
    p->deltas_made += j->made ? 1 : 0;
    p->deltas_wrong += j->made ? 0 : 1;
    if (p->deltas_wrong >= p->deltas_made + DELTAS_WRONG_MAX) {
        lane_lose_deltas(p, "what it makes of the running slot is not the image");
    }
}

static enum err make(struct worker *w, struct job *j, struct error *e)
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

static enum err take_print(struct worker *w, const struct job *j, struct error *e)
{
    enum err err = fingerprint_begin(w->fingerprinter, e);
    if (err == OK) {
        err = fingerprint_add(w->fingerprinter, j->raw, j->chunk.raw_len, e);
    }
    return err == OK ? fingerprint_end(w->fingerprinter, &w->print, e) : err;
}

enum err worker_make(struct worker *w, struct job *j, struct error *e)
{
    enum err err = make(w, j, e);
    bool wanted = j->made && checks_are_wanted(w->pipeline);
    return err == OK && wanted ? take_print(w, j, e) : err;
}

void worker_has_made(struct worker *w, const struct job *j)
{
    struct pipeline *p = w->pipeline;
    if (j->made && checks_are_wanted(p)) {
        fingerprints_keep(p->prints, j->index, &w->print);
    }
    if (j->from == PIECE_DELTA) {
        count_delta(p, j);
    }
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
    worker_has_made(w, j);
    if (delta) {
        p->base_taken = false;
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
        struct job *j = checks_are_behind(p) ? NULL : next_job(p);
        if (j != NULL) {
            work_on(w, j);
        } else if (!check_some(w)) {
            pthread_cond_wait(&p->work, &p->lock);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
