// SPDX-License-Identifier: Apache-2.0
// SHA-256 and CRC-32C, and their hex form.
//
// Invariants
// 1. One `struct hasher` fetches its algorithm once and allocates nothing per message.
// 2. A hasher belongs to one thread at a time.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX_SIZE = 65 };

struct hasher;

MUST_CHECK enum err hasher_new(struct hasher **ret_hasher, struct error *e);
void hasher_free(struct hasher *h);
DEFINE_CLEANUP(hasher, struct hasher *, hasher_free)

// One message at once.
MUST_CHECK enum err hasher_sha256(struct hasher *h, const void *data, size_t len,
                                  uint8_t ret_digest[SHA256_SIZE], struct error *e);
// ERR_FORMAT with `sentence` unless its digest begins with the `n` bytes of `expected`.
MUST_CHECK enum err hasher_check(struct hasher *h, const void *data, size_t len,
                                 const uint8_t *expected, size_t n, const char *sentence,
                                 struct error *e);

// One message in parts: begin, any number of adds, end.
MUST_CHECK enum err hasher_begin(struct hasher *h, struct error *e);
MUST_CHECK enum err hasher_add(struct hasher *h, const void *data, size_t len, struct error *e);
MUST_CHECK enum err hasher_end(struct hasher *h, uint8_t ret_digest[SHA256_SIZE], struct error *e);

// CRC-32C (Castagnoli, reflected, initial and final inversion), as in RFC 3720 appendix B.4.
uint32_t crc32c(const void *data, size_t len);

// Lower-case hex of `len` bytes with a final NUL into `ret` (2 * len + 1 bytes).
void hex_encode(const void *data, size_t len, char *ret);
// Exactly `len` bytes from 2 * `len` lower-case hex digits and nothing else; false otherwise.
MUST_CHECK bool hex_decode(const char *text, size_t len, uint8_t *ret);

#endif
