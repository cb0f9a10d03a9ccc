// SPDX-License-Identifier: Apache-2.0
// A bounds-checked reader and writer of little-endian fields in a byte buffer.
//
// Invariants
// 1. `pos <= len` always; the position moves on success only.
// 2. A read past the end returns false and writes nothing through `ret`.
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *data;
    size_t len;
    size_t pos;
};

struct cursor cursor_over(const void *data, size_t len);
size_t cursor_left(const struct cursor *c);
MUST_CHECK bool cursor_u8(struct cursor *c, uint8_t *ret);
MUST_CHECK bool cursor_u16(struct cursor *c, uint16_t *ret);
MUST_CHECK bool cursor_u24(struct cursor *c, uint32_t *ret);
MUST_CHECK bool cursor_u32(struct cursor *c, uint32_t *ret);
MUST_CHECK bool cursor_u64(struct cursor *c, uint64_t *ret);
// Points `*ret` into the buffer; nothing is copied.
MUST_CHECK bool cursor_bytes(struct cursor *c, size_t len, const uint8_t **ret);
// Takes `len` bytes that must all be zero.
MUST_CHECK bool cursor_zeros(struct cursor *c, size_t len);

// The writer: same rules, into a caller-owned buffer.
struct out_cursor {
    uint8_t *data;
    size_t len;
    size_t pos;
};

struct out_cursor out_cursor_over(void *data, size_t len);
MUST_CHECK bool put_u8(struct out_cursor *c, uint8_t v);
MUST_CHECK bool put_u16(struct out_cursor *c, uint16_t v);
MUST_CHECK bool put_u24(struct out_cursor *c, uint32_t v);
MUST_CHECK bool put_u32(struct out_cursor *c, uint32_t v);
MUST_CHECK bool put_u64(struct out_cursor *c, uint64_t v);
MUST_CHECK bool put_bytes(struct out_cursor *c, const void *data, size_t len);
MUST_CHECK bool put_zeros(struct out_cursor *c, size_t len);

#endif
