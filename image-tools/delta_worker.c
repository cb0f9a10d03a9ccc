// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_worker.h"

#include "format/pack.h"
#include "image-tools/delta_coder.h"

#include <inttypes.h>
#include <string.h>

struct worker {
    const struct delta_images *images;
    struct image_reader *base;
    struct image_reader *target;
    struct delta_coder *coder;
    struct decoder *decoder;
    struct hasher *hasher;
    struct feature_matches *matches;
    uint8_t *window;
    uint8_t *best_window; // of the smallest delta so far
    uint8_t *stored;
    uint8_t *raw; // decoded again
};

static enum err make_buffers(struct worker *w, struct error *e)
{
    w->matches = malloc(sizeof(*w->matches));
    w->window = malloc(DELTA_WINDOW_MAX);
    w->best_window = malloc(DELTA_WINDOW_MAX);
    w->stored = malloc(CHUNK_STORED_MAX);
    w->raw = malloc(CHUNK_RAW_MAX);
    bool all = w->matches != NULL && w->window != NULL && w->best_window != NULL &&
               w->stored != NULL && w->raw != NULL;
    return all ? OK : fail_memory(e);
}

static void free_worker(void *worker)
{
    struct worker *w = worker;
    if (w == NULL) {
        return;
    }
    image_reader_free(w->base);
    image_reader_free(w->target);
    delta_coder_free(w->coder);
    decoder_free(w->decoder);
    hasher_free(w->hasher);
    free(w->matches);
    free(w->window);
    free(w->best_window);
    free(w->stored);
    free(w->raw);
    free(w);
}
DEFINE_CLEANUP(worker, struct worker *, free_worker)

static enum err new_worker(const void *plan, void **ret, struct error *e)
{
    const struct delta_images *images = plan;
    CLEANUP(cleanup_worker) struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return fail_memory(e);
    }
    w->images = images;
    enum err err = make_buffers(w, e);
    if (err == OK) {
        err = image_reader_new(images->base_file, images->base, &w->base, e);
    }
    if (err == OK) {
        err = image_reader_new(images->target_file, images->target, &w->target, e);
    }
    if (err == OK) {
        err = delta_coder_new(&w->coder, e);
    }
    if (err == OK) {
        err = decoder_new(&w->decoder, e);
    }
    if (err == OK) {
        err = hasher_new(&w->hasher, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(w);
    }
    return err;
}

static void swap(uint8_t **a, uint8_t **b)
{
    uint8_t *c = *a;
    *a = *b;
    *b = c;
}

// Codes the chunk against one window; into the item if that is smaller than what is there, or, when
// nothing is there, small enough.
static enum err try_window(struct worker *w, const struct base_window *window, const uint8_t *raw,
                           const struct chunk *c, struct delta_item *item, struct error *e)
{
    struct pack_record *r = &item->record;
    size_t room = r->stored_len > 0 ? r->stored_len - 1 : c->stored_len - DELTA_SAVES_MIN;
    size_t len = 0;
    enum err err =
        image_reader_read(w->base, window->partition, window->off, window->len, w->window, e);
    if (err == OK) {
        err = delta_coder_run(w->coder, w->window, window->len, raw, c->raw_len, w->stored, room,
                              &len, e);
    }
    if (err != OK || len == 0) {
        return err;
    }
    r->base_partition = window->partition;
    r->base_off = window->off;
    r->base_len = window->len;
    r->stored_len = (uint32_t)len;
    memcpy(item->stored, w->stored, len);
    swap(&w->window, &w->best_window);
    return OK;
}

static enum err finish(struct worker *w, const struct chunk *c, struct delta_item *item,
                       struct error *e)
{
    struct pack_record *r = &item->record;
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_sha256(w->hasher, item->stored, r->stored_len, digest, e);
    if (err != OK) {
        return err;
    }
    memcpy(r->stored_sha256, digest, STORED_HASH_SIZE);
    struct error why;
    if (pack_decode(r, c, w->best_window, item->stored, w->decoder, w->hasher, w->raw, &why) !=
        OK) {
        return fail(e, ERR_INTERNAL, 0, "chunk %" PRIu32 ": its delta does not give it back: %s",
                    r->chunk, why.msg);
    }
    return OK;
}

static const struct partition_info *partition_of(const struct manifest *m, uint32_t chunk)
{
    const struct partition_info *p = m->partitions;
    while (chunk >= p->first + p->count) {
        p++;
    }
    return p;
}

static enum err run(void *worker, void *data, struct error *e)
{
    struct worker *w = worker;
    struct delta_item *item = data;
    uint32_t chunk = item->record.chunk;
    const struct image_contents *target = w->images->target;
    struct base_window windows[BASE_WINDOWS_MAX];
    struct base_query q = {.partition = partition_of(target->manifest, chunk)->name};
    struct chunk c = chunk_table_get(target->table, chunk, &q.off);
    q.len = c.raw_len;
    size_t count = 0;
    enum err err = OK;
    item->record = (struct pack_record){.chunk = chunk};
    // What takes next to nothing in the image is left there.
    if (c.stored_len > DELTA_SAVES_MIN) {
        err = image_reader_chunk(w->target, chunk, &q.raw, e);
        count = err == OK ? base_index_find(w->images->index, &q, w->matches, windows) : 0;
    }
    for (size_t i = 0; err == OK && i < count; i++) {
        err = try_window(w, &windows[i], q.raw, &c, item, e);
    }
    if (err == OK && item->record.stored_len > 0) {
        err = finish(w, &c, item, e);
    }
    return err;
}

const struct work delta_work = {sizeof(struct delta_item), new_worker, free_worker, run};
