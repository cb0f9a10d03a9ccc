// SPDX-License-Identifier: Apache-2.0
#include "image-tools/chunk_pool.h"

#include "format/codec.h"
#include "image-tools/tool.h"

#include <string.h>

// Enough that workers find work while the slowest of them still holds up the oldest slot.
enum { SLOTS_PER_WORKER = 4 };

struct slot {
    uint8_t *raw;
    uint8_t *stored;
    bool zeros; // `raw` holds nothing
    bool done;
    struct chunk chunk;
    enum err err;
    struct error error;
};

struct worker {
    struct chunk_pool *pool;
    pthread_t thread;
    struct hasher *hasher;
    struct encoder *encoder;
    // Zero chunks mostly have one length; its hash is computed once.
    uint32_t zero_len;
    uint8_t zero_sha256[SHA256_SIZE];
};

// Slots [taken, put) are in use, [started, put) wait for a worker; each counter modulo slot_count.
struct chunk_pool {
    struct slot *slots;
    size_t slot_count;
    struct worker *workers;
    size_t worker_count;
    size_t started_threads;
    uint64_t taken, put; // by the owner's thread only
    // Under the lock.
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t finished;
    uint64_t offered; // == put, for the workers
    uint64_t started;
    bool stop;
};

static enum err hash_zeros(struct worker *w, struct slot *s, struct error *e)
{
    if (w->zero_len != s->chunk.raw_len) {
        w->zero_len = 0;
        memset(s->raw, 0, s->chunk.raw_len);
        enum err err = hasher_sha256(w->hasher, s->raw, s->chunk.raw_len, w->zero_sha256, e);
        if (err != OK) {
            return err;
        }
        w->zero_len = s->chunk.raw_len;
    }
    memcpy(s->chunk.raw_sha256, w->zero_sha256, SHA256_SIZE);
    s->chunk.codec = CODEC_ZERO;
    return OK;
}

static enum err hash_stored(struct worker *w, struct slot *s, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    switch (s->chunk.codec) {
    case CODEC_ZERO:
        return OK;
    case CODEC_RAW:
        memcpy(s->chunk.stored_sha256, s->chunk.raw_sha256, STORED_HASH_SIZE);
        return OK;
    case CODEC_ZLIB:
    case CODEC_ZSTD:
        break;
    }
    enum err err = hasher_sha256(w->hasher, s->stored, s->chunk.stored_len, digest, e);
    if (err == OK) {
        memcpy(s->chunk.stored_sha256, digest, STORED_HASH_SIZE);
    }
    return err;
}

static enum err encode(struct worker *w, struct slot *s, struct error *e)
{
    if (s->zeros) {
        return hash_zeros(w, s, e);
    }
    size_t stored_len = 0;
    enum err err = hasher_sha256(w->hasher, s->raw, s->chunk.raw_len, s->chunk.raw_sha256, e);
    if (err == OK) {
        err = encoder_run(w->encoder, s->raw, s->chunk.raw_len, s->stored, &stored_len,
                          &s->chunk.codec, e);
    }
    if (err == OK) {
        s->chunk.stored_len = (uint32_t)stored_len;
        err = hash_stored(w, s, e);
    }
    return err;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct chunk_pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->started == p->offered && !p->stop) {
            pthread_cond_wait(&p->work, &p->lock);
        }
        if (p->stop) {
            break;
        }
        struct slot *s = &p->slots[p->started++ % p->slot_count];
        pthread_mutex_unlock(&p->lock);
        s->err = encode(w, s, &s->error);
        pthread_mutex_lock(&p->lock);
        s->done = true;
        pthread_cond_signal(&p->finished);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static enum err make_slots(struct chunk_pool *p, struct error *e)
{
    p->slots = calloc(p->slot_count, sizeof(*p->slots));
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        p->slots[i].raw = malloc(CHUNK_RAW_MAX);
        p->slots[i].stored = malloc(CHUNK_STORED_MAX);
        if (p->slots[i].raw == NULL || p->slots[i].stored == NULL) {
            return fail_memory(e);
        }
    }
    return p->slots != NULL ? OK : fail_memory(e);
}

static enum err make_workers(struct chunk_pool *p, enum codec codec, int level, struct error *e)
{
    p->workers = calloc(p->worker_count, sizeof(*p->workers));
    if (p->workers == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < p->worker_count; i++) {
        struct worker *w = &p->workers[i];
        w->pool = p;
        enum err err = hasher_new(&w->hasher, e);
        if (err == OK) {
            err = encoder_new(codec, level, &w->encoder, e);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err start_threads(struct chunk_pool *p, struct error *e)
{
    for (size_t i = 0; i < p->worker_count; i++) {
        int rc = tool_start_thread(&p->workers[i].thread, work, &p->workers[i]);
        if (rc != 0) {
            return fail(e, ERR_IO, rc, "start worker thread %zu of %zu", i + 1, p->worker_count);
        }
        p->started_threads++;
    }
    return OK;
}

enum err chunk_pool_new(unsigned jobs, enum codec codec, int level, struct chunk_pool **ret,
                        struct error *e)
{
    CLEANUP(cleanup_chunk_pool) struct chunk_pool *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return fail_memory(e);
    }
    // With default attributes none of these can fail on Linux.
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    p->worker_count = jobs;
    p->slot_count = (size_t)jobs * SLOTS_PER_WORKER;
    enum err err = make_slots(p, e);
    if (err == OK) {
        err = make_workers(p, codec, level, e);
    }
    if (err == OK) {
        err = start_threads(p, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(p);
    }
    return err;
}

void chunk_pool_free(struct chunk_pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->started_threads; i++) {
        pthread_join(p->workers[i].thread, NULL);
    }
    for (size_t i = 0; p->workers != NULL && i < p->worker_count; i++) {
        hasher_free(p->workers[i].hasher);
        encoder_free(p->workers[i].encoder);
    }
    for (size_t i = 0; p->slots != NULL && i < p->slot_count; i++) {
        free(p->slots[i].raw);
        free(p->slots[i].stored);
    }
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p->slots);
    free(p);
}

bool chunk_pool_is_full(const struct chunk_pool *p)
{
    return p->put - p->taken == p->slot_count;
}

bool chunk_pool_is_empty(const struct chunk_pool *p)
{
    return p->put == p->taken;
}

void chunk_pool_put(struct chunk_pool *p, const uint8_t *raw, size_t len)
{
    struct slot *s = &p->slots[p->put % p->slot_count];
    s->zeros = raw == NULL;
    s->done = false;
    s->chunk = (struct chunk){.raw_len = (uint32_t)len};
    if (raw != NULL) {
        memcpy(s->raw, raw, len);
    }
    p->put++;
    pthread_mutex_lock(&p->lock);
    p->offered = p->put;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

enum err chunk_pool_take(struct chunk_pool *p, struct chunk *ret, const uint8_t **ret_stored,
                         struct error *e)
{
    struct slot *s = &p->slots[p->taken % p->slot_count];
    pthread_mutex_lock(&p->lock);
    while (!s->done) {
        pthread_cond_wait(&p->finished, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    p->taken++;
    if (s->err != OK) {
        *e = s->error;
        return s->err;
    }
    *ret = s->chunk;
    *ret_stored = s->stored;
    return OK;
}
