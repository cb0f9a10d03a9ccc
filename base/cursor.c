// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include <string.h>

struct cursor cursor_over(const void *data, size_t len)
{
    return (struct cursor){.data = data, .len = len};
}

size_t cursor_left(const struct cursor *c)
{
    return c->len - c->pos;
}

bool cursor_bytes(struct cursor *c, size_t len, const uint8_t **ret)
{
    if (len > cursor_left(c)) {
        return false;
    }
    // An empty cursor may stand on NULL, to which nothing may be added.
    *ret = c->data == NULL ? NULL : c->data + c->pos;
    c->pos += len;
    return true;
}

// One little-endian number of 1 to 8 bytes.
static bool read_le(struct cursor *c, size_t width, uint64_t *ret)
{
    if (width > cursor_left(c)) {
        return false;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++) {
        v |= (uint64_t)c->data[c->pos + i] << (8 * i);
    }
    c->pos += width;
    *ret = v;
    return true;
}

bool cursor_u8(struct cursor *c, uint8_t *ret)
{
    uint64_t v;
    if (!read_le(c, 1, &v)) {
        return false;
    }
    *ret = (uint8_t)v;
    return true;
}

bool cursor_u16(struct cursor *c, uint16_t *ret)
{
    uint64_t v;
    if (!read_le(c, 2, &v)) {
        return false;
    }
    *ret = (uint16_t)v;
    return true;
}

bool cursor_u24(struct cursor *c, uint32_t *ret)
{
    uint64_t v;
    if (!read_le(c, 3, &v)) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

bool cursor_u32(struct cursor *c, uint32_t *ret)
{
    uint64_t v;
    if (!read_le(c, 4, &v)) {
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

bool cursor_u64(struct cursor *c, uint64_t *ret)
{
    return read_le(c, 8, ret);
}

bool cursor_zeros(struct cursor *c, size_t len)
{
    if (len > cursor_left(c)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (c->data[c->pos + i] != 0) {
            return false;
        }
    }
    c->pos += len;
    return true;
}

struct out_cursor out_cursor_over(void *data, size_t len)
{
    return (struct out_cursor){.data = data, .len = len};
}

static bool write_le(struct out_cursor *c, size_t width, uint64_t v)
{
    if (width > c->len - c->pos) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        c->data[c->pos + i] = (uint8_t)(v >> (8 * i));
    }
    c->pos += width;
    return true;
}

bool put_u8(struct out_cursor *c, uint8_t v)
{
    return write_le(c, 1, v);
}

bool put_u16(struct out_cursor *c, uint16_t v)
{
    return write_le(c, 2, v);
}

// A value that does not fit into 24 bits is refused like a buffer that is too short.
bool put_u24(struct out_cursor *c, uint32_t v)
{
    return v <= 0xffffffU && write_le(c, 3, v);
}

bool put_u32(struct out_cursor *c, uint32_t v)
{
    return write_le(c, 4, v);
}

bool put_u64(struct out_cursor *c, uint64_t v)
{
    return write_le(c, 8, v);
}

bool put_bytes(struct out_cursor *c, const void *data, size_t len)
{
    if (len > c->len - c->pos) {
        return false;
    }
    if (len > 0) {
        memcpy(c->data + c->pos, data, len);
    }
    c->pos += len;
    return true;
}

bool put_zeros(struct out_cursor *c, size_t len)
{
    if (len > c->len - c->pos) {
        return false;
    }
    if (len > 0) {
        memset(c->data + c->pos, 0, len);
    }
    c->pos += len;
    return true;
}
