// SPDX-License-Identifier: Apache-2.0
// DER put together element by element, right or wrong as a test wants it.
#ifndef TESTS_SUPPORT_DER_BUILDER_H
#define TESTS_SUPPORT_DER_BUILDER_H

#include "tests/support/expect.h"

struct bytes {
    uint8_t data[12000];
    size_t len;
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
    assert_true(len <= sizeof(b->data) - b->len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

// An element of up to 64 KiB around `body`.
static inline struct bytes wrap(uint8_t tag, const struct bytes *body)
{
    struct bytes out = {.len = 0};
    uint8_t header[4] = {tag};
    size_t header_len = 2;
    if (body->len < 0x80) {
        header[1] = (uint8_t)body->len;
    } else if (body->len < 0x100) {
        header[1] = 0x81;
        header[2] = (uint8_t)body->len;
        header_len = 3;
    } else {
        header[1] = 0x82;
        header[2] = (uint8_t)(body->len >> 8);
        header[3] = (uint8_t)body->len;
        header_len = 4;
    }
    put(&out, header, header_len);
    put(&out, body->data, body->len);
    return out;
}

#endif
