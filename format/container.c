// SPDX-License-Identifier: Apache-2.0
#include "format/container.h"

#include "base/cursor.h"

#include <inttypes.h>
#include <string.h>

enum err container_check_manifest(const struct header *h, const uint8_t *manifest,
                                  struct hasher *hasher, struct error *e)
{
    return hasher_check(hasher, manifest, h->manifest_size, h->manifest_sha256, SHA256_SIZE,
                        "manifest: corrupt: its hash is not the one in the header", e);
}

static enum err check_signatures(const uint8_t *head, const struct header *h,
                                 const struct head_verifier *verifier, struct error *e)
{
    size_t signed_size = header_signed_size(h);
    struct signature_list signatures;
    enum err err = signature_area_parse(head + signed_size, h->signature_area_size, &signatures, e);
    return err == OK ? verifier->verify(verifier, head, signed_size, &signatures, e) : err;
}

enum err container_check_head(const uint8_t *head, size_t len, enum file_kind kind,
                              const struct head_verifier *verifier, struct hasher *hasher,
                              struct header *ret, struct error *e)
{
    struct header h;
    if (len < HEADER_SIZE) {
        return fail(e, ERR_FORMAT, 0, "header: cut short: %zu of %d bytes", len, HEADER_SIZE);
    }
    enum err err = header_parse_kind(head, kind, &h, e);
    if (err == OK && len < header_head_size(&h)) {
        err = fail(e, ERR_FORMAT, 0, "%s: cut short: %zu bytes, its head has %zu",
                   file_kind_word(kind), len, header_head_size(&h));
    }
    if (err == OK) {
        err = container_check_manifest(&h, head + HEADER_SIZE, hasher, e);
    }
    if (err == OK) {
        err = check_signatures(head, &h, verifier, e);
    }
    if (err == OK) {
        *ret = h;
    }
    return err;
}

enum err container_check_agreement(const struct header *h, const struct file_body *body,
                                   struct error *e)
{
    const char *word = file_kind_word(h->kind);
    if (h->table_size != body->table_size) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: the chunk table is %" PRIu32 " bytes in the header, %" PRIu32
                    " in the manifest",
                    word, h->table_size, body->table_size);
    }
    if (h->payload_size != body->payload_size) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: the payload is %" PRIu64 " bytes in the header, %" PRIu64
                    " in the manifest",
                    word, h->payload_size, body->payload_size);
    }
    return OK;
}

static enum err check_pads(const struct header *h, const uint8_t *rest, size_t len, size_t table_at,
                           struct error *e)
{
    struct cursor before = cursor_over(rest, table_at);
    if (!cursor_zeros(&before, table_at)) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: corrupt: a byte between signature area and chunk table is not zero",
                    file_kind_word(h->kind));
    }
    size_t end = table_at + h->table_size;
    struct cursor behind = cursor_over(rest + end, len - end);
    if (!cursor_zeros(&behind, len - end)) {
        return fail(e, ERR_FORMAT, 0,
                    "%s: corrupt: a byte between chunk table and payload is not zero",
                    file_kind_word(h->kind));
    }
    return OK;
}

enum err container_move_table(const struct header *h, uint8_t *rest, size_t len, struct error *e)
{
    size_t head_size = header_head_size(h);
    size_t table_at = (size_t)h->table_offset - head_size;
    if (len != h->payload_offset - head_size) {
        return fail(e, ERR_FORMAT, 0, "%s: %zu bytes between head and payload, expected %" PRIu64,
                    file_kind_word(h->kind), len, h->payload_offset - head_size);
    }
    enum err err = check_pads(h, rest, len, table_at, e);
    if (err == OK) {
        memmove(rest, rest + table_at, h->table_size);
    }
    return err;
}

enum err container_check_table(const struct file_body *body, const uint8_t *table, size_t len,
                               struct hasher *hasher, struct error *e)
{
    if (len != body->table_size) {
        return fail(e, ERR_FORMAT, 0, "%zu bytes, the manifest says %" PRIu32, len,
                    body->table_size);
    }
    return hasher_check(hasher, table, len, body->table_sha256, SHA256_SIZE,
                        "corrupt: its hash is not the one in the manifest", e);
}
