// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    RAW_RING_MIN = CHUNK_RAW_MAX, // so that it can be scratch
    RAW_RING_MAX = 2 * 1024 * 1024,
    STORED_RING_MIN = 256 * 1024,
    STORED_RING_MAX = CHUNK_STORED_MAX,
    CHUNKS_AHEAD = 4, // of the longest
    STORED_AHEAD = 2, // what is stored is shorter, mostly by far
};

static size_t between(size_t n, size_t least, size_t most)
{
    return n < least ? least : n > most ? most : n;
}

// --- making and ending ---

static enum err make_rings(struct pipeline *p, struct error *e)
{
    size_t raw = 0;
    size_t stored = 0;
    size_t ahead = p->options.workers > 0 ? CHUNKS_AHEAD : 1;
    for (uint32_t i = 0; i < chunk_table_count(p->table); i++) {
        struct chunk c = chunk_table_get(p->table, i, NULL);
        bool zeros = c.codec == CODEC_ZERO;
        raw = !zeros && c.raw_len > raw ? c.raw_len : raw;
        stored = c.stored_len > stored ? c.stored_len : stored;
    }
    size_t stored_ahead = p->options.workers > 0 ? STORED_AHEAD : 1;
    size_t stored_least = p->options.workers > 0 ? STORED_RING_MIN : 1;
    enum err err = ring_init(&p->raw, between(ahead * raw, RAW_RING_MIN, RAW_RING_MAX), e);
    if (err == OK) {
        err =
            ring_init(&p->stored, between(stored_ahead * stored, stored_least, STORED_RING_MAX), e);
    }
    return err;
}

enum err pipeline_new(struct source *source, const struct image *image,
                      const struct pipeline_options *options, struct pipeline **ret,
                      struct error *e)
{
    assert(options->lanes >= 1 && options->lanes <= PIPELINE_LANES_MAX);
    assert(options->workers <= PIPELINE_WORKERS_MAX);
    struct pipeline *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return fail_memory(e);
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    pthread_cond_init(&made->done, NULL);
    for (size_t i = 0; i < PIPELINE_LANES_MAX; i++) {
        pthread_cond_init(&made->lanes[i].wake, NULL);
    }
    CLEANUP(cleanup_pipeline) struct pipeline *p = made;
    p->table = image->table;
    p->options = *options;
    p->source = source;
    p->payload_off = image->header.payload_offset;
    lane_init(&p->lanes[0], p, source);
    p->lane_count = 1;
    enum err err = chunk_set_new(chunk_table_count(p->table), &p->taken, e);
    if (err == OK) {
        err = chunk_set_new(chunk_table_count(p->table), &p->fetched, e);
    }
    if (err == OK) {
        err = chunk_set_new(chunk_table_count(p->table), &p->copied, e);
    }
    if (err == OK) {
        err = chunk_set_new(chunk_table_count(p->table), &p->verified, e);
    }
    if (err == OK) {
        err = make_rings(p, e);
    }
    if (err == OK) {
        err = worker_init(&p->workers[0], p, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(p);
    }
    return err;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL) {
        return;
    }
    if (p->begun) {
        pipeline_end(p);
    }
    for (size_t i = 0; i < PIPELINE_WORKERS_MAX; i++) {
        worker_clear(&p->workers[i]);
    }
    chunk_set_free(p->taken);
    chunk_set_free(p->fetched);
    chunk_set_free(p->copied);
    chunk_set_free(p->verified);
    ring_clear(&p->raw);
    ring_clear(&p->stored);
    for (size_t i = 0; i < PIPELINE_LANES_MAX; i++) {
        pthread_cond_destroy(&p->lanes[i].wake);
    }
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

uint8_t *pipeline_scratch(struct pipeline *p)
{
    assert(p->count == 0);
    return p->raw.bytes;
}

void pipeline_want(struct pipeline *p, uint32_t index, enum piece_from from)
{
    assert(!p->begun);
    chunk_set_add(p->taken, index);
    if (from != PIECE_TAKERS) {
        chunk_set_add(from == PIECE_FETCHED ? p->fetched : p->copied, index);
    }
}

void pipeline_begin(struct pipeline *p, const struct seeds *seeds)
{
    assert(!p->begun);
    p->seeds = seeds;
    bool threads = p->options.workers > 0;
    size_t left = FETCH_IN_FLIGHT_MAX - (threads ? p->stored.size : 0);
    p->cursor = 0;
    p->ranges = range_queue_begin(p->table, p->fetched, left / (threads ? p->options.lanes : 1));
    p->ranges_done = 0;
    p->check_next = p->check_end = 0;
    chunk_set_clear(p->verified);
    p->stop = p->failed = false;
    p->begun = true;
}

bool pipeline_has_begun(const struct pipeline *p)
{
    return p->begun;
}

enum err pipeline_try_first(struct pipeline *p, struct error *e)
{
    struct lane *l = &p->lanes[0];
    assert(p->begun && !p->running && !l->busy);
    if (!range_queue_take(&p->ranges, &l->range)) {
        return OK;
    }
    struct job j = {.index = l->range.index, .raw = p->raw.bytes, .stored = p->stored.bytes};
    j.chunk = chunk_table_get(p->table, j.index, NULL);
    enum err err = fetcher_begin(&l->fetcher, p->table, &l->range, e);
    if (err == OK) {
        err = fetcher_read(&l->fetcher, &j.chunk, j.stored, e);
    }
    if (err == OK) {
        err = worker_make(&p->workers[0], &j, e);
    }
    if (err != OK) {
        return error_context(e, "chunk %" PRIu32, j.index);
    }
    p->tried_stored = malloc(j.chunk.stored_len);
    if (p->tried_stored == NULL) {
        return fail_memory(e);
    }
    memcpy(p->tried_stored, j.stored, j.chunk.stored_len);
    p->tried = j.index;
    l->busy = true;
    return OK;
}

static void release_first(struct pipeline *p)
{
    const struct job *j = &p->window[p->first];
    if (!p->holds) {
        return;
    }
    if (j->stored != NULL) {
        ring_give_back(&p->stored, j->stored, j->chunk.stored_len);
    }
    ring_give_back(&p->raw, j->raw, j->chunk.raw_len);
    p->first = (p->first + 1) % PIPELINE_WINDOW;
    p->count--;
    p->holds = false;
}

void pipeline_end(struct pipeline *p)
{
    if (p->running) {
        threads_stop(p);
    }
    fetcher_drop(&p->lanes[0].fetcher);
    p->lanes[0].busy = false;
    free(TAKE_PTR(p->tried_stored));
    while (p->count > 0) {
        p->holds = true;
        release_first(p);
    }
    chunk_set_clear(p->taken);
    chunk_set_clear(p->fetched);
    chunk_set_clear(p->copied);
    p->begun = false;
}

// --- taking ---

struct job *pipeline_find(struct pipeline *p, uint32_t index)
{
    size_t from = 0;
    size_t to = p->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        struct job *j = &p->window[(p->first + middle) % PIPELINE_WINDOW];
        if (j->index == index) {
            return j;
        }
        from = j->index < index ? middle + 1 : from;
        to = j->index < index ? to : middle;
    }
    return NULL;
}

