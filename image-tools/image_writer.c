// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_writer.h"

#include "image-tools/chunk_index.h"
#include "image-tools/container_writer.h"
#include "image-tools/cut_plan.h"

#include <string.h>

struct image_writer {
    struct container_writer *out;
    struct chunk_index *index;
    struct image_totals totals;
    // The current partition.
    uint32_t first;
    uint64_t image_size;
};

enum err image_writer_new(const char *path, struct image_writer **ret, struct error *e)
{
    CLEANUP(cleanup_image_writer) struct image_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return fail_memory(e);
    }
    enum err err = container_writer_new(FILE_IMAGE, path, &w->out, e);
    if (err == OK) {
        err = chunk_index_new(&w->index, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(w);
    }
    return err;
}

void image_writer_free(struct image_writer *w)
{
    if (w == NULL) {
        return;
    }
    container_writer_free(w->out);
    chunk_index_free(w->index);
    free(w);
}

static enum err store(struct image_writer *w, const struct chunk *c, const uint8_t *stored,
                      struct error *e)
{
    struct container_writer *out = w->out;
    struct chunk placed = *c;
    placed.stored_off = out->body.payload_size;
    enum err err = container_writer_store(out, stored, c->stored_len, e);
    if (err != OK) {
        return err;
    }
    uint32_t index = out->body.table_records;
    chunk_record_write(&placed, container_writer_add_record(out));
    if (c->codec == CODEC_ZERO) {
        w->totals.zero_chunks++;
    } else {
        chunk_index_add(w->index, out->table, index);
    }
    return OK;
}

enum err image_writer_add(struct image_writer *w, const struct chunk *c, const uint8_t *stored,
                          struct error *e)
{
    uint32_t earlier;
    const uint8_t *table = w->out->table;
    if (w->out->body.table_records == CUT_PLAN_RECORDS) {
        return fail(e, ERR_IO, 0,
                    "the inputs make more than %d chunks, fewer were counted before: they changed "
                    "while they were read; build again",
                    CUT_PLAN_RECORDS);
    }
    if (chunk_index_find(w->index, table, c->raw_sha256, &earlier)) {
        memcpy(container_writer_add_record(w->out), table + (size_t)earlier * CHUNK_RECORD_SIZE,
               CHUNK_RECORD_SIZE);
        w->totals.repeated_chunks++;
    } else {
        enum err err = store(w, c, stored, e);
        if (err != OK) {
            return err;
        }
    }
    w->image_size += c->raw_len;
    return OK;
}

enum err image_writer_end_partition(struct image_writer *w, struct partition_info *ret,
                                    struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    struct hasher *hasher = w->out->hasher;
    uint32_t end = w->out->body.table_records;
    enum err err = hasher_begin(hasher, e);
    for (uint32_t i = w->first; err == OK && i < end; i++) {
        // A record begins with its raw hash.
        err = hasher_add(hasher, w->out->table + (size_t)i * CHUNK_RECORD_SIZE, SHA256_SIZE, e);
    }
    if (err == OK) {
        err = hasher_end(hasher, digest, e);
    }
    if (err != OK) {
        return err;
    }
    ret->image_size = w->image_size;
    ret->first = w->first;
    ret->count = end - w->first;
    memcpy(ret->sha256_list, digest, SHA256_SIZE);
    w->totals.raw_bytes += w->image_size;
    w->first = end;
    w->image_size = 0;
    return OK;
}

enum err image_writer_finish(struct image_writer *w, struct manifest *m,
                             uint32_t signature_area_size, struct image_totals *ret,
                             struct error *e)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len = 0;
    struct image_totals totals = w->totals;
    enum err err = container_writer_seal(w->out, &m->body, e);
    if (err == OK) {
        err = manifest_write(m, &text, &len, e);
    }
    if (err == OK) {
        err =
            container_writer_finish(w->out, text, len, signature_area_size, &totals.file_bytes, e);
    }
    if (err == OK) {
        totals.chunks = m->body.table_records;
        totals.payload_bytes = m->body.payload_size;
        *ret = totals;
    }
    return err;
}
