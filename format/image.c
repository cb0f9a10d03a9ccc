// SPDX-License-Identifier: Apache-2.0
#include "format/image.h"

#include "base/cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

// Not trust: it tells a damaged download from a bad signature.
static enum err check_manifest_hash(const uint8_t *head, const struct header *h,
                                    struct hasher *hasher, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_sha256(hasher, head + HEADER_SIZE, h->manifest_size, digest, e);
    if (err == OK && memcmp(digest, h->manifest_sha256, SHA256_SIZE) != 0) {
        err = fail(e, ERR_FORMAT, 0, "manifest: corrupt: its hash is not the one in the header");
    }
    return err;
}

static enum err check_signatures(const uint8_t *head, const struct header *h,
                                 const struct head_verifier *verifier, struct error *e)
{
    size_t signed_size = header_signed_size(h);
    struct signature_list signatures;
    enum err err = signature_area_parse(head + signed_size, h->signature_area_size, &signatures, e);
    return err == OK ? verifier->verify(verifier, head, signed_size, &signatures, e) : err;
}

// Both are signed, so only a faulty writer can make them differ; a reader must not have to choose.
static enum err check_agreement(const struct header *h, const struct manifest *m, struct error *e)
{
    if (h->table_size != m->table_size) {
        return fail(e, ERR_FORMAT, 0,
                    "image: the chunk table is %" PRIu32 " bytes in the header, %" PRIu32
                    " in the manifest",
                    h->table_size, m->table_size);
    }
    if (h->payload_size != m->payload_size) {
        return fail(e, ERR_FORMAT, 0,
                    "image: the payload is %" PRIu64 " bytes in the header, %" PRIu64
                    " in the manifest",
                    h->payload_size, m->payload_size);
    }
    return OK;
}

enum err image_open_head(const uint8_t *head, size_t len, const struct head_verifier *verifier,
                         struct hasher *hasher, struct image **ret, struct error *e)
{
    if (len < HEADER_SIZE) {
        return fail(e, ERR_FORMAT, 0, "header: cut short: %zu of %d bytes", len, HEADER_SIZE);
    }
    CLEANUP(cleanup_image) struct image *image = calloc(1, sizeof(*image));
    if (image == NULL) {
        return fail_memory(e);
    }
    const struct header *h = &image->header;
    enum err err = header_parse(head, &image->header, e);
    if (err == OK && len < header_head_size(h)) {
        err = fail(e, ERR_FORMAT, 0, "image: cut short: %zu bytes, its head has %zu", len,
                   header_head_size(h));
    }
    if (err == OK) {
        err = check_manifest_hash(head, h, hasher, e);
    }
    if (err == OK) {
        err = check_signatures(head, h, verifier, e);
    }
    if (err == OK) {
        err = manifest_parse(head + HEADER_SIZE, h->manifest_size, &image->manifest, e);
    }
    if (err == OK) {
        err = check_agreement(h, image->manifest, e);
    }
    if (err != OK) {
        return err;
    }
    image->head = malloc(header_head_size(h));
    if (image->head == NULL) {
        return fail_memory(e);
    }
    memcpy(image->head, head, header_head_size(h));
    *ret = TAKE_PTR(image);
    return OK;
}

// What stands between head and payload: pad, table, pad.
static enum err check_pads(const struct header *h, const uint8_t *rest, size_t len, size_t table_at,
                           struct error *e)
{
    struct cursor before = cursor_over(rest, table_at);
    if (!cursor_zeros(&before, table_at)) {
        return fail(e, ERR_FORMAT, 0,
                    "image: corrupt: a byte between signature area and chunk table is not zero");
    }
    size_t end = table_at + h->table_size;
    struct cursor behind = cursor_over(rest + end, len - end);
    if (!cursor_zeros(&behind, len - end)) {
        return fail(e, ERR_FORMAT, 0,
                    "image: corrupt: a byte between chunk table and payload is not zero");
    }
    return OK;
}

