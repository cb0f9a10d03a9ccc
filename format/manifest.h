// SPDX-License-Identifier: Apache-2.0
// The manifest: what the image is, for whom, and which chunk records make up which partition.
// Canonical JSON (base/json.h); keys and limits: docs/image-format.md, "Manifest".
//
// Invariants of a manifest that manifest_parse() accepted
// 1. `crit` names only features this reader knows (there are none in format 1.0).
// 2. product, compatible, version and partition names match is_name(); ids and names are unique.
// 3. The ranges [first, first + count) stand in order and partition the records of the table.
// 4. The text was canonical; unknown keys outside `crit` are carried but not understood.
#ifndef FORMAT_MANIFEST_H
#define FORMAT_MANIFEST_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/parse.h"
#include "format/container.h"

#include <stddef.h>
#include <stdint.h>

enum { MANIFEST_PARTITIONS_MAX = 16, MANIFEST_NAMES_MAX = 64 };

struct partition_info {
    uint32_t id;
    char name[NAME_MAX_LEN + 1];
    uint64_t image_size; // bytes; > 0
    uint32_t first;      // index of its first chunk record
    uint32_t count;
    uint8_t sha256_list[SHA256_SIZE]; // SHA-256 over its raw chunk hashes in order
    char cut[NAME_MAX_LEN + 1];       // cut rule, e.g. "block:65536"; "" when not named
};

struct name_list {
    size_t count;
    char names[MANIFEST_NAMES_MAX][NAME_MAX_LEN + 1];
};

struct manifest {
    char product[NAME_MAX_LEN + 1];
    struct name_list compatible; // at least one
    char version[NAME_MAX_LEN + 1];
    uint64_t release_index;
    uint64_t min_release_index; // 0: no floor
    uint64_t min_from;          // 0: from any release
    uint64_t created;           // seconds since 1970
    uint64_t not_after;         // 0: never
    bool allow_downgrade;
    struct name_list device_ids; // empty: any device
    struct file_body body;
    size_t partition_count;
    struct partition_info partitions[MANIFEST_PARTITIONS_MAX];
};

// Only format/image.c (after the signature holds) and `vv-image inspect` may call this; lint
// checks it. ERR_FORMAT names the key. `*ret` is malloced.
MUST_CHECK enum err manifest_parse(const uint8_t *text, size_t len, struct manifest **ret,
                                   struct error *e);
// Canonical text, malloced.
MUST_CHECK enum err manifest_write(const struct manifest *m, char **ret_text, size_t *ret_len,
                                   struct error *e);
void manifest_free(struct manifest *m);
DEFINE_CLEANUP(manifest, struct manifest *, manifest_free)

#endif
