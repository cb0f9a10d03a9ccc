// SPDX-License-Identifier: Apache-2.0
// chunk_table_parse(): the bytes become a table whose hashes hold, so that the fuzzer plays with
// the records; what is accepted keeps the invariants of chunk_table.h.
#include "format/chunk_table.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_MAX = 64, COMPACT_SIZE = 8, ZEROS = 70000 };

static void add_record(uint8_t *record, uint32_t index, const uint8_t *seed, uint64_t *end,
                       struct hasher *hasher)
{
    static const uint8_t zeros[ZEROS];
    struct error e;
    if (seed[0] % 8 == 7 && index > 0) { // the repetition of an earlier record
        memcpy(record, record - (seed[1] % index + 1) * CHUNK_RECORD_SIZE, CHUNK_RECORD_SIZE);
        record[seed[2] % CHUNK_RECORD_SIZE] ^= seed[3];
        return;
    }
    struct chunk c = {.codec = (enum codec)(seed[0] % 4),
                      .raw_len = (uint32_t)(seed[1] + 1) * (seed[2] + 1u),
                      .stored_off = *end + (seed[4] == 1)};
    memset(c.raw_sha256, seed[3], SHA256_SIZE);
    if (c.codec == CODEC_ZERO) {
        fuzz_must(hasher_sha256(hasher, zeros, c.raw_len, c.raw_sha256, &e) == OK);
        c.raw_sha256[0] ^= seed[5] == 1;
        c.stored_len = seed[6] == 1;
    } else {
        memset(c.stored_sha256, seed[3], STORED_HASH_SIZE);
        c.stored_len = c.codec == CODEC_RAW ? c.raw_len : seed[5];
    }
    *end += c.stored_len;
    chunk_record_write(&c, record);
    record[63] ^= seed[7] == 255 ? seed[6] : 0;
}

static uint64_t raw_sum(const uint8_t *bytes, uint32_t from, uint32_t to)
{
    uint64_t sum = 0;
    for (uint32_t i = from; i < to; i++) {
        sum += fuzz_get_u32(bytes + (size_t)i * CHUNK_RECORD_SIZE + 60) & 0xffffff;
    }
    return sum;
}

static void fill_partition(struct manifest *m, uint32_t first, uint32_t count, const uint8_t *bytes,
                           struct hasher *hasher)
{
    struct error e;
    struct partition_info *p = &m->partitions[m->partition_count++];
    strcpy(p->name, "p");
    p->first = first;
    p->count = count;
    p->image_size = raw_sum(bytes, first, first + count);
    fuzz_must(hasher_begin(hasher, &e) == OK);
    for (uint32_t i = first; i < first + count; i++) {
        const uint8_t *record = bytes + (size_t)i * CHUNK_RECORD_SIZE;
        fuzz_must(hasher_add(hasher, record, SHA256_SIZE, &e) == OK);
    }
    fuzz_must(hasher_end(hasher, p->sha256_list, &e) == OK);
}

static void check_table(const struct chunk_table *t, const struct manifest *m)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < chunk_table_count(t); i++) {
        uint64_t target_off = 0;
        struct chunk c = chunk_table_get(t, i, &target_off);
        uint32_t origin = chunk_table_origin(t, i);
        const uint8_t *bytes = chunk_table_bytes(t);
        fuzz_must(c.raw_len >= 1 && c.raw_len <= CHUNK_RAW_MAX && c.codec <= CODEC_ZERO);
        fuzz_must((c.stored_len == 0) == (c.codec == CODEC_ZERO));
        fuzz_must(c.stored_len <= c.raw_len + CHUNK_STORED_SLACK);
        fuzz_must(origin <= i && c.stored_off + c.stored_len <= m->body.payload_size);
        fuzz_must(memcmp(bytes + (size_t)origin * CHUNK_RECORD_SIZE,
                         bytes + (size_t)i * CHUNK_RECORD_SIZE, CHUNK_RECORD_SIZE) == 0);
        if (origin == i) {
            fuzz_must(c.stored_off == end);
            end += c.stored_len;
        }
    }
    fuzz_must(end == m->body.payload_size);
}

// The first byte says how many records there are, the rest is 8 bytes a record, or 64 for records
// that stand there as they are.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e;
    if (size < 1 + COMPACT_SIZE) {
        return 0;
    }
    bool literal = data[0] >= 128;
    size_t each = literal ? CHUNK_RECORD_SIZE : COMPACT_SIZE;
    uint32_t count = (uint32_t)((size - 1) / each);
    count = count > RECORDS_MAX ? RECORDS_MAX : count;
    if (count == 0) {
        return 0;
    }
    struct hasher *hasher = NULL;
    fuzz_must(hasher_new(&hasher, &e) == OK);
    uint8_t *bytes = malloc((size_t)count * CHUNK_RECORD_SIZE);
    struct manifest m = {.body.table_records = count, .body.table_size = count * CHUNK_RECORD_SIZE};
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *record = bytes + (size_t)i * CHUNK_RECORD_SIZE;
        if (literal) {
            memcpy(record, data + 1 + i * each, CHUNK_RECORD_SIZE);
        } else {
            add_record(record, i, data + 1 + i * each, &m.body.payload_size, hasher);
        }
    }
    uint32_t cut = data[0] % count;
    if (cut > 0) {
        fill_partition(&m, 0, cut, bytes, hasher);
    }
    fill_partition(&m, cut, count - cut, bytes, hasher);
    fuzz_must(hasher_sha256(hasher, bytes, m.body.table_size, m.body.table_sha256, &e) == OK);
    struct chunk_table *t = NULL;
    if (chunk_table_parse(bytes, m.body.table_size, &m, hasher, &t, &e) == OK) {
        check_table(t, &m);
    }
    chunk_table_free(t);
    hasher_free(hasher);
    return 0;
}
