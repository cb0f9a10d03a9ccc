// SPDX-License-Identifier: Apache-2.0
#include "format/header.h"

#include "base/checked.h"
#include "base/cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { MAGIC_SIZE = 8, CRC_OFFSET = HEADER_SIZE - 4, RESERVED_TAIL = 20 };

// What differs between the kinds of file. The high bit, both line ends and the DOS end-of-file of
// the magic catch transfers in text mode.
static const struct {
    uint8_t magic[MAGIC_SIZE];
    uint32_t record_size; // of its table
    const char *word;
    const char *not_one;
} kinds[] = {
    [FILE_IMAGE] = {{0x89, 'V', 'V', 'I', 0x0d, 0x0a, 0x1a, 0x0a}, 64, "image", "a .vvi image"},
    [FILE_PACK] = {{0x89, 'V', 'V', 'D', 0x0d, 0x0a, 0x1a, 0x0a}, 48, "pack", "a .vvd delta pack"},
};

const char *file_kind_word(enum file_kind kind)
{
    return kinds[kind].word;
}

uint32_t file_kind_record_size(enum file_kind kind)
{
    return kinds[kind].record_size;
}

bool header_kind(const uint8_t bytes[HEADER_SIZE], enum file_kind *ret)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (memcmp(bytes, kinds[i].magic, MAGIC_SIZE) == 0) {
            *ret = (enum file_kind)i;
            return true;
        }
    }
    return false;
}

// What the 128 bytes say before any of it is believed.
struct header_fields {
    struct header h;
    uint16_t format_major;
    uint32_t header_size;
    uint32_t incompat_flags;
    uint32_t reserved;
    const uint8_t *manifest_sha256;
    bool tail_is_zero;
    uint32_t crc;
};

static enum err check_sizes(const struct header *h, struct error *e)
{
    if (h->manifest_size < 1 || h->manifest_size > MANIFEST_MAX) {
        return fail(e, ERR_FORMAT, 0, "the manifest is %" PRIu32 " bytes, allowed are 1 to %d",
                    h->manifest_size, MANIFEST_MAX);
    }
    if (h->signature_area_size > SIGNATURE_AREA_MAX) {
        return fail(e, ERR_FORMAT, 0,
                    "the signature area is %" PRIu32 " bytes, allowed are 0 to %d",
                    h->signature_area_size, SIGNATURE_AREA_MAX);
    }
    uint32_t record = kinds[h->kind].record_size;
    if (h->table_size < record || h->table_size > TABLE_MAX) {
        return fail(e, ERR_FORMAT, 0,
                    "the chunk table is %" PRIu32 " bytes, allowed are %" PRIu32 " to %d",
                    h->table_size, record, TABLE_MAX);
    }
    if (h->table_size % record != 0) {
        return fail(e, ERR_FORMAT, 0,
                    "the chunk table of %" PRIu32 " bytes is not a multiple of %" PRIu32,
                    h->table_size, record);
    }
    return OK;
}

enum err header_lay_out(struct header *h, struct error *e)
{
    enum err err = check_sizes(h, e);
    if (err != OK) {
        return err;
    }
    uint64_t table_offset;
    uint64_t payload_offset;
    uint64_t file_size;
    // The limits just checked keep the first two far from overflow; the payload may be anything.
    if (!u64_align_up(header_head_size(h), TABLE_ALIGN, &table_offset) ||
        !u64_align_up(table_offset + h->table_size, PAYLOAD_ALIGN, &payload_offset) ||
        !u64_add(payload_offset, h->payload_size, &file_size) || file_size > INT64_MAX) {
        return fail(e, ERR_FORMAT, 0, "the payload of %" PRIu64 " bytes overflows the file size",
                    h->payload_size);
    }
    h->table_offset = table_offset;
    h->payload_offset = payload_offset;
    h->file_size = file_size;
    return OK;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    struct cursor c = cursor_over(bytes, len);
    return cursor_zeros(&c, len);
}

// The fields behind the magic.
static bool read_fields(const uint8_t *bytes, struct header_fields *ret)
{
    struct cursor c = cursor_over(bytes + MAGIC_SIZE, HEADER_SIZE - MAGIC_SIZE);
    const uint8_t *tail = NULL;
    bool fits = cursor_u16(&c, &ret->format_major) && cursor_u16(&c, &ret->h.format_minor) &&
                cursor_u32(&c, &ret->header_size) && cursor_u32(&c, &ret->incompat_flags) &&
                cursor_u32(&c, &ret->h.compat_flags) && cursor_u64(&c, &ret->h.file_size) &&
                cursor_u32(&c, &ret->h.manifest_size) &&
                cursor_u32(&c, &ret->h.signature_area_size) &&
                cursor_u64(&c, &ret->h.table_offset) && cursor_u32(&c, &ret->h.table_size) &&
                cursor_u32(&c, &ret->reserved) && cursor_u64(&c, &ret->h.payload_offset) &&
                cursor_u64(&c, &ret->h.payload_size) &&
                cursor_bytes(&c, SHA256_SIZE, &ret->manifest_sha256) &&
                cursor_bytes(&c, RESERVED_TAIL, &tail) && cursor_u32(&c, &ret->crc);
    ret->tail_is_zero = fits && all_zero(tail, RESERVED_TAIL);
    return fits;
}

