// SPDX-License-Identifier: Apache-2.0
#include "updater/ring.h"

#include <assert.h>
#include <stdlib.h>

static size_t rounded(size_t len)
{
    return (len + RING_ALIGN - 1) & ~(size_t)(RING_ALIGN - 1);
}

enum err ring_init(struct ring *r, size_t size, struct error *e)
{
    *r = (struct ring){.size = rounded(size)};
    r->bytes = aligned_alloc(RING_ALIGN, r->size);
    return r->bytes == NULL ? fail_memory(e) : OK;
}

void ring_clear(struct ring *r)
{
    free(r->bytes);
    r->bytes = NULL;
}

// Where `n` bytes go, or `size`: nowhere.
static size_t place(const struct ring *r, size_t n)
{
    if (r->stretches == 0) {
        return n <= r->size ? 0 : r->size;
    }
    if (r->end <= r->begin) {
        return r->begin - r->end >= n ? r->end : r->size;
    }
    if (r->size - r->end >= n) {
        return r->end;
    }
    // What is left at the end of the memory is passed over.
    return r->begin >= n ? 0 : r->size;
}

bool ring_has_room(const struct ring *r, size_t len)
{
    return place(r, rounded(len)) != r->size;
}

uint8_t *ring_take(struct ring *r, size_t len)
{
    size_t at = place(r, rounded(len));
    if (at == r->size) {
        return NULL;
    }
    r->begin = r->stretches == 0 ? 0 : r->begin;
    r->end = at + rounded(len);
    r->stretches++;
    return r->bytes + at;
}

void ring_give_back(struct ring *r, const uint8_t *stretch, size_t len)
{
    assert(r->stretches > 0);
    r->begin = (size_t)(stretch - r->bytes) + rounded(len);
    r->stretches--;
}
