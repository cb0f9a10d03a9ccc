// SPDX-License-Identifier: Apache-2.0
// The chunk table: one 64-byte record per chunk, in target order.
//
// Invariants of a table that chunk_table_parse() accepted
// 1. The target offset of a chunk is the running sum of raw_len in its partition; the sum over a
//    partition is its image_size.
// 2. stored_off is the running end of stored data, or the record repeats an earlier one in all 64
//    bytes; the running end after the last record is the payload size. A ZERO record always stands
//    at the running end.
// 3. raw_len is 1..CHUNK_RAW_MAX; stored_len <= raw_len + CHUNK_STORED_SLACK, and 0 only for ZERO;
//    a ZERO record's hash is that of raw_len zeros.
// 4. SHA-256 over the raw hashes of a partition is its sha256_list.
#ifndef FORMAT_CHUNK_TABLE_H
#define FORMAT_CHUNK_TABLE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/manifest.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CHUNK_RECORD_SIZE = 64,
    CHUNK_RAW_MAX = 1024 * 1024,
    CHUNK_STORED_SLACK = 64,
    CHUNK_STORED_MAX = CHUNK_RAW_MAX + CHUNK_STORED_SLACK,
    STORED_HASH_SIZE = 16,
};

enum codec { CODEC_RAW = 0, CODEC_ZLIB = 1, CODEC_ZSTD = 2, CODEC_ZERO = 3 };

struct chunk {
    uint8_t raw_sha256[SHA256_SIZE];
    uint8_t stored_sha256[STORED_HASH_SIZE]; // first half of the SHA-256 of the stored bytes
    uint64_t stored_off;                     // relative to the payload
    uint32_t stored_len;
    uint32_t raw_len;
    enum codec codec;
};

struct chunk_table;

// One record, without looking at its neighbours: codec, lengths, reserved patterns.
MUST_CHECK enum err chunk_record_parse(const uint8_t bytes[CHUNK_RECORD_SIZE], struct chunk *ret,
                                       struct error *e);
void chunk_record_write(const struct chunk *c, uint8_t ret_bytes[CHUNK_RECORD_SIZE]);

// Takes ownership of `bytes` (malloced) in every case. Checks the table's hash against the
// manifest first, then every invariant above.
MUST_CHECK enum err chunk_table_parse(uint8_t *bytes, size_t len, const struct manifest *m,
                                      struct hasher *hasher, struct chunk_table **ret,
                                      struct error *e);
void chunk_table_free(struct chunk_table *t);
DEFINE_CLEANUP(chunk_table, struct chunk_table *, chunk_table_free)

uint32_t chunk_table_count(const struct chunk_table *t);
const uint8_t *chunk_table_bytes(const struct chunk_table *t);
// `index` < count. `ret_target_off` (may be NULL): bytes from the start of its partition.
struct chunk chunk_table_get(const struct chunk_table *t, uint32_t index, uint64_t *ret_target_off);
// The earlier record this one repeats, or `index` itself.
uint32_t chunk_table_origin(const struct chunk_table *t, uint32_t index);

#endif
