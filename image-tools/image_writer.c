// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_writer.h"

#include "base/file.h"
#include "base/hash.h"
#include "image-tools/chunk_index.h"
#include "image-tools/container_file.h"
#include "image-tools/cut_plan.h"
#include "image-tools/output_file.h"

#include <inttypes.h>
#include <string.h>

struct image_writer {
    char *path;
    int payload_fd;
    uint8_t *table; // TABLE_MAX bytes of address space; memory as far as records reach
    struct chunk_index *index;
    struct hasher *hasher;
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
    w->payload_fd = -1;
    w->path = strdup(path);
    w->table = malloc(TABLE_MAX);
    if (w->path == NULL || w->table == NULL) {
        return fail_memory(e);
    }
    enum err err = output_file_check(path, e);
    if (err == OK) {
        err = chunk_index_new(&w->index, e);
    }
    if (err == OK) {
        err = hasher_new(&w->hasher, e);
    }
    if (err == OK) {
        err = scratch_file_open(path, &w->payload_fd, e);
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
    cleanup_close(&w->payload_fd);
    hasher_free(w->hasher);
    chunk_index_free(w->index);
    free(w->table);
    free(w->path);
    free(w);
}

static uint8_t *record_at(const struct image_writer *w, uint32_t record)
{
    return w->table + (size_t)record * CHUNK_RECORD_SIZE;
}

static enum err store(struct image_writer *w, const struct chunk *c, const uint8_t *stored,
                      struct error *e)
{
    struct chunk placed = *c;
    placed.stored_off = w->totals.payload_bytes;
    enum err err = write_all(w->payload_fd, stored, c->stored_len, e);
    if (err != OK) {
        return error_context(e, "%s: its payload", w->path);
    }
    chunk_record_write(&placed, record_at(w, w->totals.chunks));
    w->totals.payload_bytes += c->stored_len;
    if (c->codec == CODEC_ZERO) {
        w->totals.zero_chunks++;
    } else {
        chunk_index_add(w->index, w->table, w->totals.chunks);
    }
    return OK;
}

enum err image_writer_add(struct image_writer *w, const struct chunk *c, const uint8_t *stored,
                          struct error *e)
{
    uint32_t earlier;
    if (w->totals.chunks == CUT_PLAN_RECORDS) {
        return fail(e, ERR_IO, 0,
                    "the inputs make more than %d chunks, fewer were counted before: they changed "
                    "while they were read; build again",
                    CUT_PLAN_RECORDS);
    }
    if (chunk_index_find(w->index, w->table, c->raw_sha256, &earlier)) {
        memcpy(record_at(w, w->totals.chunks), record_at(w, earlier), CHUNK_RECORD_SIZE);
        w->totals.repeated_chunks++;
    } else {
        enum err err = store(w, c, stored, e);
        if (err != OK) {
            return err;
        }
    }
    w->totals.chunks++;
    w->image_size += c->raw_len;
    return OK;
}

enum err image_writer_end_partition(struct image_writer *w, struct partition_info *ret,
                                    struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_begin(w->hasher, e);
    for (uint32_t i = w->first; err == OK && i < w->totals.chunks; i++) {
        // A record begins with its raw hash.
        err = hasher_add(w->hasher, record_at(w, i), SHA256_SIZE, e);
    }
    if (err == OK) {
        err = hasher_end(w->hasher, digest, e);
    }
    if (err != OK) {
        return err;
    }
    ret->image_size = w->image_size;
    ret->first = w->first;
    ret->count = w->totals.chunks - w->first;
    memcpy(ret->sha256_list, digest, SHA256_SIZE);
    w->totals.raw_bytes += w->image_size;
    w->first = w->totals.chunks;
    w->image_size = 0;
    return OK;
}

// Sets in `m` what the chunks made, and prints it; malloced.
static enum err make_manifest(struct image_writer *w, struct manifest *m, char **ret,
                              size_t *ret_len, struct error *e)
{
    m->table_records = w->totals.chunks;
    m->table_size = w->totals.chunks * CHUNK_RECORD_SIZE;
    m->payload_size = w->totals.payload_bytes;
    enum err err = hasher_sha256(w->hasher, w->table, m->table_size, m->table_sha256, e);
    return err == OK ? manifest_write(m, ret, ret_len, e) : err;
}

enum err image_writer_finish(struct image_writer *w, struct manifest *m,
                             uint32_t signature_area_size, struct image_totals *ret,
                             struct error *e)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t text_len = 0;
    enum err err = make_manifest(w, m, &text, &text_len, e);
    struct container_parts parts = {
        .kind = FILE_IMAGE,
        .manifest = text,
        .manifest_len = text_len,
        .table = w->table,
        .table_size = m->table_size,
        .payload_fd = w->payload_fd,
        .payload_size = m->payload_size,
        .signature_area_size = signature_area_size,
    };
    if (err == OK) {
        err = container_file_write(w->path, &parts, w->hasher, &w->totals.file_bytes, e);
    }
    if (err == OK) {
        *ret = w->totals;
    }
    return err;
}