void pipeline_fail(struct pipeline *p, uint32_t index, const struct error *e)
{
    if (!p->failed) {
        p->failed = true;
        p->error = *e;
        (void)error_context(&p->error, "chunk %" PRIu32, index);
    }
    pthread_cond_signal(&p->done);
}

static struct job job_for(const struct pipeline *p, uint32_t index)
{
    struct job j = {.index = index, .from = PIECE_TAKERS, .state = JOB_READY};
    j.chunk = chunk_table_get(p->table, index, NULL);
    if (chunk_set_has(p->fetched, index)) {
        j.from = PIECE_FETCHED;
        j.state = JOB_WANTED;
    } else if (chunk_set_has(p->copied, index)) {
        j.from = PIECE_COPIED;
        j.state = JOB_STORED;
    }
    return j;
}

static bool find_places(struct pipeline *p, struct job *j)
{
    bool stored = j->from == PIECE_FETCHED;
    if (!ring_has_room(&p->raw, j->chunk.raw_len) ||
        (stored && !ring_has_room(&p->stored, j->chunk.stored_len))) {
        return false;
    }
    j->raw = ring_take(&p->raw, j->chunk.raw_len);
    j->stored = stored ? ring_take(&p->stored, j->chunk.stored_len) : NULL;
    return true;
}

// As many as there is room for; without threads one is enough.
static void add_jobs(struct pipeline *p)
{
    size_t most = p->running ? PIPELINE_WINDOW : 1;
    uint32_t end = chunk_table_count(p->table);
    while (p->count < most) {
        while (p->cursor < end && !chunk_set_has(p->taken, p->cursor)) {
            p->cursor++;
        }
        if (p->cursor == end) {
            return;
        }
        struct job j = job_for(p, p->cursor);
        if (!find_places(p, &j)) {
            return;
        }
        if (j.state == JOB_STORED) {
            pthread_cond_signal(&p->work);
        }
        p->window[(p->first + p->count) % PIPELINE_WINDOW] = j;
        p->count++;
        p->cursor++;
    }
}

static enum err make_without_threads(struct pipeline *p, struct job *j, struct error *e)
{
    enum err err = OK;
    if (j->from == PIECE_FETCHED) {
        err = lane_fetch_alone(&p->lanes[0], j, e);
    }
    if (err == OK && j->from != PIECE_TAKERS) {
        err = worker_make(&p->workers[0], j, e);
    }
    return err == OK ? OK : error_context(e, "chunk %" PRIu32, j->index);
}

static enum err take_from_threads(struct pipeline *p, struct error *e)
{
    const struct job *j = &p->window[p->first];
    enum err err = OK;
    pthread_mutex_lock(&p->lock);
    release_first(p);
    add_jobs(p);
    for (size_t i = 0; i < p->lane_count; i++) {
        lane_wake(&p->lanes[i]);
    }
    j = &p->window[p->first];
    while (j->state != JOB_READY && !p->failed) {
        pthread_cond_wait(&p->done, &p->lock);
    }
    if (j->state != JOB_READY) {
        *e = p->error;
        err = e->code;
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

enum err pipeline_take(struct pipeline *p, uint32_t index, struct piece *ret, struct error *e)
{
    enum err err = OK;
    assert(p->begun);
    // Threads that cannot be had are done without.
    if (p->options.workers > 0 && !p->running && threads_start(p, e) != OK) {
        p->options.workers = 0;
    }
    if (p->running) {
        err = take_from_threads(p, e);
    } else {
        release_first(p);
        add_jobs(p);
        err = make_without_threads(p, &p->window[p->first], e);
    }
    if (err != OK) {
        return err;
    }
    const struct job *j = &p->window[p->first];
    assert(p->count > 0 && j->index == index);
    p->holds = true;
    *ret = (struct piece){.raw = j->raw, .from = j->from, .made = j->made};
    return OK;
}