enum err image_add_table(struct image *image, uint8_t *rest, size_t len, struct hasher *hasher,
                         struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = rest;
    const struct header *h = &image->header;
    size_t head_size = header_head_size(h);
    size_t table_at = (size_t)h->table_offset - head_size;
    if (image->table != NULL) {
        return fail(e, ERR_INTERNAL, 0, "image: it has its chunk table already");
    }
    if (len != h->payload_offset - head_size) {
        return fail(e, ERR_FORMAT, 0,
                    "image: %zu bytes between head and payload, expected %" PRIu64, len,
                    h->payload_offset - head_size);
    }
    enum err err = check_pads(h, owned, len, table_at, e);
    if (err != OK) {
        return err;
    }
    memmove(owned, owned + table_at, h->table_size);
    return chunk_table_parse(TAKE_PTR(owned), h->table_size, image->manifest, hasher, &image->table,
                             e);
}

enum err image_take_prefix(uint8_t *prefix, size_t len, const struct head_verifier *verifier,
                           struct hasher *hasher, struct image **ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = prefix;
    CLEANUP(cleanup_image) struct image *image = NULL;
    enum err err = image_open_head(owned, len, verifier, hasher, &image, e);
    if (err != OK) {
        return err;
    }
    assert(image != NULL);
    size_t head_size = header_head_size(&image->header);
    size_t prefix_size = (size_t)image->header.payload_offset;
    if (len < prefix_size) {
        return fail(e, ERR_FORMAT, 0, "image: cut short: %zu bytes, its payload begins at %zu", len,
                    prefix_size);
    }
    memmove(owned, owned + head_size, prefix_size - head_size);
    err = image_add_table(image, TAKE_PTR(owned), prefix_size - head_size, hasher, e);
    if (err != OK) {
        return err;
    }
    *ret = TAKE_PTR(image);
    return OK;
}

enum err image_open_prefix(const uint8_t *prefix, size_t len, const struct head_verifier *verifier,
                           struct hasher *hasher, struct image **ret, struct error *e)
{
    size_t copied = len < IMAGE_PREFIX_MAX ? len : IMAGE_PREFIX_MAX;
    uint8_t *copy = malloc(copied + 1); // never of nothing
    if (copy == NULL) {
        return fail_memory(e);
    }
    memcpy(copy, prefix, copied);
    return image_take_prefix(copy, copied, verifier, hasher, ret, e);
}

enum err image_prefix(const struct image *image, struct file_part ret_parts[IMAGE_PREFIX_PARTS],
                      struct error *e)
{
    static const uint8_t zeros[PAYLOAD_ALIGN];
    const struct header *h = &image->header;
    if (image->table == NULL) {
        return fail(e, ERR_INTERNAL, 0, "image: it has no chunk table yet");
    }
    size_t head_size = header_head_size(h);
    uint64_t table_end = h->table_offset + h->table_size;
    ret_parts[0] = (struct file_part){image->head, head_size};
    ret_parts[1] = (struct file_part){zeros, (size_t)h->table_offset - head_size};
    ret_parts[2] = (struct file_part){chunk_table_bytes(image->table), h->table_size};
    ret_parts[3] = (struct file_part){zeros, (size_t)(h->payload_offset - table_end)};
    return OK;
}

void image_free(struct image *image)
{
    if (image == NULL) {
        return;
    }
    manifest_free(image->manifest);
    chunk_table_free(image->table);
    free(image->head);
    free(image);
}

enum err chunk_check_stored(const struct chunk *c, const uint8_t *stored, struct hasher *hasher,
                            struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_sha256(hasher, stored, c->stored_len, digest, e);
    if (err == OK && memcmp(digest, c->stored_sha256, STORED_HASH_SIZE) != 0) {
        err = fail(e, ERR_FORMAT, 0, "chunk: corrupt: its stored bytes do not match their hash");
    }
    return err;
}

enum err chunk_check_raw(const struct chunk *c, const uint8_t *raw, struct hasher *hasher,
                         struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_sha256(hasher, raw, c->raw_len, digest, e);
    if (err == OK && memcmp(digest, c->raw_sha256, SHA256_SIZE) != 0) {
        err = fail(e, ERR_FORMAT, 0, "chunk: corrupt: its raw bytes do not match their hash");
    }
    return err;
}
