// SPDX-License-Identifier: Apache-2.0
// A source that is an http or https URL, read by single-range GETs on one kept-alive connection.
//
// Protocol rules (RFC 9110; docs/http.md lists each with its test)
// 1. A 206 counts only with a Content-Range of exactly the bytes asked for (its end may be the end
//    of the file) and the file size known so far. Strong ETags are sent back in If-Range; when the
//    file changed, ERR_FORMAT says so and the next try begins again.
// 2. A 200 to a range request is read in order from that one answer; up to max_waste_bytes are read
//    and dropped to reach the offset, beyond that ERR_NETWORK names the server and the figure.
// 3. Redirects are followed here, not by libcurl: at most 5, http and https only, never from https
//    to http; on another scheme, host or port with a fresh handle without credentials, client
//    certificate and key.
// 4. 404, 410 and other 4xx stop at once; 408, 429, 5xx, timeouts, resets and short bodies are
//    tried again with exponential back-off and jitter; Retry-After is honoured (30 min in all).
// 5. A clone asks for the file as it was found to be: by If-Range, and for the same size. It takes
//    no 200, tries nothing again, and is not to be had while the server sends whole files. Rate
//    limit and byte budget are those of the source it was made from, which outlives it.
// 6. Slower than low_speed_bytes a second over low_speed_ms: the attempt is given up, and tried
//    again like a reset.
#ifndef UPDATER_SOURCE_HTTP_H
#define UPDATER_SOURCE_HTTP_H

#include "base/clock.h"
#include "base/log.h"
#include "updater/source.h"

#include <stdatomic.h>

struct http_rate;

struct http_options {
    const char *ca;          // PEM file or directory; NULL: the system's
    const char *client_cert; // PEM; NULL: none
    const char *client_key;
    uint64_t rate_limit;      // bytes a second; 0: none
    struct http_rate *rate;   // the limiter of all sources that share it; NULL: one of its own
    uint64_t max_waste_bytes; // dropped from a server without ranges
    uint64_t low_speed_bytes; // a second
    uint64_t low_speed_ms;
    unsigned retries;               // attempts without progress of at least 64 KiB before giving up
    const atomic_bool *interrupted; // true: give up all waiting, for good; NULL: nobody interrupts
};

// True for "http://" and "https://".
bool source_http_is_url(const char *text);

// Strings of `options` live as long as the source. Nothing is sent before the first start().
MUST_CHECK enum err source_http_open(const char *url, const struct http_options *options,
                                     const struct clock *clock, struct log *log,
                                     struct source **ret, struct error *e);

#endif
