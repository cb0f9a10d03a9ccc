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

static enum err make_sets(struct pipeline *p, struct error *e)
{
    struct chunk_set **const sets[] = {&p->taken, &p->fetched, &p->copied, &p->patched,
                                       &p->verified};
    enum err err = OK;
    for (size_t i = 0; err == OK && i < sizeof sets / sizeof sets[0]; i++) {
        err = chunk_set_new(chunk_table_count(p->table), sets[i], e);
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
    pthread_cond_init(&made->delta_lane.wake, NULL);
    for (size_t i = 0; i < PIPELINE_LANES_MAX; i++) {
        pthread_cond_init(&made->lanes[i].wake, NULL);
    }
    CLEANUP(cleanup_pipeline) struct pipeline *p = made;
    p->table = image->table;
    p->options = *options;
    p->source = source;
    p->image_map.table = image->table;
    p->image_map.payload_off = image->header.payload_offset;
    lane_init(&p->lanes[0], p, source, LANE_FIRST);
    p->lane_count = 1;
    enum err err = make_sets(p, e);
    if (err == OK) {
        err = make_rings(p, e);
    }
    if (err == OK) {
        err = fingerprint_key_make(&p->print_key, e);
    }
    if (err == OK) {
        err = fingerprints_new(chunk_table_count(p->table), &p->prints, e);
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
    chunk_set_free(p->patched);
    chunk_set_free(p->verified);
    fingerprints_free(p->prints);
    ring_clear(&p->raw);
    ring_clear(&p->stored);
    for (size_t i = 0; i < PIPELINE_LANES_MAX; i++) {
        pthread_cond_destroy(&p->lanes[i].wake);
    }
    pthread_cond_destroy(&p->delta_lane.wake);
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
    if (from == PIECE_FETCHED) {
        chunk_set_add(p->fetched, index);
    } else if (from == PIECE_DELTA) {
        chunk_set_add(p->patched, index);
    } else if (from == PIECE_COPIED) {
        chunk_set_add(p->copied, index);
    }
}

// The longest ranges, so that those of all lanes and what the ring holds are no more than allowed.
static uint64_t range_max(const struct pipeline *p)
{
    if (p->options.workers == 0) {
        return FETCH_IN_FLIGHT_MAX / (p->deltas != NULL ? 2u : 1u);
    }
    size_t lanes = p->options.lanes + (p->deltas != NULL ? 1 : 0);
    return (FETCH_IN_FLIGHT_MAX - p->stored.size) / lanes;
}

static void begin_deltas(struct pipeline *p, const struct deltas *deltas)
{
    p->deltas = chunk_set_size(p->patched) > 0 ? deltas : NULL;
    p->deltas_lost = p->base_taken = false;
    p->lost_why[0] = '\0';
    p->deltas_made = p->deltas_wrong = 0;
    if (p->deltas == NULL) {
        lane_init(&p->delta_lane, p, NULL, LANE_DELTA);
        return;
    }
    p->pack_map =
        (struct fetch_map){p->table, deltas->pack->table, deltas->pack->header.payload_offset};
    p->delta_ranges = range_queue_begin(&p->pack_map, p->patched, range_max(p));
    lane_init(&p->delta_lane, p, deltas->source, LANE_DELTA);
    p->deltas_lost = p->without_deltas;
    p->base = malloc(DELTA_WINDOW_MAX);
    if (p->base == NULL) {
        lane_lose_deltas(p, "there is no memory for its window");
    }
}

void pipeline_begin(struct pipeline *p, const struct seeds *seeds, const struct deltas *deltas)
{
    assert(!p->begun);
    p->seeds = seeds;
    begin_deltas(p, deltas);
    p->cursor = 0;
    p->enough = 0;
    p->ranges = range_queue_begin(&p->image_map, p->fetched, range_max(p));
    p->ranges_done = 0;
    p->threads_lost = false;
    p->check_next = p->check_end = 0;
    chunk_set_clear(p->verified);
    fingerprints_clear(p->prints);
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
    enum err err = fetcher_begin(&l->fetcher, &l->range, e);
    if (err == OK) {
        err = fetcher_read(&l->fetcher, j.index, j.stored, e);
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
        ring_give_back(&p->stored, j->stored, j->stored_len);
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
    fetcher_drop(&p->delta_lane.fetcher);
    p->lanes[0].busy = p->delta_lane.busy = false;
    free(TAKE_PTR(p->tried_stored));
    while (p->count > 0) {
        p->holds = true;
        release_first(p);
    }
    chunk_set_clear(p->taken);
    chunk_set_clear(p->fetched);
    chunk_set_clear(p->copied);
    chunk_set_clear(p->patched);
    free(TAKE_PTR(p->base));
    p->without_deltas = p->without_deltas || p->deltas_lost;
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
        j.stored_len = j.chunk.stored_len;
    } else if (chunk_set_has(p->patched, index)) {
        j.from = PIECE_DELTA;
        j.state = p->deltas_lost ? JOB_READY : JOB_WANTED;
        j.stored_len = fetch_place(&p->pack_map, index).len;
    } else if (chunk_set_has(p->copied, index)) {
        j.from = PIECE_COPIED;
        j.state = JOB_STORED;
    }
    return j;
}

static bool find_places(struct pipeline *p, struct job *j)
{
    bool stored = j->stored_len > 0;
    if (!ring_has_room(&p->raw, j->chunk.raw_len) ||
        (stored && !ring_has_room(&p->stored, j->stored_len))) {
        return false;
    }
    j->raw = ring_take(&p->raw, j->chunk.raw_len);
    j->stored = stored ? ring_take(&p->stored, j->stored_len) : NULL;
    return true;
}

// As many as there is room for, but not before half of them are gone: threads are woken for several
// and not for each. Without threads one is enough.
static void add_jobs(struct pipeline *p)
{
    size_t most = p->running ? PIPELINE_WINDOW : 1;
    uint32_t end = chunk_table_count(p->table);
    if (p->count > p->enough) {
        return;
    }
    while (p->count < most) {
        while (p->cursor < end && !chunk_set_has(p->taken, p->cursor)) {
            p->cursor++;
        }
        if (p->cursor == end) {
            break;
        }
        struct job j = job_for(p, p->cursor);
        if (!find_places(p, &j)) {
            break;
        }
        if (j.state == JOB_STORED) {
            pthread_cond_signal(&p->work);
        }
        p->window[(p->first + p->count) % PIPELINE_WINDOW] = j;
        p->count++;
        p->cursor++;
    }
    p->enough = p->count / 2;
}

// As the first lane does: the pack may have the one connection that a server grants.
static enum err fetch_alone(struct pipeline *p, const struct job *j, struct error *e)
{
    enum err err = lane_fetch_alone(&p->lanes[0], j, e);
    if (err == OK || p->deltas == NULL || p->deltas_lost) {
        return err;
    }
    fetcher_drop(&p->delta_lane.fetcher);
    lane_lose_deltas(p, "the image cannot be read beside it");
    return lane_fetch_alone(&p->lanes[0], j, e);
}

static enum err make_without_threads(struct pipeline *p, struct job *j, struct error *e)
{
    enum err err = OK;
    if (j->from == PIECE_FETCHED) {
        err = fetch_alone(p, j, e);
    } else if (j->state == JOB_WANTED) {
        struct error why;
        if (lane_fetch_alone(&p->delta_lane, j, &why) != OK) {
            lane_lose_deltas(p, why.msg);
        }
    }
    bool lost = j->from == PIECE_DELTA && p->deltas_lost;
    if (err == OK && j->from != PIECE_TAKERS && !lost) {
        err = worker_make(&p->workers[0], j, e);
    }
    if (err == OK && j->from != PIECE_TAKERS && !lost) {
        worker_has_made(&p->workers[0], j);
    }
    return err == OK ? OK : error_context(e, "chunk %" PRIu32, j->index);
}

static enum err take_from_threads(struct pipeline *p, struct error *e)
{
    enum err err = OK;
    pthread_mutex_lock(&p->lock);
    release_first(p);
    add_jobs(p);
    for (size_t i = 0; i < p->lane_count; i++) {
        lane_wake(&p->lanes[i]);
    }
    lane_wake(&p->delta_lane);
    const struct job *j = &p->window[p->first];
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
        p->threads_lost = true;
        p->threads_error = *e;
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
    *ret = (struct piece){j->raw, j->from, j->stored_len, j->made};
    return OK;
}

const char *pipeline_lost_threads(const struct pipeline *p)
{
    return p->threads_lost ? p->threads_error.msg : NULL;
}

const char *pipeline_lost_deltas(const struct pipeline *p)
{
    return p->lost_why[0] != '\0' ? p->lost_why : NULL;
}
