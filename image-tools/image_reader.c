// SPDX-License-Identifier: Apache-2.0
#include "image-tools/image_reader.h"

#include "format/codec.h"
#include "format/image.h"

#include <inttypes.h>
#include <string.h>

struct image_reader {
    const struct image_file *file;
    const struct image_contents *contents;
    struct hasher *hasher;
    struct decoder *decoder;
    uint8_t *stored;
    uint8_t *raw;
    bool loaded; // `raw` is chunk `index`
    uint32_t index;
};

enum err image_reader_new(const struct image_file *f, const struct image_contents *c,
                          struct image_reader **ret, struct error *e)
{
    CLEANUP(cleanup_image_reader) struct image_reader *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return fail_memory(e);
    }
    r->file = f;
    r->contents = c;
    r->stored = malloc(CHUNK_STORED_MAX);
    r->raw = malloc(CHUNK_RAW_MAX);
    if (r->stored == NULL || r->raw == NULL) {
        return fail_memory(e);
    }
    enum err err = hasher_new(&r->hasher, e);
    if (err == OK) {
        err = decoder_new(&r->decoder, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(r);
    }
    return err;
}

void image_reader_free(struct image_reader *r)
{
    if (r == NULL) {
        return;
    }
    hasher_free(r->hasher);
    decoder_free(r->decoder);
    free(r->stored);
    free(r->raw);
    free(r);
}

static enum err decode(struct image_reader *r, const struct chunk *c, struct error *e)
{
    enum err err = image_file_read(r->file, r->stored, c->stored_len,
                                   r->file->header.payload_offset + c->stored_off, e);
    if (err == OK) {
        err = chunk_check_stored(c, r->stored, r->hasher, e);
    }
    if (err == OK) {
        err = decoder_run(r->decoder, c->codec, r->stored, c->stored_len, r->raw, c->raw_len, e);
    }
    return err == OK ? chunk_check_raw(c, r->raw, r->hasher, e) : err;
}

static enum err load(struct image_reader *r, uint32_t index, struct error *e)
{
    struct chunk c = chunk_table_get(r->contents->table, index, NULL);
    enum err err = OK;
    if (r->loaded && r->index == index) {
        return OK;
    }
    r->loaded = false;
    if (c.codec == CODEC_ZERO) {
        memset(r->raw, 0, c.raw_len); // whose hash was checked with the table
    } else {
        err = decode(r, &c, e);
    }
    if (err != OK) {
        return error_context(e, "%s: record %" PRIu32, r->file->path, index);
    }
    r->loaded = true;
    r->index = index;
    return OK;
}

enum err image_reader_chunk(struct image_reader *r, uint32_t index, const uint8_t **ret_raw,
                            struct error *e)
{
    enum err err = load(r, index, e);
    if (err == OK) {
        *ret_raw = r->raw;
    }
    return err;
}

// The last chunk of the partition that does not begin behind `off`.
static uint32_t find_chunk(const struct chunk_table *t, const struct partition_info *p,
                           uint64_t off)
{
    uint32_t low = p->first;
    uint32_t high = p->first + p->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t begins;
        (void)chunk_table_get(t, middle, &begins);
        if (begins <= off) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

enum err image_reader_read(struct image_reader *r, size_t partition, uint64_t off, size_t len,
                           uint8_t *ret_bytes, struct error *e)
{
    const struct partition_info *p = &r->contents->manifest->partitions[partition];
    uint32_t index = find_chunk(r->contents->table, p, off);
    while (len > 0) {
        uint64_t begins;
        struct chunk c = chunk_table_get(r->contents->table, index, &begins);
        enum err err = load(r, index, e);
        if (err != OK) {
            return err;
        }
        size_t skip = (size_t)(off - begins);
        size_t n = c.raw_len - skip < len ? c.raw_len - skip : len;
        memcpy(ret_bytes, r->raw + skip, n);
        ret_bytes += n;
        off += n;
        len -= n;
        index++;
    }
    return OK;
}
