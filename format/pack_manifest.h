// SPDX-License-Identifier: Apache-2.0
// The manifest of a delta pack: which image it is for, from which one, and where its table is.
// Canonical JSON; keys and limits: docs/delta-pack.md, "Manifest".
//
// Invariants of a manifest that pack_manifest_parse() accepted
// 1. `crit` names only features this reader knows (there are none in format 1.0).
// 2. Base and target are not the same image.
// 3. The table is its records of PACK_RECORD_SIZE bytes each.
#ifndef FORMAT_PACK_MANIFEST_H
#define FORMAT_PACK_MANIFEST_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "format/container.h"

#include <stddef.h>
#include <stdint.h>

enum { PACK_RECORD_SIZE = 48 };

// An image as a pack names it.
struct pack_end {
    uint8_t manifest_sha256[SHA256_SIZE]; // of its manifest, as in its header
    uint64_t release_index;               // for people and file names; it is not compared
};

struct pack_manifest {
    uint64_t created; // seconds since 1970
    struct pack_end base;
    struct pack_end target;
    struct file_body body;
};

// Only format/pack.c (after the signature holds) and vv-image's reader of files may call this; lint
// checks it. ERR_FORMAT names the key. `*ret` is malloced.
MUST_CHECK enum err pack_manifest_parse(const uint8_t *text, size_t len, struct pack_manifest **ret,
                                        struct error *e);
// Canonical text, malloced.
MUST_CHECK enum err pack_manifest_write(const struct pack_manifest *m, char **ret_text,
                                        size_t *ret_len, struct error *e);
void pack_manifest_free(struct pack_manifest *m);
DEFINE_CLEANUP(pack_manifest, struct pack_manifest *, pack_manifest_free)

#endif
