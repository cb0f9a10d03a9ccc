// SPDX-License-Identifier: Apache-2.0
#include "updater/http_backoff.h"

#include <stdbool.h>

// Doubling HTTP_BACKOFF_FIRST_MS this often is past the maximum.
enum { DOUBLINGS_MAX = 6 };

static uint64_t asked_wait_ms(uint64_t retry_after_ms, uint32_t random)
{
    bool is_short = retry_after_ms < HTTP_BACKOFF_MAX_MS;
    uint64_t spread = is_short ? retry_after_ms : HTTP_BACKOFF_MAX_MS;
    return retry_after_ms + spread * random / UINT32_MAX;
}

uint64_t http_backoff_ms(unsigned failures, uint64_t retry_after_ms, uint32_t random)
{
    unsigned doublings = failures > 0 ? failures - 1 : 0;
    uint64_t base = HTTP_BACKOFF_MAX_MS;
    if (doublings < DOUBLINGS_MAX) {
        base = (uint64_t)HTTP_BACKOFF_FIRST_MS << doublings;
    }
    uint64_t spread = base / 2;
    uint64_t wait = base - base / 4 + spread * random / UINT32_MAX;
    uint64_t asked = asked_wait_ms(retry_after_ms, random);
    return wait > asked ? wait : asked;
}
