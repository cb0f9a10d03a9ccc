// SPDX-License-Identifier: Apache-2.0
#include "image-tools/verify_pack.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static enum err check_prefix(const struct image_file *f, const struct verify_request *r,
                             struct hasher *hasher, struct pack **ret, struct error *e)
{
    struct image_trust trust = image_trust_with(r->store, r->signers, r->time_floor);
    uint8_t *copy = malloc(f->prefix_len);
    if (copy == NULL) {
        return fail_memory(e);
    }
    memcpy(copy, f->prefix, f->prefix_len);
    enum err err = pack_take_prefix(copy, f->prefix_len, &trust.verifier, hasher, ret, e);
    return err == OK ? OK : error_context(e, "%s", f->path);
}

// A pack is small next to its images, so one thread will do.
static enum err check_payload(const struct image_file *f, const struct pack *pack,
                              struct hasher *hasher, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *stored = malloc(CHUNK_STORED_MAX);
    if (stored == NULL) {
        return fail_memory(e);
    }
    for (uint32_t i = 0; i < pack_table_count(pack->table); i++) {
        struct pack_record r = pack_table_get(pack->table, i);
        enum err err =
            image_file_read(f, stored, r.stored_len, f->header.payload_offset + r.stored_off, e);
        if (err == OK && pack_check_stored(&r, stored, hasher, e) != OK) {
            err = error_context(e, "%s: record %" PRIu32, f->path, i);
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err verify_pack(const struct image_file *f, const struct verify_request *r,
                     struct verify_pack_result *ret, struct error *e)
{
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    CLEANUP(cleanup_pack) struct pack *pack = NULL;
    struct verify_pack_result result = {.file_bytes = f->header.file_size};
    enum err err = hasher_new(&hasher, e);
    if (err == OK) {
        err = check_prefix(f, r, hasher, &pack, e);
    }
    if (err != OK) {
        return err;
    }
    assert(pack != NULL);
    err = check_payload(f, pack, hasher, e);
    if (err == OK) {
        err =
            verify_list_signers(f->prefix, &f->header, r, result.signers, &result.signer_count, e);
    }
    if (err == OK) {
        result.pack = TAKE_PTR(pack);
        *ret = result;
    }
    return err;
}
