// SPDX-License-Identifier: Apache-2.0
#include "format/chunk_table.h"

#include "base/cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum {
    ZERO_BLOCK = 16384,
    RAW_LEN_AT = SHA256_SIZE + STORED_HASH_SIZE + 8 + 4, // in a record
};

static const uint8_t zero_block[ZERO_BLOCK];

// What the records in front of one add up to.
struct mark {
    uint64_t target_off;  // of the record, from the start of its partition
    uint64_t payload_end; // of the stored bytes so far
};

// The longest table takes 4 MiB, and a device that installs has 16 for everything: what can be
// added up from the records is kept for one in MARK_RECORDS of them only.
enum { MARK_RECORDS = 64 };

struct chunk_table {
    uint8_t *bytes;
    uint32_t count;
    struct mark *marks; // of the records 0, MARK_RECORDS, 2 * MARK_RECORDS, ...
    uint8_t *repeats;   // a bit for each record: it repeats an earlier one
    size_t partition_count;
    uint32_t firsts[MANIFEST_PARTITIONS_MAX]; // the first record of each partition
};

// --- One record ---

static bool read_record(const uint8_t *bytes, struct chunk *ret, uint8_t *ret_codec)
{
    struct cursor c = cursor_over(bytes, CHUNK_RECORD_SIZE);
    const uint8_t *raw_sha256 = NULL;
    const uint8_t *stored_sha256 = NULL;
    bool fits = cursor_bytes(&c, SHA256_SIZE, &raw_sha256) &&
                cursor_bytes(&c, STORED_HASH_SIZE, &stored_sha256) &&
                cursor_u64(&c, &ret->stored_off) && cursor_u32(&c, &ret->stored_len) &&
                cursor_u24(&c, &ret->raw_len) && cursor_u8(&c, ret_codec);
    if (fits) {
        memcpy(ret->raw_sha256, raw_sha256, SHA256_SIZE);
        memcpy(ret->stored_sha256, stored_sha256, STORED_HASH_SIZE);
    }
    return fits;
}

static enum err check_stored_len(const struct chunk *c, struct error *e)
{
    if ((c->stored_len == 0) != (c->codec == CODEC_ZERO)) {
        return fail(e, ERR_FORMAT, 0, "%s",
                    c->codec == CODEC_ZERO ? "a zero chunk with stored bytes"
                                           : "no stored bytes, but it is not a zero chunk");
    }
    if (c->stored_len > c->raw_len + CHUNK_STORED_SLACK) {
        return fail(e, ERR_FORMAT, 0,
                    "%" PRIu32 " stored bytes for %" PRIu32 " raw ones, at most %d more are "
                    "allowed",
                    c->stored_len, c->raw_len, CHUNK_STORED_SLACK);
    }
    if (c->codec == CODEC_RAW && c->stored_len != c->raw_len) {
        return fail(e, ERR_FORMAT, 0, "a raw chunk of %" PRIu32 " bytes is stored as %" PRIu32,
                    c->raw_len, c->stored_len);
    }
    return OK;
}

static enum err check_stored_hash(const struct chunk *c, struct error *e)
{
    static const uint8_t none[STORED_HASH_SIZE];
    if (c->codec == CODEC_ZERO && memcmp(c->stored_sha256, none, STORED_HASH_SIZE) != 0) {
        return fail(e, ERR_FORMAT, 0, "a zero chunk with a hash of stored bytes");
    }
    if (c->codec == CODEC_RAW && memcmp(c->stored_sha256, c->raw_sha256, STORED_HASH_SIZE) != 0) {
        return fail(e, ERR_FORMAT, 0, "a raw chunk whose two hashes differ");
    }
    return OK;
}

enum err chunk_record_parse(const uint8_t bytes[CHUNK_RECORD_SIZE], struct chunk *ret,
                            struct error *e)
{
    struct chunk c = {0};
    uint8_t codec = 0;
    bool fits = read_record(bytes, &c, &codec);
    assert(fits);
    (void)fits;
    if (codec > CODEC_ZERO) {
        return fail(e, ERR_FORMAT, 0, "unsupported codec %u", codec);
    }
    c.codec = (enum codec)codec;
    if (c.raw_len < 1 || c.raw_len > CHUNK_RAW_MAX) {
        return fail(e, ERR_FORMAT, 0, "%" PRIu32 " raw bytes, allowed are 1 to %d", c.raw_len,
                    CHUNK_RAW_MAX);
    }
    enum err err = check_stored_len(&c, e);
    if (err == OK) {
        err = check_stored_hash(&c, e);
    }
    if (err == OK) {
        *ret = c;
    }
    return err;
}

void chunk_record_write(const struct chunk *c, uint8_t ret_bytes[CHUNK_RECORD_SIZE])
{
    struct out_cursor out = out_cursor_over(ret_bytes, CHUNK_RECORD_SIZE);
    bool fits = put_bytes(&out, c->raw_sha256, SHA256_SIZE) &&
                put_bytes(&out, c->stored_sha256, STORED_HASH_SIZE) &&
                put_u64(&out, c->stored_off) && put_u32(&out, c->stored_len) &&
                put_u24(&out, c->raw_len) && put_u8(&out, (uint8_t)c->codec);
    assert(fits);
    (void)fits;
}

