// SPDX-License-Identifier: Apache-2.0
// What images and delta packs have in common: header, manifest, signature area and table, in the
// order "hash, signature, then parse".
//
// Invariants
// 1. container_check_head() accepts a head only if the verifier accepted the signature over its
//    header and manifest; nobody parses the manifest of a head it did not accept.
// 2. Between them, the functions here look at every byte before the payload: it is signed, or
//    hashed by something signed, or a signature record, or checked to be zero.
#ifndef FORMAT_CONTAINER_H
#define FORMAT_CONTAINER_H

#include "base/error.h"
#include "base/hash.h"
#include "format/header.h"
#include "format/signature_area.h"

#include <stddef.h>
#include <stdint.h>

// What a manifest of either kind signs of the parts behind the signature area.
struct file_body {
    uint8_t table_sha256[SHA256_SIZE];
    uint32_t table_size;
    uint32_t table_records;
    uint64_t payload_size;
};

struct head_verifier {
    // OK only if enough trusted signers signed `message`.
    MUST_CHECK enum err (*verify)(const struct head_verifier *v, const uint8_t *message, size_t len,
                                  const struct signature_list *signatures, struct error *e);
};

// `head` holds at least header_head_size(header) bytes. ERR_FORMAT, or what the verifier says.
MUST_CHECK enum err container_check_head(const uint8_t *head, size_t len, enum file_kind kind,
                                         const struct head_verifier *verifier,
                                         struct hasher *hasher, struct header *ret,
                                         struct error *e);

// SHA-256 of the manifest against the one in the header. Not trust: it tells a damaged download
// from a bad signature.
MUST_CHECK enum err container_check_manifest(const struct header *h, const uint8_t *manifest,
                                             struct hasher *hasher, struct error *e);

// Header and manifest name the same sizes. Both are signed, so only a faulty writer can make them
// differ; a reader must not have to choose.
MUST_CHECK enum err container_check_agreement(const struct header *h, const struct file_body *body,
                                              struct error *e);

// `rest`: the bytes [header_head_size, payload_offset), which are pad, table, pad. Checks length
// and pads and moves the table to the front of `rest`.
MUST_CHECK enum err container_move_table(const struct header *h, uint8_t *rest, size_t len,
                                         struct error *e);

// The table is the one that the manifest signs: its length and its hash.
MUST_CHECK enum err container_check_table(const struct file_body *body, const uint8_t *table,
                                          size_t len, struct hasher *hasher, struct error *e);

#endif
