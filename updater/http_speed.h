// SPDX-License-Identifier: Apache-2.0
// Is a transfer too slow to go on with? Measured over windows of time spent waiting for the
// network; time in which nobody asked for bytes does not count, because then the slowness is ours.
#ifndef UPDATER_HTTP_SPEED_H
#define UPDATER_HTTP_SPEED_H

#include "base/error.h"

#include <stdint.h>

struct http_speed {
    uint64_t bytes_per_s; // slower than this is too slow
    uint64_t window_ms;   // 0: never too slow
    uint64_t min_bytes;   // that must come within one window
    uint64_t waited_ms;   // of the window that is open
    uint64_t bytes;       // that came in it
};

enum { HTTP_SPEED_LIMITED_WINDOW_MS = 5000 };

// A rate of 0 or a window of 0 switches the rule off. Our own `rate_limit` (0: none) is no sign of
// a slow server: under one, half of it is the most that can be asked of a server, and a window is
// HTTP_SPEED_LIMITED_WINDOW_MS at least, because the bytes come in bursts with rests between them.
struct http_speed http_speed_begin(uint64_t bytes_per_s, uint64_t window_ms, uint64_t rate_limit);

// Adds `waited_ms` of waiting, in which `bytes` came. False when that closes a window with too few
// bytes in it.
MUST_CHECK bool http_speed_add(struct http_speed *s, uint64_t waited_ms, uint64_t bytes);

// How long to wait at most before the next http_speed_add(), no longer than `max_ms`.
uint64_t http_speed_left_ms(const struct http_speed *s, uint64_t max_ms);

#endif
