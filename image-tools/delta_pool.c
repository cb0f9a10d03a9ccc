// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_pool.h"

#include "image-tools/tool.h"

// Enough that workers find work while the slowest of them still holds up the oldest slot.
enum { SLOTS_PER_WORKER = 4 };

struct slot {
    uint8_t *stored;
    bool done;
    struct pack_record record;
    enum err err;
    struct error error;
};

struct thread {
    struct delta_pool *pool;
    pthread_t id;
    struct delta_worker *worker;
};

// Items [taken, taken + slot_count) of the list may be worked on; item i is in slot i % slot_count.
struct delta_pool {
    const uint32_t *chunks;
    uint32_t count;
    struct slot *slots;
    size_t slot_count;
    struct thread *threads;
    size_t thread_count;
    size_t started_threads;
    // Under the lock.
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t finished;
    uint64_t started; // items that a worker took on
    uint64_t taken;   // items whose slot is free again
    bool stop;
    uint64_t asked; // by the owner's thread only: items that it was given
};

static bool has_work(const struct delta_pool *p)
{
    return p->started < p->count && p->started < p->taken + p->slot_count;
}

static void *work(void *arg)
{
    struct thread *t = arg;
    struct delta_pool *p = t->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!has_work(p) && !p->stop) {
            pthread_cond_wait(&p->work, &p->lock);
        }
        if (p->stop) {
            break;
        }
        uint64_t item = p->started++;
        struct slot *s = &p->slots[item % p->slot_count];
        pthread_mutex_unlock(&p->lock);
        s->err = delta_worker_run(t->worker, p->chunks[item], &s->record, s->stored, &s->error);
        pthread_mutex_lock(&p->lock);
        s->done = true;
        pthread_cond_signal(&p->finished);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static enum err make_slots(struct delta_pool *p, struct error *e)
{
    p->slots = calloc(p->slot_count, sizeof(*p->slots));
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        p->slots[i].stored = malloc(CHUNK_STORED_MAX);
        if (p->slots[i].stored == NULL) {
            return fail_memory(e);
        }
    }
    return p->slots != NULL ? OK : fail_memory(e);
}

static enum err make_threads(struct delta_pool *p, const struct delta_images *images,
                             struct error *e)
{
    p->threads = calloc(p->thread_count, sizeof(*p->threads));
    if (p->threads == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < p->thread_count; i++) {
        struct thread *t = &p->threads[i];
        t->pool = p;
        enum err err = delta_worker_new(images, &t->worker, e);
        if (err != OK) {
            return err;
        }
    }
    for (size_t i = 0; i < p->thread_count; i++) {
        int rc = tool_start_thread(&p->threads[i].id, work, &p->threads[i]);
        if (rc != 0) {
            return fail(e, ERR_IO, rc, "start worker thread %zu of %zu", i + 1, p->thread_count);
        }
        p->started_threads++;
    }
    return OK;
}

enum err delta_pool_new(unsigned jobs, const struct delta_images *images, const uint32_t *chunks,
                        uint32_t count, struct delta_pool **ret, struct error *e)
{
    CLEANUP(cleanup_delta_pool) struct delta_pool *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return fail_memory(e);
    }
    // With default attributes none of these can fail on Linux.
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->chunks = chunks;
    p->count = count;
    p->thread_count = jobs;
    p->slot_count = (size_t)jobs * SLOTS_PER_WORKER;
    enum err err = make_slots(p, e);
    if (err == OK) {
        err = make_threads(p, images, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(p);
    }
    return err;
}

void delta_pool_free(struct delta_pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->started_threads; i++) {
        pthread_join(p->threads[i].id, NULL);
    }
    for (size_t i = 0; p->threads != NULL && i < p->thread_count; i++) {
        delta_worker_free(p->threads[i].worker);
    }
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        free(p->slots[i].stored);
    }
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p->slots);
    free(p);
}

enum err delta_pool_take(struct delta_pool *p, struct pack_record *ret, const uint8_t **ret_stored,
                         struct error *e)
{
    pthread_mutex_lock(&p->lock);
    // The slot handed out last is only now no longer looked at.
    if (p->asked > 0) {
        p->slots[p->taken % p->slot_count].done = false;
        p->taken++;
        pthread_cond_signal(&p->work);
    }
    struct slot *s = &p->slots[p->asked++ % p->slot_count];
    while (!s->done) {
        pthread_cond_wait(&p->finished, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (s->err != OK) {
        *e = s->error;
        return s->err;
    }
    *ret = s->record;
    *ret_stored = s->stored;
    return OK;
}
