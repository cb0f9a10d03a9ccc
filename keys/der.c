// SPDX-License-Identifier: Apache-2.0
#include "keys/der.h"

#include <string.h>

// Lengths of up to three bytes reach 16 MiB, far beyond any signature record.
static MUST_CHECK bool read_length(struct cursor *c, size_t *ret_len)
{
    uint8_t first;
    if (!cursor_u8(c, &first)) {
        return false;
    }
    if (first < 0x80) {
        *ret_len = first;
        return true;
    }
    size_t count = first & 0x7fU;
    if (count == 0 || count > 3) {
        return false;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte;
        if (!cursor_u8(c, &byte)) {
            return false;
        }
        len = len << 8 | byte;
    }
    size_t smallest = count == 1 ? 0x80 : (size_t)1 << (8 * (count - 1));
    if (len < smallest) {
        return false;
    }
    *ret_len = len;
    return true;
}

bool der_next(struct cursor *c, struct der *ret)
{
    struct cursor at = *c;
    uint8_t tag;
    size_t len;
    const uint8_t *body;
    if (!cursor_u8(&at, &tag) || (tag & 0x1f) == 0x1f || !read_length(&at, &len) ||
        !cursor_bytes(&at, len, &body)) {
        return false;
    }
    *ret = (struct der){
        .tag = tag,
        .whole = c->data + c->pos,
        .whole_len = at.pos - c->pos,
        .body = cursor_over(body, len),
    };
    *c = at;
    return true;
}

bool der_take(struct cursor *c, uint8_t tag, struct der *ret)
{
    struct cursor at = *c;
    struct der element;
    if (!der_next(&at, &element) || element.tag != tag) {
        return false;
    }
    *ret = element;
    *c = at;
    return true;
}

bool der_take_exactly(struct cursor *c, const void *bytes, size_t len)
{
    struct cursor at = *c;
    struct der element;
    if (!der_next(&at, &element) || element.whole_len != len ||
        memcmp(element.whole, bytes, len) != 0) {
        return false;
    }
    *c = at;
    return true;
}

bool der_same(const struct der *a, const struct der *b)
{
    return a->whole_len == b->whole_len && memcmp(a->whole, b->whole, a->whole_len) == 0;
}
