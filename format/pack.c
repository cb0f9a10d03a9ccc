// SPDX-License-Identifier: Apache-2.0
#include "format/pack.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum err pack_open_head(const uint8_t *head, size_t len, const struct head_verifier *verifier,
                        struct hasher *hasher, struct pack **ret, struct error *e)
{
    CLEANUP(cleanup_pack) struct pack *pack = calloc(1, sizeof(*pack));
    if (pack == NULL) {
        return fail_memory(e);
    }
    const struct header *h = &pack->header;
    enum err err = container_check_head(head, len, FILE_PACK, verifier, hasher, &pack->header, e);
    if (err == OK) {
        err = pack_manifest_parse(head + HEADER_SIZE, h->manifest_size, &pack->manifest, e);
    }
    if (err == OK) {
        err = container_check_agreement(h, &pack->manifest->body, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(pack);
    }
    return err;
}

enum err pack_add_table(struct pack *pack, uint8_t *rest, size_t len, struct hasher *hasher,
                        struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = rest;
    const struct header *h = &pack->header;
    if (pack->table != NULL) {
        return fail(e, ERR_INTERNAL, 0, "pack: it has its table already");
    }
    enum err err = container_move_table(h, owned, len, e);
    if (err != OK) {
        return err;
    }
    return pack_table_parse(TAKE_PTR(owned), h->table_size, pack->manifest, hasher, &pack->table,
                            e);
}

enum err pack_take_prefix(uint8_t *prefix, size_t len, const struct head_verifier *verifier,
                          struct hasher *hasher, struct pack **ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = prefix;
    CLEANUP(cleanup_pack) struct pack *pack = NULL;
    enum err err = pack_open_head(owned, len, verifier, hasher, &pack, e);
    if (err != OK) {
        return err;
    }
    assert(pack != NULL);
    size_t head_size = header_head_size(&pack->header);
    size_t prefix_size = (size_t)pack->header.payload_offset;
    if (len < prefix_size) {
        return fail(e, ERR_FORMAT, 0, "pack: cut short: %zu bytes, its payload begins at %zu", len,
                    prefix_size);
    }
    memmove(owned, owned + head_size, prefix_size - head_size);
    err = pack_add_table(pack, TAKE_PTR(owned), prefix_size - head_size, hasher, e);
    if (err == OK) {
        *ret = TAKE_PTR(pack);
    }
    return err;
}

void pack_free(struct pack *pack)
{
    if (pack == NULL) {
        return;
    }
    pack_manifest_free(pack->manifest);
    pack_table_free(pack->table);
    free(pack);
}

// --- What it is for ---

static bool names(const struct pack_end *end, const uint8_t manifest_sha256[SHA256_SIZE])
{
    return memcmp(end->manifest_sha256, manifest_sha256, SHA256_SIZE) == 0;
}

bool pack_is_for(const struct pack *pack, const uint8_t target[SHA256_SIZE],
                 const uint8_t base[SHA256_SIZE])
{
    return names(&pack->manifest->target, target) && names(&pack->manifest->base, base);
}

static enum err check_chunk(const struct pack_record *r, const struct chunk_table *target,
                            struct error *e)
{
    if (r->chunk >= chunk_table_count(target)) {
        return fail(e, ERR_FORMAT, 0, "chunk %" PRIu32 ": the target has %" PRIu32, r->chunk,
                    chunk_table_count(target));
    }
    struct chunk c = chunk_table_get(target, r->chunk, NULL);
    if (c.codec == CODEC_ZERO || chunk_table_origin(target, r->chunk) != r->chunk) {
        return fail(e, ERR_FORMAT, 0, "chunk %" PRIu32 ": the target stores nothing for it",
                    r->chunk);
    }
    if (r->stored_len >= c.stored_len) {
        return fail(e, ERR_FORMAT, 0,
                    "chunk %" PRIu32 ": %" PRIu32 " stored bytes, and %" PRIu32 " in the target",
                    r->chunk, r->stored_len, c.stored_len);
    }
    return OK;
}

enum err pack_check_target(const struct pack *pack, const struct image *target, struct error *e)
{
    if (!names(&pack->manifest->target, target->header.manifest_sha256)) {
        return fail(e, ERR_FORMAT, 0, "pack: it is for another image");
    }
    for (uint32_t i = 0; i < pack_table_count(pack->table); i++) {
        struct pack_record r = pack_table_get(pack->table, i);
        enum err err = check_chunk(&r, target->table, e);
        if (err != OK) {
            return error_context(e, "pack table: record %" PRIu32, i);
        }
    }
    return OK;
}

static enum err check_window(const struct pack_record *r, const struct manifest *base,
                             struct error *e)
{
    if (r->base_partition >= base->partition_count) {
        return fail(e, ERR_FORMAT, 0, "partition %" PRIu32 ": the base has %zu", r->base_partition,
                    base->partition_count);
    }
    const struct partition_info *p = &base->partitions[r->base_partition];
    if (r->base_off + r->base_len > p->image_size) {
        return fail(e, ERR_FORMAT, 0,
                    "a window of %" PRIu32 " bytes at %" PRIu64 ", partition %s has %" PRIu64,
                    r->base_len, r->base_off, p->name, p->image_size);
    }
    return OK;
}

enum err pack_check_base(const struct pack *pack, const struct image *base, struct error *e)
{
    if (!names(&pack->manifest->base, base->header.manifest_sha256)) {
        return fail(e, ERR_FORMAT, 0, "pack: it is from another image");
    }
    for (uint32_t i = 0; i < pack_table_count(pack->table); i++) {
        struct pack_record r = pack_table_get(pack->table, i);
        enum err err = check_window(&r, base->manifest, e);
        if (err != OK) {
            return error_context(e, "pack table: record %" PRIu32, i);
        }
    }
    return OK;
}

// --- Chunks ---

enum err pack_check_stored(const struct pack_record *r, const uint8_t *stored,
                           struct hasher *hasher, struct error *e)
{
    return hasher_check(hasher, stored, r->stored_len, r->stored_sha256, STORED_HASH_SIZE,
                        "delta: corrupt: its stored bytes do not match their hash", e);
}

enum err pack_decode(const struct pack_record *r, const struct chunk *chunk, const uint8_t *window,
                     const uint8_t *stored, struct decoder *d, struct hasher *hasher, uint8_t *raw,
                     struct error *e)
{
    enum err err = pack_check_stored(r, stored, hasher, e);
    if (err == OK) {
        err = decoder_run_delta(d, window, r->base_len, stored, r->stored_len, raw, chunk->raw_len,
                                e);
    }
    return err == OK ? chunk_check_raw(chunk, raw, hasher, e) : err;
}
