// SPDX-License-Identifier: Apache-2.0
#include "updater/pipeline_parts.h"

#include <signal.h>
#include <string.h>

// Enough for a TLS handshake, and no more memory than is touched.
enum { STACK_BYTES = 512 * 1024 };

// Ranges there are, `most` at most: a lane without one would be a connection for nothing.
static size_t count_ranges(const struct pipeline *p, size_t most)
{
    struct range_queue q = p->ranges;
    struct fetch_range range;
    size_t count = p->lanes[0].busy ? 1 : 0;
    while (count < most && range_queue_take(&q, &range)) {
        count++;
    }
    return count;
}

// As many as can be had: one is enough.
static void open_lanes(struct pipeline *p)
{
    size_t wanted = count_ranges(p, p->options.lanes);
    struct error ignored;
    while (p->lane_count < wanted) {
        struct source *other;
        if (source_clone(p->source, &p->interrupted, &other, &ignored) != OK) {
            return;
        }
        lane_init(&p->lanes[p->lane_count], p, other, LANE_OTHER);
        p->lane_count++;
    }
}

// What other lanes fetched was fetched for the source.
static void close_lanes(struct pipeline *p)
{
    for (size_t i = 1; i < p->lane_count; i++) {
        fetcher_drop(&p->lanes[i].fetcher); // so that all that came is counted
        struct source *other = TAKE_PTR(p->lanes[i].source);
        p->source->others_fetched_bytes += other->fetched_bytes;
        p->source->others_requests += other->requests;
        source_close(other);
    }
    p->lane_count = 1;
    source_watch(p->source, NULL);
    if (p->deltas != NULL) {
        source_watch(p->deltas->source, NULL);
    }
}

static enum err fail_thread(int sys, struct error *e)
{
    return fail(e, ERR_INTERNAL, sys, "a thread could not be started");
}

static enum err start_workers(struct pipeline *p, const pthread_attr_t *attributes, struct error *e)
{
    for (; p->worker_count < p->options.workers; p->worker_count++) {
        struct worker *w = &p->workers[p->worker_count];
        enum err err = worker_init(w, p, e);
        if (err == OK) {
            err = check_init_buf(w, e);
        }
        if (err != OK) {
            return err;
        }
        int sys = pthread_create(&w->thread, attributes, worker_main, w);
        if (sys != 0) {
            return fail_thread(sys, e);
        }
    }
    return OK;
}

// Under the lock: a lane that runs already sees what was started.
static enum err start_lanes(struct pipeline *p, const pthread_attr_t *attributes, struct error *e)
{
    for (size_t i = 0; i < p->lane_count; i++) {
        struct lane *l = &p->lanes[i];
        int sys = pthread_create(&l->thread, attributes, lane_main, l);
        l->started = sys == 0;
        if (i == 0 && sys != 0) {
            return fail_thread(sys, e);
        }
    }
    struct lane *l = &p->delta_lane;
    if (p->deltas != NULL && !p->deltas_lost) {
        l->started = pthread_create(&l->thread, attributes, lane_main, l) == 0;
        if (!l->started) {
            lane_lose_deltas(p, "a thread could not be started");
        }
    }
    return OK;
}

static enum err start_all(struct pipeline *p, struct error *e)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return fail_memory(e);
    }
    int sys = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    enum err err = sys == 0 ? start_workers(p, &attributes, e) : fail_thread(sys, e);
    if (err == OK) {
        pthread_mutex_lock(&p->lock);
        err = start_lanes(p, &attributes, e);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_attr_destroy(&attributes);
    return err;
}

// Signals are for the thread that was there before: what they interrupt are its waits.
enum err threads_start(struct pipeline *p, struct error *e)
{
    sigset_t all;
    sigset_t before;
    source_watch(p->source, &p->interrupted);
    if (p->deltas != NULL) {
        source_watch(p->deltas->source, &p->deltas_interrupted);
    }
    open_lanes(p);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    p->running = true;
    enum err err = start_all(p, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err != OK) {
        threads_stop(p);
    }
    return err;
}

static void tell_to_stop(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    // After an error nothing is read back any more: then not all of it came onto the medium.
    while (p->check_end == chunk_table_count(p->table) && !checks_are_done(p)) {
        pthread_cond_wait(&p->done, &p->lock);
    }
    p->stop = true;
    atomic_store(&p->interrupted, true);
    atomic_store(&p->deltas_interrupted, true);
    pthread_cond_broadcast(&p->work);
    for (size_t i = 0; i < p->lane_count; i++) {
        pthread_cond_signal(&p->lanes[i].wake);
    }
    pthread_cond_signal(&p->delta_lane.wake);
    pthread_mutex_unlock(&p->lock);
}

static void join(struct lane *l)
{
    if (l->started) {
        pthread_join(l->thread, NULL);
        l->started = false;
    }
}

void threads_stop(struct pipeline *p)
{
    tell_to_stop(p);
    for (; p->worker_count > 0; p->worker_count--) {
        pthread_join(p->workers[p->worker_count - 1].thread, NULL);
    }
    for (size_t i = 0; i < p->lane_count; i++) {
        join(&p->lanes[i]);
    }
    join(&p->delta_lane);
    close_lanes(p);
    atomic_store(&p->interrupted, false);
    atomic_store(&p->deltas_interrupted, false);
    p->running = false;
}
