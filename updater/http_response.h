// SPDX-License-Identifier: Apache-2.0
// The head of one HTTP answer, read line by line as it comes in: only what a range GET needs.
//
// Invariants
// 1. Interim answers (1xx) leave nothing behind; what follows the head (trailers of a chunked body)
//    changes nothing.
// 2. A field that contradicts itself or cannot be understood is never guessed at: `refused` says
//    what is wrong. So is a head larger than HTTP_HEAD_MAX.
#ifndef UPDATER_HTTP_RESPONSE_H
#define UPDATER_HTTP_RESPONSE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX = 64 * 1024,
    HTTP_ETAG_MAX = 255,
    HTTP_LOCATION_MAX = 8191,
    HTTP_STATUS_TEXT_MAX = 40,
};

enum http_content_range {
    CONTENT_RANGE_NONE,
    CONTENT_RANGE_BYTES,       // "bytes FIRST-LAST/SIZE"
    CONTENT_RANGE_UNSATISFIED, // "bytes */SIZE"
};

struct http_response {
    unsigned status;     // 0 until the status line came
    bool complete;       // the blank line behind the head of a final answer came
    const char *refused; // what is wrong with the head, "its ..."; NULL: nothing
    size_t head_bytes;

    bool has_length; // Content-Length
    uint64_t length;
    bool chunked; // Transfer-Encoding: chunked
    enum http_content_range range;
    uint64_t range_first, range_last, range_size;
    bool encoded;                 // Content-Encoding other than identity
    bool multipart;               // multipart/byteranges
    char etag[HTTP_ETAG_MAX + 1]; // a strong one, with its quotes; "" for none
    char location[HTTP_LOCATION_MAX + 1];

    bool has_retry_after_s;
    uint64_t retry_after_s;
    bool has_retry_at; // Retry-After with a date
    uint64_t retry_at_s;
    bool has_date; // Date: the server's clock
    uint64_t date_s;
};

void http_response_begin(struct http_response *r);

// Takes one line of a head, with or without its line end. False when the head is too large to be
// read on.
MUST_CHECK bool http_response_line(struct http_response *r, const char *line, size_t len);

// How long the server asks to wait (RFC 9110, 10.2.3), 0 when it does not. A date is measured
// against the server's own Date field, because a device may not know the time; without one against
// `now_s`, 0 for unknown.
uint64_t http_response_retry_after_ms(const struct http_response *r, uint64_t now_s);

// The end of the body can be told from a lost connection.
bool http_response_is_delimited(const struct http_response *r);

// RFC 9110, 8.8.3: well formed, and not weak. What is not may not be sent back.
bool http_etag_is_strong(const char *text);

// "404 Not Found"; the phrase is ours, never the server's. In a caller-owned buffer.
const char *http_status_text(unsigned status, char *buf, size_t len);

#endif
