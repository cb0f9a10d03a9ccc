// SPDX-License-Identifier: Apache-2.0
#include "format/image.h"

#include <assert.h>
#include <string.h>

enum err image_open_head(const uint8_t *head, size_t len, const struct head_verifier *verifier,
                         struct hasher *hasher, struct image **ret, struct error *e)
{
    CLEANUP(cleanup_image) struct image *image = calloc(1, sizeof(*image));
    if (image == NULL) {
        return fail_memory(e);
    }
    const struct header *h = &image->header;
    enum err err = container_check_head(head, len, FILE_IMAGE, verifier, hasher, &image->header, e);
    if (err == OK) {
        err = manifest_parse(head + HEADER_SIZE, h->manifest_size, &image->manifest, e);
    }
    if (err == OK) {
        err = container_check_agreement(h, &image->manifest->body, e);
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

enum err image_add_table(struct image *image, uint8_t *rest, size_t len, struct hasher *hasher,
                         struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = rest;
    const struct header *h = &image->header;
    if (image->table != NULL) {
        return fail(e, ERR_INTERNAL, 0, "image: it has its chunk table already");
    }
    enum err err = container_move_table(h, owned, len, e);
    if (err != OK) {
        return err;
    }
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
    return hasher_check(hasher, stored, c->stored_len, c->stored_sha256, STORED_HASH_SIZE,
                        "chunk: corrupt: its stored bytes do not match their hash", e);
}

enum err chunk_check_raw(const struct chunk *c, const uint8_t *raw, struct hasher *hasher,
                         struct error *e)
{
    return hasher_check(hasher, raw, c->raw_len, c->raw_sha256, SHA256_SIZE,
                        "chunk: corrupt: its raw bytes do not match their hash", e);
}