// Damage and a newer format call for different actions, so they get different sentences. The major
// number comes before the CRC: another major may keep its CRC elsewhere.
static enum err check_identity(const uint8_t *bytes, const struct header_fields *f, struct error *e)
{
    if (f->format_major != FORMAT_MAJOR) {
        return fail(e, ERR_FORMAT, 0,
                    "header: unsupported format version %u, this program reads version %d",
                    f->format_major, FORMAT_MAJOR);
    }
    if (f->crc != crc32c(bytes, CRC_OFFSET)) {
        return fail(e, ERR_FORMAT, 0, "header: corrupt: the checksum does not match");
    }
    if (f->header_size != HEADER_SIZE) {
        return fail(e, ERR_FORMAT, 0, "header: unsupported header size %" PRIu32 ", expected %d",
                    f->header_size, HEADER_SIZE);
    }
    if (f->incompat_flags != 0) {
        return fail(e, ERR_FORMAT, 0, "header: unsupported feature flags 0x%08" PRIx32,
                    f->incompat_flags);
    }
    if (f->reserved != 0 || !f->tail_is_zero) {
        return fail(e, ERR_FORMAT, 0, "header: unsupported: a reserved byte is set");
    }
    return OK;
}

static enum err check_layout(const struct header *h, struct error *e)
{
    struct header expected = *h;
    enum err err = header_lay_out(&expected, e);
    if (err != OK) {
        return err;
    }
    if (h->table_offset != expected.table_offset) {
        return fail(e, ERR_FORMAT, 0, "the chunk table stands at %" PRIu64 ", expected %" PRIu64,
                    h->table_offset, expected.table_offset);
    }
    if (h->payload_offset != expected.payload_offset) {
        return fail(e, ERR_FORMAT, 0, "the payload stands at %" PRIu64 ", expected %" PRIu64,
                    h->payload_offset, expected.payload_offset);
    }
    if (h->file_size != expected.file_size) {
        return fail(e, ERR_FORMAT, 0,
                    "the file size is given as %" PRIu64 ", its parts end at %" PRIu64,
                    h->file_size, expected.file_size);
    }
    return OK;
}

static enum err check_magic(const uint8_t *bytes, enum file_kind expected, struct error *e)
{
    enum file_kind kind;
    const char *not_one = kinds[expected].not_one;
    if (!header_kind(bytes, &kind)) {
        return fail(e, ERR_FORMAT, 0, "header: not %s (the magic number is missing)", not_one);
    }
    if (kind != expected) {
        return fail(e, ERR_FORMAT, 0, "header: not %s but %s", not_one, kinds[kind].not_one);
    }
    return OK;
}

enum err header_parse_kind(const uint8_t bytes[HEADER_SIZE], enum file_kind kind,
                           struct header *ret, struct error *e)
{
    enum err err = check_magic(bytes, kind, e);
    if (err != OK) {
        return err;
    }
    struct header_fields f = {.h = {.kind = kind}};
    bool fits = read_fields(bytes, &f);
    assert(fits);
    (void)fits;
    err = check_identity(bytes, &f, e);
    if (err != OK) {
        return err;
    }
    err = check_layout(&f.h, e);
    if (err != OK) {
        return error_context(e, "header: corrupt");
    }
    memcpy(f.h.manifest_sha256, f.manifest_sha256, SHA256_SIZE);
    *ret = f.h;
    return OK;
}

enum err header_parse(const uint8_t bytes[HEADER_SIZE], struct header *ret, struct error *e)
{
    return header_parse_kind(bytes, FILE_IMAGE, ret, e);
}

void header_write(const struct header *h, uint8_t ret_bytes[HEADER_SIZE])
{
    struct out_cursor c = out_cursor_over(ret_bytes, HEADER_SIZE);
    bool fits = put_bytes(&c, kinds[h->kind].magic, MAGIC_SIZE) && put_u16(&c, FORMAT_MAJOR) &&
                put_u16(&c, h->format_minor) && put_u32(&c, HEADER_SIZE) && put_u32(&c, 0) &&
                put_u32(&c, h->compat_flags) && put_u64(&c, h->file_size) &&
                put_u32(&c, h->manifest_size) && put_u32(&c, h->signature_area_size) &&
                put_u64(&c, h->table_offset) && put_u32(&c, h->table_size) && put_u32(&c, 0) &&
                put_u64(&c, h->payload_offset) && put_u64(&c, h->payload_size) &&
                put_bytes(&c, h->manifest_sha256, SHA256_SIZE) && put_zeros(&c, RESERVED_TAIL) &&
                put_u32(&c, crc32c(ret_bytes, CRC_OFFSET));
    assert(fits);
    (void)fits;
}

size_t header_signed_size(const struct header *h)
{
    return (size_t)HEADER_SIZE + h->manifest_size;
}

size_t header_head_size(const struct header *h)
{
    return header_signed_size(h) + h->signature_area_size;
}
