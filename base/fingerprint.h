// SPDX-License-Identifier: Apache-2.0
// Keyed fingerprints (Poly1305, RFC 8439 section 2.5): whether bytes that were seen before are the
// same when they are seen again, at a seventh or less of what SHA-256 costs.
//
// Invariants
// 1. Under a key that nobody else has, two unequal messages of `n` bytes have the same fingerprint
//    with a probability of at most (n / 16 + 1) / 2^103 (Bernstein, The Poly1305-AES
//    message-authentication code, theorem 3.3), whoever chose them. That holds for as many messages
//    as there are, because no fingerprint leaves the process: it is no MAC to be sent.
// 2. One `struct fingerprinter` fetches its algorithm once and allocates nothing per message.
// 3. A fingerprinter belongs to one thread at a time; those with the same key agree.
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FINGERPRINT_SIZE = 16, FINGERPRINT_KEY_SIZE = 32 };

struct fingerprint_key {
    uint8_t bytes[FINGERPRINT_KEY_SIZE];
};

struct fingerprint {
    uint8_t bytes[FINGERPRINT_SIZE];
};

struct fingerprinter;

// A new random key.
MUST_CHECK enum err fingerprint_key_make(struct fingerprint_key *ret, struct error *e);

MUST_CHECK enum err fingerprinter_new(const struct fingerprint_key *key, struct fingerprinter **ret,
                                      struct error *e);
void fingerprinter_free(struct fingerprinter *f);
DEFINE_CLEANUP(fingerprinter, struct fingerprinter *, fingerprinter_free)

// One message in parts: begin, any number of adds, end.
MUST_CHECK enum err fingerprint_begin(struct fingerprinter *f, struct error *e);
MUST_CHECK enum err fingerprint_add(struct fingerprinter *f, const void *data, size_t len,
                                    struct error *e);
MUST_CHECK enum err fingerprint_end(struct fingerprinter *f, struct fingerprint *ret,
                                    struct error *e);

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);

#endif
