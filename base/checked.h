// SPDX-License-Identifier: Apache-2.0
// Arithmetic on numbers that come from outside: true and a result, or false and no result.
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

static inline MUST_CHECK bool u64_add(uint64_t a, uint64_t b, uint64_t *ret)
{
    return !__builtin_add_overflow(a, b, ret);
}

static inline MUST_CHECK bool u64_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
    return !__builtin_mul_overflow(a, b, ret);
}

// Rounds up to `align`, a power of two.
static inline MUST_CHECK bool u64_align_up(uint64_t a, uint64_t align, uint64_t *ret)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, align - 1, &sum)) {
        return false;
    }
    *ret = sum & ~(align - 1);
    return true;
}

static inline uint64_t u64_align_down(uint64_t a, uint64_t align)
{
    return a & ~(align - 1);
}

static inline MUST_CHECK bool u64_to_size(uint64_t a, size_t *ret)
{
    return !__builtin_add_overflow(a, (uint64_t)0, ret);
}

#endif
