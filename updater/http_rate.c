// SPDX-License-Identifier: Apache-2.0
#include "updater/http_rate.h"

#include "base/checked.h"

#include <stdatomic.h>

struct http_rate http_rate_begin(uint64_t bytes_per_s)
{
    return (struct http_rate){.bytes_per_s = bytes_per_s};
}

// Microseconds that the bytes take at the limit.
static uint64_t cost_us(const struct http_rate *r, uint64_t bytes)
{
    uint64_t scaled;
    return u64_mul(bytes, 1000000, &scaled) ? scaled / r->bytes_per_s : 0;
}

void http_rate_count(struct http_rate *r, uint64_t bytes, uint64_t now_ms)
{
    if (r->bytes_per_s == 0) {
        return;
    }
    uint64_t now_us = now_ms * 1000;
    uint64_t burst_us = (uint64_t)HTTP_RATE_BURST_MS * 1000;
    uint64_t least_us = now_us > burst_us ? now_us - burst_us : 0;
    uint64_t before_us = atomic_load(&r->spent_us);
    uint64_t after_us;
    do {
        after_us = (before_us > least_us ? before_us : least_us) + cost_us(r, bytes);
    } while (!atomic_compare_exchange_weak(&r->spent_us, &before_us, after_us));
}

uint64_t http_rate_rest_ms(const struct http_rate *r, uint64_t now_ms)
{
    uint64_t spent_ms = r->bytes_per_s == 0 ? 0 : atomic_load(&r->spent_us) / 1000;
    return spent_ms > now_ms ? spent_ms - now_ms : 0;
}
