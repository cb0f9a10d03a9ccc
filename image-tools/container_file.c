// SPDX-License-Identifier: Apache-2.0
#include "image-tools/container_file.h"

#include "image-tools/output_file.h"

#include <string.h>

// Header and manifest, which end where the signature area begins; malloced.
static enum err make_head(const struct container_parts *p, struct hasher *hasher, struct header *h,
                          uint8_t **ret, struct error *e)
{
    enum err err = hasher_sha256(hasher, p->manifest, p->manifest_len, h->manifest_sha256, e);
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
    memcpy(head + HEADER_SIZE, p->manifest, p->manifest_len);
    *ret = head;
    return OK;
}

enum err container_file_write(const char *path, const struct container_parts *p,
                              struct hasher *hasher, uint64_t *ret_file_bytes, struct error *e)
{
    CLEANUP(cleanup_output_file) struct output_file *out = NULL;
    CLEANUP(cleanup_free) uint8_t *head = NULL;
    struct header h = {.kind = p->kind,
                       .format_minor = FORMAT_MINOR,
                       .manifest_size = (uint32_t)p->manifest_len,
                       .signature_area_size = p->signature_area_size,
                       .table_size = p->table_size,
                       .payload_size = p->payload_size};
    enum err err = make_head(p, hasher, &h, &head, e);
    if (err == OK) {
        err = output_file_begin(path, OUTPUT_NAMELESS_IF_POSSIBLE, &out, e);
    }
    if (err == OK) {
        err = output_file_write(out, head, header_signed_size(&h), 0, e);
    }
    // Signature area and pads are what lies between: never written, they read as zeros.
    if (err == OK) {
        err = output_file_write(out, p->table, h.table_size, h.table_offset, e);
    }
    if (err == OK) {
        err = output_file_copy(out, p->payload_fd, 0, h.payload_offset, h.payload_size, e);
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
