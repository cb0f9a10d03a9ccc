// SPDX-License-Identifier: Apache-2.0
// The rate limit of all connections that share it: how long whoever received bytes has to rest.
// Each byte takes the time that it takes at the limit, one after the other, whichever connection it
// came on.
//
// Invariants
// 1. Over any span of time no more was allowed than the limit's bytes for it, those of
//    HTTP_RATE_BURST_MS, and what each connection receives in one piece.
// 2. It may be used by several threads at the same time.
#ifndef UPDATER_HTTP_RATE_H
#define UPDATER_HTTP_RATE_H

#include <stdint.h>

// Time in which less was read than allowed is made up for so far and no further.
enum { HTTP_RATE_BURST_MS = 250 };

struct http_rate {
    uint64_t bytes_per_s;      // 0: no limit
    _Atomic uint64_t spent_us; // since boot: the bytes that came so far take until then
};

struct http_rate http_rate_begin(uint64_t bytes_per_s);

// `bytes` came in.
void http_rate_count(struct http_rate *r, uint64_t bytes, uint64_t now_ms);

// How long not to read; 0: go on.
uint64_t http_rate_rest_ms(const struct http_rate *r, uint64_t now_ms);

#endif
