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

static enum err read_header(struct source *source, enum file_kind kind, uint8_t bytes[HEADER_SIZE],
                            struct header *ret, struct error *e)
{
    enum err err = source_start(source, 0, first_range(source), e);
    if (err == OK) {
        err = source_read(source, bytes, HEADER_SIZE, e);
    }
    if (err == OK) {
        err = header_parse_kind(bytes, kind, ret, e);
    }
    if (err == OK) {
        err = source_expect_size(source, ret->file_size, e);
    }
    return err;
}

// Header, manifest and signatures, unverified.
static enum err read_head(struct source *source, enum file_kind kind, uint8_t **ret,
                          size_t *ret_len, struct error *e)
{
    uint8_t bytes[HEADER_SIZE];
    struct header header;
    enum err err = read_header(source, kind, bytes, &header, e);
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
    if (err == OK) {
        *ret = TAKE_PTR(head);
        *ret_len = len;
    }
    return err;
}

// What stands between a head and the payload: pad, table, pad.
static enum err read_rest(struct source *source, const struct header *header, uint8_t **ret,
                          size_t *ret_len, struct error *e)
{
    size_t head_size = header_head_size(header);
    size_t len = (size_t)header->payload_offset - head_size;
    CLEANUP(cleanup_free) uint8_t *rest = malloc(len);
    if (rest == NULL) {
        return fail_memory(e);
    }
    enum err err = read_on(source, rest, head_size, len, RELEASE_FIRST_RANGE, e);
    if (err == OK) {
        *ret = TAKE_PTR(rest);
        *ret_len = len;
    }
    return err;
}

enum err release_fetch_head(struct device *d, struct source *source, struct image **ret,
                            struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *head = NULL;
    size_t len = 0;
    struct image_trust trust;
    enum err err = read_head(source, FILE_IMAGE, &head, &len, e);
    if (err == OK) {
        err = device_trust(d, &trust, e);
    }
    return err == OK ? image_open_head(head, len, &trust.verifier, d->hasher, ret, e) : err;
}

enum err release_fetch_table(struct device *d, struct source *source, struct image *image,
                             struct error *e)
{
    uint8_t *rest = NULL;
    size_t len = 0;
    enum err err = read_rest(source, &image->header, &rest, &len, e);
    return err == OK ? image_add_table(image, rest, len, d->hasher, e) : err;
}

static enum err read_pack(struct device *d, struct source *source, struct pack **ret,
                          struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *head = NULL;
    size_t len = 0;
    struct image_trust trust;
    enum err err = read_head(source, FILE_PACK, &head, &len, e);
    if (err == OK) {
        err = device_trust(d, &trust, e);
    }
    return err == OK ? pack_open_head(head, len, &trust.verifier, d->hasher, ret, e) : err;
}

static enum err check_order(const struct pack *pack, const struct pack_order *order,
                            struct error *e)
{
    if (!pack_is_for(pack, order->target->header.manifest_sha256,
                     order->base->header.manifest_sha256)) {
        return fail(e, ERR_FORMAT, 0, "pack: for other releases than these");
    }
    if (pack->header.payload_offset > order->most_bytes) {
        return fail(e, ERR_TOO_LARGE, 0, "pack: it would cost more than it saves");
    }
    return OK;
}

enum err release_fetch_pack(struct device *d, struct source *source, const struct pack_order *order,
                            struct pack **ret, struct error *e)
{
    CLEANUP(cleanup_pack) struct pack *pack = NULL;
    uint8_t *rest = NULL;
    size_t len = 0;
    enum err err = read_pack(d, source, &pack, e);
    if (err == OK) {
        err = check_order(pack, order, e);
    }
    if (err == OK) {
        err = read_rest(source, &pack->header, &rest, &len, e);
    }
    if (err == OK) {
        err = pack_add_table(pack, rest, len, d->hasher, e);
    }
    if (err == OK) {
        err = pack_check_target(pack, order->target, e);
    }
    if (err == OK) {
        err = pack_check_base(pack, order->base, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(pack);
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
