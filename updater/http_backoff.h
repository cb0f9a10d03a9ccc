// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next try: a pure rule, so that every figure of it can be tested.
#ifndef UPDATER_HTTP_BACKOFF_H
#define UPDATER_HTTP_BACKOFF_H

#include <stdint.h>

enum {
    HTTP_BACKOFF_FIRST_MS = 1000,
    HTTP_BACKOFF_MAX_MS = 60 * 1000,
};

// The wait before try `failures` + 1, after `failures` >= 1 failed ones in a row: 1 s, 2 s, 4 s ...
// 60 s, each spread over +-25 % by `random` (all of its range is used), so that a fleet that lost
// its server does not come back in one second. `retry_after_ms` is what the server asked for, 0 for
// nothing: that is waited in full, and up to as much again on top, HTTP_BACKOFF_MAX_MS at most, so
// that who was told the same moment does not come at that moment. How much a server may ask for is
// for http_retry.h to say.
uint64_t http_backoff_ms(unsigned failures, uint64_t retry_after_ms, uint32_t random);

#endif
