// SPDX-License-Identifier: Apache-2.0
// Whether, and when, to try again after a failure: counts, says so in one line, and waits.
//
// Invariants
// 1. Only an ERR_NETWORK is tried again, and never more than `retries` times without
//    HTTP_PROGRESS_MIN bytes of progress between two failures.
// 2. What a server asks to be waited for is HTTP_RETRY_AFTER_SUM_MS in all, whatever progress there
//    was in between: an install holds the update lock, and keeps its slot from booting, for as long
//    as it waits. The spread on top (http_backoff.h) is not counted: it is a minute at most a wait,
//    and never more than what was asked for.
#ifndef UPDATER_HTTP_RETRY_H
#define UPDATER_HTTP_RETRY_H

#include "base/clock.h"
#include "base/log.h"

#include <stdatomic.h>
#include <stdint.h>

// Less than this in an attempt, and the next failure counts on top of the earlier ones.
enum { HTTP_PROGRESS_MIN = 64 * 1024 };
// Of all the waits that one server asks for by Retry-After.
enum { HTTP_RETRY_AFTER_SUM_MS = 30 * 60 * 1000 };

struct http_retry {
    const struct clock *clock;
    struct log *log;
    unsigned retries;
    const atomic_bool *interrupted; // true: no more tries; NULL: nobody interrupts
    unsigned failures;              // in a row
    uint64_t progress_bytes;
    uint64_t asked_ms; // waited for because the server asked for it; never reset
};

// Wanted bytes came in.
void http_retry_progress(struct http_retry *r, uint64_t bytes);

// After the failure in `e`: OK when the wait is over and it is to be tried again, else the error
// for good. `retry_after_ms` is what the server asked for, 0 for nothing. More than what is left of
// HTTP_RETRY_AFTER_SUM_MS: ERR_NETWORK at once, which says what was asked for.
MUST_CHECK enum err http_retry_wait(struct http_retry *r, uint64_t retry_after_ms, struct error *e);

#endif
