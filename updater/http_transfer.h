// SPDX-License-Identifier: Apache-2.0
// One HTTP request at a time over a kept-alive connection, its answer handed out as it is asked
// for. This is the wire: what an answer means is for updater/source_http.c to say.
//
// Invariants
// 1. No more is held of a body than libcurl's receive buffer and one piece of it, whatever the
//    server sends and however slowly the body is read: while nobody reads, the connection is
//    paused.
// 2. A server is always verified (certificate and name), by TLS 1.2 or later.
// 3. No connection is shared between two transfers, and a client certificate is shown only by one
//    that was opened for it.
#ifndef UPDATER_HTTP_TRANSFER_H
#define UPDATER_HTTP_TRANSFER_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "updater/http_response.h"
#include "updater/http_url.h"
#include "updater/source_http.h"

enum { HTTP_CONNECT_TIMEOUT_MS = 30 * 1000 };

struct http_transfer;

struct http_request {
    const struct http_url *url;
    const struct http_url *login; // whose user and password are sent; NULL: nobody's
    uint64_t first, last;         // the range, both included
    const char *if_range;         // an entity tag, NULL for none
    const char *if_none_match;    // the same
};

// Nothing is sent yet. `show_certificate`: the client certificate of `options`, where a server asks
// for one. `options` and `clock` live as long as the transfer. A path in `options` that cannot be
// read is ERR_CONFIG.
MUST_CHECK enum err http_transfer_open(const struct http_options *options, bool show_certificate,
                                       const struct clock *clock, struct http_transfer **ret,
                                       struct error *e);

// Sends a GET and waits for the head of the answer. An answer that was still under way is dropped.
// ERR_NETWORK says in a few words what happened to the connection.
MUST_CHECK enum err http_transfer_begin(struct http_transfer *t, const struct http_request *request,
                                        struct error *e);

// The head of the answer, once http_transfer_begin() returned OK.
const struct http_response *http_transfer_response(const struct http_transfer *t);

// Waits for body bytes until `len` of them are in `buf`, the body ends or the connection is lost;
// `*ret_len` is 0 only at the end of the body. Bytes that came before a loss are handed out first.
MUST_CHECK enum err http_transfer_read(struct http_transfer *t, void *buf, size_t len,
                                       size_t *ret_len, struct error *e);

// Whether the last ERR_NETWORK is worth another try; a certificate that is refused is not.
bool http_transfer_may_retry(const struct http_transfer *t);

// No more of this answer is wanted: keeps the connection when the answer has come to its end, and
// drops it when it has not.
void http_transfer_end(struct http_transfer *t);

// Body bytes that came in since the transfer was opened.
uint64_t http_transfer_body_bytes(const struct http_transfer *t);

// Of these, what the reader has not taken yet.
size_t http_transfer_held(const struct http_transfer *t);

void http_transfer_free(struct http_transfer *t);
DEFINE_CLEANUP(http_transfer, struct http_transfer *, http_transfer_free)

#endif
