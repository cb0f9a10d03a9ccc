// SPDX-License-Identifier: Apache-2.0
#include "image-tools/payload_check.h"

#include "format/codec.h"
#include "format/image.h"
#include "image-tools/tool.h"

#include <inttypes.h>

// What all threads share. Records are handed out in order, so when one turns out bad all before it
// are being looked at already, and the lowest bad one wins.
struct shared {
    const struct image_file *file;
    const struct chunk_table *table;
    uint32_t count;
    pthread_mutex_t lock; // for all below
    uint32_t next;
    uint32_t bad; // the lowest bad record; `count` while there is none
    struct error error;
    struct progress *progress;
};

// What one thread needs.
struct bench {
    struct hasher *hasher;
    struct decoder *decoder;
    uint8_t *stored;
    uint8_t *raw;
};

static void clear_bench(struct bench *b)
{
    hasher_free(b->hasher);
    decoder_free(b->decoder);
    free(b->stored);
    free(b->raw);
}

static enum err set_up_bench(struct bench *b, struct error *e)
{
    enum err err = hasher_new(&b->hasher, e);
    if (err == OK) {
        err = decoder_new(&b->decoder, e);
    }
    b->stored = malloc(CHUNK_STORED_MAX);
    b->raw = malloc(CHUNK_RAW_MAX);
    if (err == OK && (b->stored == NULL || b->raw == NULL)) {
        err = fail_memory(e);
    }
    return err;
}

static enum err check_chunk(const struct shared *s, const struct bench *b, uint32_t index,
                            struct error *e)
{
    struct chunk c = chunk_table_get(s->table, index, NULL);
    // The hash of a zero chunk was checked with the table; a repetition is checked where it first
    // occurs.
    if (c.codec == CODEC_ZERO || chunk_table_origin(s->table, index) != index) {
        return OK;
    }
    enum err err = image_file_read(s->file, b->stored, c.stored_len,
                                   s->file->header.payload_offset + c.stored_off, e);
    if (err == OK) {
        err = chunk_check_stored(&c, b->stored, b->hasher, e);
    }
    if (err == OK) {
        err = decoder_run(b->decoder, c.codec, b->stored, c.stored_len, b->raw, c.raw_len, e);
    }
    if (err == OK) {
        err = chunk_check_raw(&c, b->raw, b->hasher, e);
    }
    return err == OK ? OK : error_context(e, "%s: record %" PRIu32, s->file->path, index);
}

static void note_bad(struct shared *s, uint32_t index, const struct error *e)
{
    pthread_mutex_lock(&s->lock);
    if (index < s->bad) {
        s->bad = index;
        s->error = *e;
    }
    s->next = s->count; // no more work for anybody
    pthread_mutex_unlock(&s->lock);
}

// Adds what was done, hands out the next record; s->count when there is none.
static uint32_t take_next(struct shared *s, uint32_t done_bytes)
{
    pthread_mutex_lock(&s->lock);
    progress_add(s->progress, done_bytes);
    uint32_t index = s->next;
    if (s->next < s->count) {
        s->next++;
    }
    pthread_mutex_unlock(&s->lock);
    return index;
}

static void *work(void *arg)
{
    struct shared *s = arg;
    CLEANUP(clear_bench) struct bench b = {0};
    struct error e;
    if (set_up_bench(&b, &e) != OK) {
        note_bad(s, 0, &e);
        return NULL;
    }
    uint32_t index = take_next(s, 0);
    while (index < s->count) {
        if (check_chunk(s, &b, index, &e) != OK) {
            note_bad(s, index, &e);
            return NULL;
        }
        index = take_next(s, chunk_table_get(s->table, index, NULL).raw_len);
    }
    return NULL;
}

static uint64_t raw_bytes(const struct chunk_table *t)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chunk_table_count(t); i++) {
        sum += chunk_table_get(t, i, NULL).raw_len;
    }
    return sum;
}

enum err payload_check(const struct image_file *f, const struct chunk_table *table, unsigned jobs,
                       struct progress *progress, struct error *e)
{
    pthread_t threads[TOOL_JOBS_MAX];
    unsigned started = 0;
    uint32_t count = chunk_table_count(table);
    struct shared s = {
        .file = f, .table = table, .count = count, .bad = count, .progress = progress};
    pthread_mutex_init(&s.lock, NULL);
    progress_begin(progress, "verify", raw_bytes(table));
    // Without further threads this one does all the work.
    while (started + 1 < jobs && started < TOOL_JOBS_MAX &&
           tool_start_thread(&threads[started], work, &s) == 0) {
        started++;
    }
    work(&s);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    progress_end(progress);
    pthread_mutex_destroy(&s.lock);
    if (s.bad < count) {
        *e = s.error;
        return e->code;
    }
    return OK;
}
