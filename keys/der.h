// SPDX-License-Identifier: Apache-2.0
// A strict reader of DER elements (ITU-T X.690, section 10).
//
// Invariants
// 1. Only one spelling of an element is accepted: one-byte tag, definite length in the fewest
//    bytes. What OpenSSL would read as the same value in another spelling is refused.
// 2. The cursor moves on success only; an element never reaches past its parent.
#ifndef KEYS_DER_H
#define KEYS_DER_H

#include "base/cursor.h"

enum der_tag {
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0, // constructed
    DER_CONTEXT_1 = 0xa1,
};

struct der {
    uint8_t tag;
    const uint8_t *whole; // header and body, inside the buffer that is read
    size_t whole_len;
    struct cursor body;
};

// The next element, of any tag.
MUST_CHECK bool der_next(struct cursor *c, struct der *ret);
// The next element if it has this tag.
MUST_CHECK bool der_take(struct cursor *c, uint8_t tag, struct der *ret);
// Takes the next element if its header and body are exactly these bytes.
MUST_CHECK bool der_take_exactly(struct cursor *c, const void *bytes, size_t len);
// Two elements are the same byte for byte.
bool der_same(const struct der *a, const struct der *b);

#endif
