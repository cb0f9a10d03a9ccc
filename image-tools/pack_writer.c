// SPDX-License-Identifier: Apache-2.0
#include "image-tools/pack_writer.h"

#include "base/file.h"
#include "image-tools/container_file.h"
#include "image-tools/output_file.h"

#include <string.h>

struct pack_writer {
    char *path;
    int payload_fd;
    uint8_t *table; // TABLE_RECORDS_MAX records of address space; memory as far as they reach
    uint32_t count;
    uint64_t payload_size;
};

enum err pack_writer_new(const char *path, struct pack_writer **ret, struct error *e)
{
    CLEANUP(cleanup_pack_writer) struct pack_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return fail_memory(e);
    }
    w->payload_fd = -1;
    w->path = strdup(path);
    w->table = malloc((size_t)TABLE_RECORDS_MAX * PACK_RECORD_SIZE);
    if (w->path == NULL || w->table == NULL) {
        return fail_memory(e);
    }
    enum err err = output_file_check(path, e);
    if (err == OK) {
        err = scratch_file_open(path, &w->payload_fd, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(w);
    }
    return err;
}

void pack_writer_free(struct pack_writer *w)
{
    if (w == NULL) {
        return;
    }
    cleanup_close(&w->payload_fd);
    free(w->table);
    free(w->path);
    free(w);
}

enum err pack_writer_add(struct pack_writer *w, const struct pack_record *r, const uint8_t *stored,
                         struct error *e)
{
    struct pack_record placed = *r;
    placed.stored_off = w->payload_size;
    if (w->count == TABLE_RECORDS_MAX) {
        return fail(e, ERR_INTERNAL, 0, "%s: more than %d records", w->path, TABLE_RECORDS_MAX);
    }
    enum err err = write_all(w->payload_fd, stored, r->stored_len, e);
    if (err != OK) {
        return error_context(e, "%s: its payload", w->path);
    }
    pack_record_write(&placed, w->table + (size_t)w->count * PACK_RECORD_SIZE);
    w->count++;
    w->payload_size += r->stored_len;
    return OK;
}

uint32_t pack_writer_count(const struct pack_writer *w)
{
    return w->count;
}

enum err pack_writer_finish(struct pack_writer *w, struct pack_manifest *m,
                            uint32_t signature_area_size, uint64_t *ret_file_bytes, struct error *e)
{
    CLEANUP(cleanup_free) char *text = NULL;
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    size_t text_len = 0;
    m->table_records = w->count;
    m->table_size = w->count * PACK_RECORD_SIZE;
    m->payload_size = w->payload_size;
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = hasher_sha256(hasher, w->table, m->table_size, m->table_sha256, e);
    }
    if (err == OK) {
        err = pack_manifest_write(m, &text, &text_len, e);
    }
    struct container_parts parts = {
        .kind = FILE_PACK,
        .manifest = text,
        .manifest_len = text_len,
        .table = w->table,
        .table_size = m->table_size,
        .payload_fd = w->payload_fd,
        .payload_size = m->payload_size,
        .signature_area_size = signature_area_size,
    };
    if (err == OK) {
        err = container_file_write(w->path, &parts, hasher, ret_file_bytes, e);
    }
    return err;
}
