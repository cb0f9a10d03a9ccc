// SPDX-License-Identifier: Apache-2.0
// The table of a delta pack: one 48-byte record per chunk it brings, in the order of the target.
//
// Invariants of a table that pack_table_parse() accepted
// 1. Chunk indexes strictly increase.
// 2. stored_off is where the record before ended; the last record ends at the payload size.
// 3. The window is 1..DELTA_WINDOW_MAX bytes and begins at a multiple of 4096; its end does not
//    overflow. stored_len is 1..CHUNK_STORED_MAX.
// 4. Whether chunks and windows exist in target and base is not known here: format/pack.h.
#ifndef FORMAT_PACK_TABLE_H
#define FORMAT_PACK_TABLE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/chunk_table.h"
#include "format/codec.h"
#include "format/pack_manifest.h"

#include <stddef.h>
#include <stdint.h>

enum { PACK_WINDOW_ALIGN = 4096 };

struct pack_record {
    uint32_t chunk;          // record of the target's chunk table
    uint32_t base_partition; // place in the base's list of partitions
    uint64_t base_off;       // bytes from the start of that partition
    uint32_t base_len;
    uint32_t stored_len;
    uint64_t stored_off;                     // relative to the payload of the pack
    uint8_t stored_sha256[STORED_HASH_SIZE]; // first half of the SHA-256 of the stored bytes
};

struct pack_table;

// One record, without looking at its neighbours.
MUST_CHECK enum err pack_record_parse(const uint8_t bytes[PACK_RECORD_SIZE],
                                      struct pack_record *ret, struct error *e);
void pack_record_write(const struct pack_record *r, uint8_t ret_bytes[PACK_RECORD_SIZE]);

// Takes ownership of `bytes` (malloced) in every case, and keeps no other copy of them. Checks the
// table's hash against the manifest first, then every invariant above.
MUST_CHECK enum err pack_table_parse(uint8_t *bytes, size_t len, const struct pack_manifest *m,
                                     struct hasher *hasher, struct pack_table **ret,
                                     struct error *e);
void pack_table_free(struct pack_table *t);
DEFINE_CLEANUP(pack_table, struct pack_table *, pack_table_free)

uint32_t pack_table_count(const struct pack_table *t);
// `index` < count.
struct pack_record pack_table_get(const struct pack_table *t, uint32_t index);
// The record for a chunk of the target; false when the pack does not bring it.
MUST_CHECK bool pack_table_find(const struct pack_table *t, uint32_t chunk,
                                struct pack_record *ret);

#endif
