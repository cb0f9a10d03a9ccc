// SPDX-License-Identifier: Apache-2.0
#include "updater/http_backoff.h"

// Doubling HTTP_BACKOFF_FIRST_MS this often is past the maximum.
enum { DOUBLINGS_MAX = 6 };

uint64_t http_backoff_ms(unsigned failures, uint64_t retry_after_ms, uint32_t random)
{
    unsigned doublings = failures > 0 ? failures - 1 : 0;
    uint64_t base = HTTP_BACKOFF_MAX_MS;
    if (doublings < DOUBLINGS_MAX) {
        base = (uint64_t)HTTP_BACKOFF_FIRST_MS << doublings;
    }
    uint64_t spread = base / 2;
    uint64_t wait = base - base / 4 + spread * random / UINT32_MAX;
    return wait > retry_after_ms ? wait : retry_after_ms;
}
