// SPDX-License-Identifier: Apache-2.0
#include "image-tools/container_writer.h"

#include "base/file.h"
#include "image-tools/output_file.h"

#include <string.h>

enum err container_writer_new(enum file_kind kind, const char *path, struct container_writer **ret,
                              struct error *e)
{
    CLEANUP(cleanup_container_writer) struct container_writer *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return fail_memory(e);
    }
    w->kind = kind;
    w->payload_fd = -1;
    w->path = strdup(path);
    w->table = malloc(TABLE_MAX);
    if (w->path == NULL || w->table == NULL) {
        return fail_memory(e);
    }
    enum err err = output_file_check(path, e);
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

void container_writer_free(struct container_writer *w)
{
    if (w == NULL) {
        return;
    }
    cleanup_close(&w->payload_fd);
    hasher_free(w->hasher);
    free(w->table);
    free(w->path);
    free(w);
}

enum err container_writer_store(struct container_writer *w, const uint8_t *stored, size_t len,
                                struct error *e)
{
    enum err err = write_all(w->payload_fd, stored, len, e);
    if (err != OK) {
        return error_context(e, "%s: its payload", w->path);
    }
    w->body.payload_size += len;
    return OK;
}

uint8_t *container_writer_add_record(struct container_writer *w)
{
    uint8_t *record = w->table + w->body.table_size;
    w->body.table_records++;
    w->body.table_size += file_kind_record_size(w->kind);
    return record;
}

enum err container_writer_seal(struct container_writer *w, struct file_body *ret, struct error *e)
{
    struct file_body *b = &w->body;
    enum err err = hasher_sha256(w->hasher, w->table, b->table_size, b->table_sha256, e);
    if (err == OK) {
        *ret = *b;
    }
    return err;
}

// Header and manifest, which end where the signature area begins; malloced.
static enum err make_head(struct header *h, const char *manifest, struct hasher *hasher,
                          uint8_t **ret, struct error *e)
{
    enum err err = hasher_sha256(hasher, manifest, h->manifest_size, h->manifest_sha256, e);
    if (err == OK) {
        err = header_lay_out(h, e);
    }
    if (err != OK) {
        return err;
    }
    uint8_t *head = malloc(header_signed_size(h));
    if (head == NULL) {
        return fail_memory(e);
    }
    header_write(h, head);
    memcpy(head + HEADER_SIZE, manifest, h->manifest_size);
    *ret = head;
    return OK;
}

enum err container_writer_finish(struct container_writer *w, const char *manifest,
                                 size_t manifest_len, uint32_t signature_area_size,
                                 uint64_t *ret_file_bytes, struct error *e)
{
    CLEANUP(cleanup_output_file) struct output_file *out = NULL;
    CLEANUP(cleanup_free) uint8_t *head = NULL;
    struct header h = {.kind = w->kind,
                       .format_minor = FORMAT_MINOR,
                       .manifest_size = (uint32_t)manifest_len, // far below 4 GiB
                       .signature_area_size = signature_area_size,
                       .table_size = w->body.table_size,
                       .payload_size = w->body.payload_size};
    enum err err = make_head(&h, manifest, w->hasher, &head, e);
    if (err == OK) {
        err = output_file_begin(w->path, OUTPUT_NAMELESS_IF_POSSIBLE, &out, e);
    }
    if (err == OK) {
        err = output_file_write(out, head, header_signed_size(&h), 0, e);
    }
    // Signature area and pads are what lies between: never written, they read as zeros.
    if (err == OK) {
        err = output_file_write(out, w->table, h.table_size, h.table_offset, e);
    }
    if (err == OK) {
        err = output_file_copy(out, w->payload_fd, 0, h.payload_offset, h.payload_size, e);
    }
    if (err == OK) {
        err = output_file_set_size(out, h.file_size, e);
    }
    if (err == OK) {
        err = output_file_commit(out, e);
    }
    if (err == OK) {
        *ret_file_bytes = h.file_size;
    }
    return err;
}
