// SPDX-License-Identifier: Apache-2.0
#include "updater/release.h"

#include <string.h>

static uint64_t first_range(const struct source *source)
{
    uint64_t size = source->size_bytes;
    return size < RELEASE_FIRST_RANGE ? size : RELEASE_FIRST_RANGE;
}

// [off, off + len), where the source stands at `off` of a range that ends at `end`, or behind it.
static enum err read_on(struct source *source, uint8_t *buf, uint64_t off, size_t len, uint64_t end,
                        struct error *e)
{
    uint64_t left = off < end ? end - off : 0;
    size_t n = len < left ? len : (size_t)left;
    enum err err = n > 0 ? source_read(source, buf, n, e) : OK;
    if (err == OK && n < len) {
        err = source_start(source, off + n, len - n, e);
        if (err == OK) {
            err = source_read(source, buf + n, len - n, e);
        }
    }
    return err;
}

static enum err read_header(struct source *source, uint8_t bytes[HEADER_SIZE], struct header *ret,
                            struct error *e)
{
    enum err err = source_start(source, 0, first_range(source), e);
    if (err == OK) {
        err = source_read(source, bytes, HEADER_SIZE, e);
    }
    if (err == OK) {
        err = header_parse(bytes, ret, e);
    }
    if (err == OK) {
        err = source_expect_size(source, ret->file_size, e);
    }
    return err;
}

enum err release_fetch_head(struct device *d, struct source *source, struct image **ret,
                            struct error *e)
{
    uint8_t bytes[HEADER_SIZE];
    struct header header;
    enum err err = read_header(source, bytes, &header, e);
    if (err != OK) {
        return err;
    }
    size_t len = header_head_size(&header);
    CLEANUP(cleanup_free) uint8_t *head = malloc(len);
    if (head == NULL) {
        return fail_memory(e);
    }
    memcpy(head, bytes, HEADER_SIZE);
    err =
        read_on(source, head + HEADER_SIZE, HEADER_SIZE, len - HEADER_SIZE, RELEASE_FIRST_RANGE, e);
    if (err != OK) {
        return err;
    }
    struct image_trust trust;
    err = device_trust(d, &trust, e);
    return err == OK ? image_open_head(head, len, &trust.verifier, d->hasher, ret, e) : err;
}

enum err release_fetch_table(struct device *d, struct source *source, struct image *image,
                             struct error *e)
{
    size_t head_size = header_head_size(&image->header);
    size_t len = (size_t)image->header.payload_offset - head_size;
    CLEANUP(cleanup_free) uint8_t *rest = malloc(len);
    if (rest == NULL) {
        return fail_memory(e);
    }
    enum err err = read_on(source, rest, head_size, len, RELEASE_FIRST_RANGE, e);
    if (err == OK) {
        err = image_add_table(image, TAKE_PTR(rest), len, d->hasher, e);
    }
    return err;
}

enum err release_signer_not_after(struct device *d, const struct image *image, uint64_t *ret_s,
                                  struct error *e)
{
    struct signature_list signatures;
    struct signer_name signers[SIGNATURE_RECORDS_MAX];
    size_t count = 0;
    size_t signed_size = header_signed_size(&image->header);
    enum err err = signature_area_parse(image->head + signed_size,
                                        image->header.signature_area_size, &signatures, e);
    if (err == OK) {
        err = trust_list_signers(d->trust, device_time_floor(d), image->head, signed_size,
                                 &signatures, signers, SIGNATURE_RECORDS_MAX, &count, e);
    }
    if (err != OK) {
        return err;
    }
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        first = signers[i].not_after < first ? signers[i].not_after : first;
    }
    *ret_s = first;
    return OK;
}

struct release_id release_id_of(const struct image *image)
{
    struct release_id id = {.release_index = image->manifest->release_index};
    memcpy(id.manifest_sha256, image->header.manifest_sha256, SHA256_SIZE);
    memcpy(id.version, image->manifest->version, sizeof id.version);
    return id;
}
