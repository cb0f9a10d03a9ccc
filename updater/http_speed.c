// SPDX-License-Identifier: Apache-2.0
#include "updater/http_speed.h"

#include "base/checked.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct http_speed http_speed_begin(uint64_t bytes_per_s, uint64_t window_ms, uint64_t rate_limit)
{
    struct http_speed s = {0};
    uint64_t scaled;
    if (bytes_per_s == 0 || window_ms == 0) {
        return s;
    }
    s.bytes_per_s = bytes_per_s;
    s.window_ms = window_ms;
    if (rate_limit != 0) {
        s.bytes_per_s = smaller(bytes_per_s, rate_limit / 2);
        if (window_ms < HTTP_SPEED_LIMITED_WINDOW_MS) {
            s.window_ms = HTTP_SPEED_LIMITED_WINDOW_MS;
        }
    }
    // A product that does not fit is a rate nothing reaches; and silence is always too slow.
    s.min_bytes = u64_mul(s.bytes_per_s, s.window_ms, &scaled) ? scaled / 1000 : UINT64_MAX;
    if (s.min_bytes == 0) {
        s.min_bytes = 1;
    }
    return s;
}

bool http_speed_add(struct http_speed *s, uint64_t waited_ms, uint64_t bytes)
{
    if (s->window_ms == 0) {
        return true;
    }
    s->waited_ms += waited_ms;
    s->bytes += bytes;
    if (s->waited_ms < s->window_ms) {
        return true;
    }
    bool enough = s->bytes >= s->min_bytes;
    s->waited_ms = 0;
    s->bytes = 0;
    return enough;
}

uint64_t http_speed_left_ms(const struct http_speed *s, uint64_t max_ms)
{
    if (s->window_ms == 0 || s->window_ms - s->waited_ms > max_ms) {
        return max_ms;
    }
    return s->window_ms - s->waited_ms;
}