// --- The whole table ---

// What the walk over all records carries from one to the next.
struct walk {
    struct hasher *hasher;
    uint64_t running_end; // of stored data
    // Zero chunks mostly have one length; its hash is computed once.
    uint32_t zero_len;
    uint8_t zero_sha256[SHA256_SIZE];
};

static const uint8_t *record_at(const struct chunk_table *t, uint32_t index)
{
    return t->bytes + (size_t)index * CHUNK_RECORD_SIZE;
}

static struct chunk accepted_record(const struct chunk_table *t, uint32_t index)
{
    struct chunk c = {0};
    uint8_t codec = 0;
    bool fits = read_record(record_at(t, index), &c, &codec);
    assert(fits);
    (void)fits;
    c.codec = (enum codec)codec;
    return c;
}

static uint32_t raw_len_at(const struct chunk_table *t, uint32_t index)
{
    uint32_t len = 0;
    struct cursor c = cursor_over(record_at(t, index) + RAW_LEN_AT, 3);
    bool fits = cursor_u24(&c, &len);
    assert(fits);
    (void)fits;
    return len;
}

static enum err hash_zeros(struct walk *w, uint32_t len, struct error *e)
{
    enum err err = hasher_begin(w->hasher, e);
    for (uint32_t left = len; err == OK && left > 0;) {
        uint32_t n = left < ZERO_BLOCK ? left : ZERO_BLOCK;
        err = hasher_add(w->hasher, zero_block, n, e);
        left -= n;
    }
    if (err == OK) {
        err = hasher_end(w->hasher, w->zero_sha256, e);
    }
    w->zero_len = err == OK ? len : 0;
    return err;
}

static enum err check_zero(struct walk *w, const struct chunk *c, struct error *e)
{
    if (w->zero_len != c->raw_len) {
        enum err err = hash_zeros(w, c->raw_len, e);
        if (err != OK) {
            return err;
        }
    }
    if (memcmp(c->raw_sha256, w->zero_sha256, SHA256_SIZE) != 0) {
        return fail(e, ERR_FORMAT, 0, "a zero chunk whose hash is not that of %" PRIu32 " zeros",
                    c->raw_len);
    }
    return OK;
}

static bool repeats(const struct chunk_table *t, uint32_t index)
{
    return (t->repeats[index / 8] & 1U << index % 8) != 0;
}

// The last mark of the first `count` at or before which the stored bytes at `stored_off` begin.
static uint32_t find_mark(const struct chunk_table *t, uint32_t count, uint64_t stored_off)
{
    uint32_t low = 0;
    uint32_t high = count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (t->marks[middle].payload_end <= stored_off) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// The record in front of `end` with stored bytes of its own at `stored_off`, or `end`. Stored
// offsets of such records strictly increase, so that a mark is found by binary search and a hostile
// table costs n log n at most.
static uint32_t find_owner(const struct chunk_table *t, uint32_t end, uint64_t stored_off)
{
    if (end == 0) {
        return end;
    }
    uint32_t i = find_mark(t, (end - 1) / MARK_RECORDS + 1, stored_off) * MARK_RECORDS;
    for (uint32_t n = 0; n < MARK_RECORDS && i < end; n++, i++) {
        struct chunk c = accepted_record(t, i);
        if (c.stored_off == stored_off && c.codec != CODEC_ZERO && !repeats(t, i)) {
            return i;
        }
    }
    return end;
}

// Invariant 2: new data continues the payload, anything else repeats a whole earlier record.
static enum err place(struct chunk_table *t, struct walk *w, uint32_t index, const struct chunk *c,
                      struct error *e)
{
    if (c->stored_off == w->running_end) {
        w->running_end += c->stored_len; // 2^16 records of 2^20 + 64 bytes: no overflow
        return OK;
    }
    uint32_t first = c->codec == CODEC_ZERO ? index : find_owner(t, index, c->stored_off);
    if (first == index ||
        memcmp(record_at(t, index), record_at(t, first), CHUNK_RECORD_SIZE) != 0) {
        return fail(e, ERR_FORMAT, 0,
                    "stored offset %" PRIu64 " neither continues the payload at %" PRIu64
                    " nor repeats an earlier record",
                    c->stored_off, w->running_end);
    }
    t->repeats[index / 8] |= (uint8_t)(1U << index % 8);
    return OK;
}

static enum err walk_record(struct chunk_table *t, struct walk *w, uint32_t index,
                            uint64_t *target_off, struct error *e)
{
    struct chunk c;
    if (index % MARK_RECORDS == 0) {
        t->marks[index / MARK_RECORDS] = (struct mark){*target_off, w->running_end};
    }
    enum err err = chunk_record_parse(record_at(t, index), &c, e);
    if (err == OK && c.codec == CODEC_ZERO) {
        err = check_zero(w, &c, e);
    }
    if (err == OK) {
        err = place(t, w, index, &c, e);
    }
    if (err != OK) {
        return error_context(e, "record %" PRIu32, index);
    }
    *target_off += c.raw_len;
    return OK;
}

// Apart from the walk, because that one uses the hasher for zero chunks.
static enum err check_hash_list(const struct chunk_table *t, const struct partition_info *p,
                                struct hasher *hasher, struct error *e)
{
    uint8_t digest[SHA256_SIZE];
    enum err err = hasher_begin(hasher, e);
    for (uint32_t i = 0; err == OK && i < p->count; i++) {
        err = hasher_add(hasher, record_at(t, p->first + i), SHA256_SIZE, e);
    }
    if (err == OK) {
        err = hasher_end(hasher, digest, e);
    }
    if (err == OK && memcmp(digest, p->sha256_list, SHA256_SIZE) != 0) {
        err = fail(e, ERR_FORMAT, 0, "its chunk hashes do not match sha256_list of the manifest");
    }
    return err;
}

static enum err walk_partition(struct chunk_table *t, struct walk *w,
                               const struct partition_info *p, struct error *e)
{
    uint64_t target_off = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        enum err err = walk_record(t, w, p->first + i, &target_off, e);
        if (err != OK) {
            return err;
        }
    }
    enum err err = OK;
    if (target_off != p->image_size) {
        err = fail(e, ERR_FORMAT, 0,
                   "its chunks add up to %" PRIu64 " bytes, its image_size is %" PRIu64, target_off,
                   p->image_size);
    }
    if (err == OK) {
        err = check_hash_list(t, p, w->hasher, e);
    }
    return err == OK ? OK : error_context(e, "partition %s", p->name);
}

