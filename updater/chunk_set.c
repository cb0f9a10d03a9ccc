// SPDX-License-Identifier: Apache-2.0
#include "updater/chunk_set.h"

#include <assert.h>
#include <string.h>

struct chunk_set {
    uint32_t count; // of the image
    uint32_t size;  // of the set
    uint8_t bits[];
};

static size_t bytes_for(uint32_t count)
{
    return ((size_t)count + 7) / 8;
}

static uint8_t bit_of(uint32_t index)
{
    return (uint8_t)(1U << (index % 8));
}

enum err chunk_set_new(uint32_t count, struct chunk_set **ret, struct error *e)
{
    struct chunk_set *s = calloc(1, sizeof *s + bytes_for(count));
    if (s == NULL) {
        return fail_memory(e);
    }
    s->count = count;
    *ret = s;
    return OK;
}

void chunk_set_free(struct chunk_set *s)
{
    free(s);
}

bool chunk_set_has(const struct chunk_set *s, uint32_t index)
{
    assert(index < s->count);
    return (s->bits[index / 8] & bit_of(index)) != 0;
}

void chunk_set_add(struct chunk_set *s, uint32_t index)
{
    if (!chunk_set_has(s, index)) {
        s->bits[index / 8] |= bit_of(index);
        s->size++;
    }
}

void chunk_set_clear(struct chunk_set *s)
{
    memset(s->bits, 0, bytes_for(s->count));
    s->size = 0;
}

uint32_t chunk_set_size(const struct chunk_set *s)
{
    return s->size;
}
