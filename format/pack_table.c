// SPDX-License-Identifier: Apache-2.0
#include "format/pack_table.h"

#include "base/checked.h"
#include "base/cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct pack_table {
    uint8_t *bytes;
    uint32_t count;
};

// --- One record ---

static bool read_record(const uint8_t *bytes, struct pack_record *ret)
{
    struct cursor c = cursor_over(bytes, PACK_RECORD_SIZE);
    const uint8_t *stored_sha256 = NULL;
    bool fits = cursor_u32(&c, &ret->chunk) && cursor_u32(&c, &ret->base_partition) &&
                cursor_u64(&c, &ret->base_off) && cursor_u32(&c, &ret->base_len) &&
                cursor_u32(&c, &ret->stored_len) && cursor_u64(&c, &ret->stored_off) &&
                cursor_bytes(&c, STORED_HASH_SIZE, &stored_sha256);
    if (fits) {
        memcpy(ret->stored_sha256, stored_sha256, STORED_HASH_SIZE);
    }
    return fits;
}

enum err pack_record_parse(const uint8_t bytes[PACK_RECORD_SIZE], struct pack_record *ret,
                           struct error *e)
{
    struct pack_record r = {0};
    uint64_t end;
    bool fits = read_record(bytes, &r);
    assert(fits);
    (void)fits;
    if (r.base_len < 1 || r.base_len > DELTA_WINDOW_MAX) {
        return fail(e, ERR_FORMAT, 0, "a window of %" PRIu32 " bytes, allowed are 1 to %d",
                    r.base_len, DELTA_WINDOW_MAX);
    }
    if (r.base_off % PACK_WINDOW_ALIGN != 0) {
        return fail(e, ERR_FORMAT, 0, "a window at %" PRIu64 ", which is not a multiple of %d",
                    r.base_off, PACK_WINDOW_ALIGN);
    }
    if (!u64_add(r.base_off, r.base_len, &end)) {
        return fail(e, ERR_FORMAT, 0, "a window at %" PRIu64 " whose end overflows", r.base_off);
    }
    if (r.stored_len < 1 || r.stored_len > CHUNK_STORED_MAX) {
        return fail(e, ERR_FORMAT, 0, "%" PRIu32 " stored bytes, allowed are 1 to %d", r.stored_len,
                    CHUNK_STORED_MAX);
    }
    *ret = r;
    return OK;
}

void pack_record_write(const struct pack_record *r, uint8_t ret_bytes[PACK_RECORD_SIZE])
{
    struct out_cursor out = out_cursor_over(ret_bytes, PACK_RECORD_SIZE);
    bool fits = put_u32(&out, r->chunk) && put_u32(&out, r->base_partition) &&
                put_u64(&out, r->base_off) && put_u32(&out, r->base_len) &&
                put_u32(&out, r->stored_len) && put_u64(&out, r->stored_off) &&
                put_bytes(&out, r->stored_sha256, STORED_HASH_SIZE);
    assert(fits);
    (void)fits;
}

// --- The whole table ---

static const uint8_t *record_at(const struct pack_table *t, uint32_t index)
{
    return t->bytes + (size_t)index * PACK_RECORD_SIZE;
}

// `next_chunk`: the lowest index the record may have; `running_end`: where its bytes must begin.
static enum err check_place(const struct pack_record *r, uint64_t next_chunk, uint64_t running_end,
                            struct error *e)
{
    if (r->chunk < next_chunk) {
        return fail(e, ERR_FORMAT, 0, "chunk %" PRIu32 " does not come behind the one before",
                    r->chunk);
    }
    if (r->stored_off != running_end) {
        return fail(e, ERR_FORMAT, 0,
                    "stored offset %" PRIu64 " does not continue the payload at %" PRIu64,
                    r->stored_off, running_end);
    }
    return OK;
}

static enum err walk_table(const struct pack_table *t, const struct pack_manifest *m,
                           struct error *e)
{
    uint64_t next_chunk = 0;
    uint64_t running_end = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        struct pack_record r = {0};
        enum err err = pack_record_parse(record_at(t, i), &r, e);
        if (err == OK) {
            err = check_place(&r, next_chunk, running_end, e);
        }
        if (err != OK) {
            return error_context(e, "record %" PRIu32, i);
        }
        next_chunk = (uint64_t)r.chunk + 1;
        running_end += r.stored_len; // 2^16 records of 2^20 + 64 bytes: no overflow
    }
    if (running_end != m->body.payload_size) {
        return fail(e, ERR_FORMAT, 0,
                    "its records take %" PRIu64 " stored bytes, the payload has %" PRIu64,
                    running_end, m->body.payload_size);
    }
    return OK;
}

enum err pack_table_parse(uint8_t *bytes, size_t len, const struct pack_manifest *m,
                          struct hasher *hasher, struct pack_table **ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = bytes;
    CLEANUP(cleanup_pack_table) struct pack_table *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return fail_memory(e);
    }
    enum err err = container_check_table(&m->body, owned, len, hasher, e);
    if (err == OK) {
        t->bytes = TAKE_PTR(owned);
        t->count = m->body.table_records;
        err = walk_table(t, m, e);
    }
    if (err != OK) {
        return error_context(e, "pack table");
    }
    *ret = TAKE_PTR(t);
    return OK;
}

void pack_table_free(struct pack_table *t)
{
    if (t == NULL) {
        return;
    }
    free(t->bytes);
    free(t);
}

uint32_t pack_table_count(const struct pack_table *t)
{
    return t->count;
}

struct pack_record pack_table_get(const struct pack_table *t, uint32_t index)
{
    struct pack_record r = {0};
    bool fits = read_record(record_at(t, index), &r);
    assert(fits);
    (void)fits;
    return r;
}

bool pack_table_find(const struct pack_table *t, uint32_t chunk, struct pack_record *ret)
{
    uint32_t low = 0;
    uint32_t high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct pack_record r = pack_table_get(t, middle);
        if (r.chunk == chunk) {
            *ret = r;
            return true;
        }
        if (r.chunk < chunk) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}
