// SPDX-License-Identifier: Apache-2.0
#include "image-tools/pack_writer.h"

enum err pack_writer_add(struct container_writer *w, const struct pack_record *r,
                         const uint8_t *stored, struct error *e)
{
    struct pack_record placed = *r;
    placed.stored_off = w->body.payload_size;
    if (w->body.table_records == TABLE_RECORDS_MAX) {
        return fail(e, ERR_INTERNAL, 0, "%s: more than %d records", w->path, TABLE_RECORDS_MAX);
    }
    enum err err = container_writer_store(w, stored, r->stored_len, e);
    if (err == OK) {
        pack_record_write(&placed, container_writer_add_record(w));
    }
    return err;
}

enum err pack_writer_finish(struct container_writer *w, struct pack_manifest *m,
                            uint32_t signature_area_size, uint64_t *ret_file_bytes, struct error *e)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t len = 0;
    enum err err = container_writer_seal(w, &m->body, e);
    if (err == OK) {
        err = pack_manifest_write(m, &text, &len, e);
    }
    if (err == OK) {
        err = container_writer_finish(w, text, len, signature_area_size, ret_file_bytes, e);
    }
    return err;
}
