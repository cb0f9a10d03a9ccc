// SPDX-License-Identifier: Apache-2.0
#include "updater/range_queue.h"

#include <assert.h>
#include <string.h>

struct range_queue range_queue_begin(const struct fetch_map *map, const struct chunk_set *wanted,
                                     uint64_t max_len)
{
    return (struct range_queue){.map = map, .wanted = wanted, .max_len = max_len};
}

// Those given back were cut before: they come before all that is not cut yet.
static void take_given_back(struct range_queue *q, struct fetch_range *ret)
{
    *ret = q->given_back[0];
    q->given_back_count--;
    memmove(q->given_back, q->given_back + 1, q->given_back_count * sizeof q->given_back[0]);
}

static bool cut(struct range_queue *q, struct fetch_range *ret)
{
    uint32_t count = chunk_table_count(q->map->table);
    while (q->next < count && !chunk_set_has(q->wanted, q->next)) {
        q->next++;
    }
    if (q->next == count) {
        return false;
    }
    *ret = fetch_range_at(q->map, q->next, q->wanted, q->max_len);
    struct fetch_range last = *ret;
    while (fetch_range_advance(&last, q->map, q->wanted)) {
    }
    q->next = last.index + 1;
    return true;
}

bool range_queue_take(struct range_queue *q, struct fetch_range *ret)
{
    if (q->given_back_count > 0) {
        take_given_back(q, ret);
        return true;
    }
    return cut(q, ret);
}

void range_queue_give_back(struct range_queue *q, const struct fetch_range *range)
{
    assert(q->given_back_count < RANGES_GIVEN_BACK_MAX);
    size_t at = q->given_back_count++;
    for (; at > 0 && q->given_back[at - 1].index > range->index; at--) {
        q->given_back[at] = q->given_back[at - 1];
    }
    q->given_back[at] = *range;
}

bool range_queue_has_before(const struct range_queue *q, uint32_t index)
{
    return q->given_back_count > 0 && q->given_back[0].index < index;
}