static enum err walk_table(struct chunk_table *t, const struct manifest *m, struct hasher *hasher,
                           struct error *e)
{
    struct walk w = {.hasher = hasher};
    t->partition_count = m->partition_count;
    for (size_t i = 0; i < m->partition_count; i++) {
        t->firsts[i] = m->partitions[i].first;
        enum err err = walk_partition(t, &w, &m->partitions[i], e);
        if (err != OK) {
            return err;
        }
    }
    if (w.running_end != m->body.payload_size) {
        return fail(e, ERR_FORMAT, 0,
                    "the chunks take %" PRIu64 " stored bytes, the payload has %" PRIu64,
                    w.running_end, m->body.payload_size);
    }
    return OK;
}

static enum err index_table(struct chunk_table *t, const struct manifest *m, struct hasher *hasher,
                            struct error *e)
{
    t->count = m->body.table_records;
    t->marks = calloc(t->count / MARK_RECORDS + 1, sizeof(*t->marks));
    t->repeats = calloc(t->count / 8 + 1, 1);
    if (t->marks == NULL || t->repeats == NULL) {
        return fail_memory(e);
    }
    return walk_table(t, m, hasher, e);
}

enum err chunk_table_parse(uint8_t *bytes, size_t len, const struct manifest *m,
                           struct hasher *hasher, struct chunk_table **ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *owned = bytes;
    CLEANUP(cleanup_chunk_table) struct chunk_table *t = NULL;
    enum err err = container_check_table(&m->body, owned, len, hasher, e);
    if (err != OK) {
        return error_context(e, "chunk table");
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return fail_memory(e);
    }
    t->bytes = TAKE_PTR(owned);
    err = index_table(t, m, hasher, e);
    if (err != OK) {
        return error_context(e, "chunk table");
    }
    *ret = TAKE_PTR(t);
    return OK;
}

void chunk_table_free(struct chunk_table *t)
{
    if (t == NULL) {
        return;
    }
    free(t->bytes);
    free(t->marks);
    free(t->repeats);
    free(t);
}

uint32_t chunk_table_count(const struct chunk_table *t)
{
    return t->count;
}

const uint8_t *chunk_table_bytes(const struct chunk_table *t)
{
    return t->bytes;
}

// From the nearest record in front of it whose offset is known: a mark, or the first one of a
// partition.
static uint64_t target_off(const struct chunk_table *t, uint32_t index)
{
    uint32_t from = index / MARK_RECORDS * MARK_RECORDS;
    uint64_t off = t->marks[from / MARK_RECORDS].target_off;
    for (size_t i = 0; i < t->partition_count; i++) {
        if (t->firsts[i] > from && t->firsts[i] <= index) {
            from = t->firsts[i];
            off = 0;
        }
    }
    for (; from < index; from++) {
        off += raw_len_at(t, from);
    }
    return off;
}

struct chunk chunk_table_get(const struct chunk_table *t, uint32_t index, uint64_t *ret_target_off)
{
    if (ret_target_off != NULL) {
        *ret_target_off = target_off(t, index);
    }
    return accepted_record(t, index);
}

uint32_t chunk_table_origin(const struct chunk_table *t, uint32_t index)
{
    return repeats(t, index) ? find_owner(t, index, accepted_record(t, index).stored_off) : index;
}
