// SPDX-License-Identifier: Apache-2.0
#include "image-tools/worker_pool.h"

#include "image-tools/tool.h"

// Enough that workers find work while the slowest of them still holds up the oldest item.
enum { SLOTS_PER_WORKER = 4 };

struct slot {
    void *item;
    bool done;
    enum err err;
    struct error error;
};

struct thread {
    struct worker_pool *pool;
    pthread_t id;
    void *worker;
};

// Slots [taken, put) are in use, [started, put) wait for a worker; each counter modulo slot_count.
struct worker_pool {
    const struct work *work;
    struct slot *slots;
    size_t slot_count;
    struct thread *threads;
    size_t thread_count;
    size_t started_threads;
    uint64_t taken; // by the owner's thread only
    // Under the lock; `put` is changed by the owner's thread only, which reads it without.
    pthread_mutex_t lock;
    pthread_cond_t work_is_there;
    pthread_cond_t finished;
    uint64_t put;
    uint64_t started;
    bool stop;
};

static void *run_thread(void *arg)
{
    const struct thread *t = arg;
    struct worker_pool *p = t->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->started == p->put && !p->stop) {
            pthread_cond_wait(&p->work_is_there, &p->lock);
        }
        if (p->stop) {
            break;
        }
        struct slot *s = &p->slots[p->started++ % p->slot_count];
        pthread_mutex_unlock(&p->lock);
        s->err = p->work->run(t->worker, s->item, &s->error);
        pthread_mutex_lock(&p->lock);
        s->done = true;
        pthread_cond_signal(&p->finished);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static enum err make_slots(struct worker_pool *p, struct error *e)
{
    p->slots = calloc(p->slot_count, sizeof(*p->slots));
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        p->slots[i].item = calloc(1, p->work->item_size);
        if (p->slots[i].item == NULL) {
            return fail_memory(e);
        }
    }
    return p->slots != NULL ? OK : fail_memory(e);
}

static enum err make_threads(struct worker_pool *p, const void *plan, struct error *e)
{
    p->threads = calloc(p->thread_count, sizeof(*p->threads));
    if (p->threads == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < p->thread_count; i++) {
        p->threads[i].pool = p;
        enum err err = p->work->new_worker(plan, &p->threads[i].worker, e);
        if (err != OK) {
            return err;
        }
    }
    for (size_t i = 0; i < p->thread_count; i++) {
        int rc = tool_start_thread(&p->threads[i].id, run_thread, &p->threads[i]);
        if (rc != 0) {
            return fail(e, ERR_IO, rc, "start worker thread %zu of %zu", i + 1, p->thread_count);
        }
        p->started_threads++;
    }
    return OK;
}

enum err worker_pool_new(unsigned jobs, const struct work *work, const void *plan,
                         struct worker_pool **ret, struct error *e)
{
    CLEANUP(cleanup_worker_pool) struct worker_pool *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return fail_memory(e);
    }
    // With default attributes none of these can fail on Linux.
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work_is_there, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->work = work;
    p->thread_count = jobs;
    p->slot_count = (size_t)jobs * SLOTS_PER_WORKER;
    enum err err = make_slots(p, e);
    if (err == OK) {
        err = make_threads(p, plan, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(p);
    }
    return err;
}

void worker_pool_free(struct worker_pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work_is_there);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->started_threads; i++) {
        pthread_join(p->threads[i].id, NULL);
    }
    for (size_t i = 0; p->threads != NULL && i < p->thread_count; i++) {
        p->work->free_worker(p->threads[i].worker);
    }
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        free(p->slots[i].item);
    }
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work_is_there);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p->slots);
    free(p);
}

bool worker_pool_is_full(const struct worker_pool *p)
{
    return p->put - p->taken == p->slot_count;
}

bool worker_pool_is_empty(const struct worker_pool *p)
{
    return p->put == p->taken;
}

void *worker_pool_room(struct worker_pool *p)
{
    return p->slots[p->put % p->slot_count].item;
}

void worker_pool_put(struct worker_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->slots[p->put % p->slot_count].done = false;
    p->put++;
    pthread_cond_signal(&p->work_is_there);
    pthread_mutex_unlock(&p->lock);
}

enum err worker_pool_take(struct worker_pool *p, const void **ret, struct error *e)
{
    const struct slot *s = &p->slots[p->taken++ % p->slot_count];
    pthread_mutex_lock(&p->lock);
    while (!s->done) {
        pthread_cond_wait(&p->finished, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (s->err != OK) {
        *e = s->error;
        return s->err;
    }
    *ret = s->item;
    return OK;
}
