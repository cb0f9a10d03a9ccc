// SPDX-License-Identifier: Apache-2.0
#include "image-tools/chunk_worker.h"

#include "format/codec.h"

#include <string.h>

struct worker {
    struct hasher *hasher;
    struct encoder *encoder;
    // Zero chunks mostly have one length; its hash is computed once.
    uint32_t zero_len;
    uint8_t zero_sha256[SHA256_SIZE];
};

static void free_worker(void *worker)
{
    struct worker *w = worker;
    if (w != NULL) {
        hasher_free(w->hasher);
        encoder_free(w->encoder);
        free(w);
    }
}
DEFINE_CLEANUP(worker, struct worker *, free_worker)

static enum err new_worker(const void *plan, void **ret, struct error *e)
{
    const struct chunk_coding *coding = plan;
    CLEANUP(cleanup_worker) struct worker *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return fail_memory(e);
    }
    enum err err = hasher_new(&w->hasher, e);
    if (err == OK) {
        err = encoder_new(coding->codec, coding->level, &w->encoder, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(w);
    }
    return err;
}

static enum err hash_zeros(struct worker *w, struct chunk_item *item, struct error *e)
{
    struct chunk *c = &item->chunk;
    if (w->zero_len != c->raw_len) {
        w->zero_len = 0;
        memset(item->raw, 0, c->raw_len);
        enum err err = hasher_sha256(w->hasher, item->raw, c->raw_len, w->zero_sha256, e);
        if (err != OK) {
            return err;
        }
        w->zero_len = c->raw_len;
    }
    memcpy(c->raw_sha256, w->zero_sha256, SHA256_SIZE);
    c->codec = CODEC_ZERO;
    return OK;
}

static enum err hash_stored(struct worker *w, struct chunk_item *item, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    struct chunk *c = &item->chunk;
    switch (c->codec) {
    case CODEC_ZERO:
        return OK;
    case CODEC_RAW:
        memcpy(c->stored_sha256, c->raw_sha256, STORED_HASH_SIZE);
        return OK;
    case CODEC_ZLIB:
    case CODEC_ZSTD:
        break;
    }
    enum err err = hasher_sha256(w->hasher, item->stored, c->stored_len, digest, e);
    if (err == OK) {
        memcpy(c->stored_sha256, digest, STORED_HASH_SIZE);
    }
    return err;
}

static enum err run(void *worker, void *data, struct error *e)
{
    struct worker *w = worker;
    struct chunk_item *item = data;
    struct chunk *c = &item->chunk;
    size_t stored_len = 0;
    if (item->zeros) {
        return hash_zeros(w, item, e);
    }
    enum err err = hasher_sha256(w->hasher, item->raw, c->raw_len, c->raw_sha256, e);
    if (err == OK) {
        err =
            encoder_run(w->encoder, item->raw, c->raw_len, item->stored, &stored_len, &c->codec, e);
    }
    if (err == OK) {
        c->stored_len = (uint32_t)stored_len;
        err = hash_stored(w, item, e);
    }
    return err;
}

const struct work chunk_work = {sizeof(struct chunk_item), new_worker, free_worker, run};

void chunk_item_fill(struct chunk_item *item, const uint8_t *raw, size_t len)
{
    item->zeros = raw == NULL;
    item->chunk = (struct chunk){.raw_len = (uint32_t)len};
    if (raw != NULL) {
        memcpy(item->raw, raw, len);
    }
}
