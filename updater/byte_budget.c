// SPDX-License-Identifier: Apache-2.0
#include "updater/byte_budget.h"

#include "base/parse.h"

#include <stdatomic.h>
#include <stddef.h>

void byte_budget_count(struct byte_budget *b, uint64_t bytes)
{
    if (b != NULL) {
        atomic_fetch_add_explicit(&b->used_bytes, bytes, memory_order_relaxed);
    }
}

uint64_t byte_budget_used(const struct byte_budget *b)
{
    return b != NULL ? atomic_load_explicit(&b->used_bytes, memory_order_relaxed) : 0;
}

uint64_t byte_budget_left(const struct byte_budget *b)
{
    if (b == NULL || b->limit_bytes == 0) {
        return UINT64_MAX;
    }
    uint64_t used = byte_budget_used(b);
    return used < b->limit_bytes ? b->limit_bytes - used : 0;
}

enum err byte_budget_check(const struct byte_budget *b, uint64_t bytes, struct error *e)
{
    uint64_t left = byte_budget_left(b);
    if (bytes <= left) {
        return OK;
    }
    char more[16];
    char used[16];
    char limit[16];
    format_size(byte_budget_used(b), used, sizeof used);
    format_size(b->limit_bytes, limit, sizeof limit);
    format_size(bytes, more, sizeof more);
    return fail(e, ERR_NOT_NOW, 0,
                "the byte budget of this release does not allow %s more: %s of %s came in for it; "
                "raise byte_budget of [network], or use 'vv-update install --again' to count anew",
                more, used, limit);
}
