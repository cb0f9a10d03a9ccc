// SPDX-License-Identifier: Apache-2.0
// One range of one file asked for, redirects followed: who is asked, and what may be shown to whom.
//
// Invariants
// 1. At most HTTP_REDIRECTS_MAX redirects lead to an answer; http_url_redirect() says which are
//    followed.
// 2. User name, password and client certificate go to the origin (scheme, host, port) of the first
//    URL only. Another origin gets a fresh transfer, without a connection or a handle in common.
// 3. An entity tag is sent back only to the URL it came from, and only a strong one: in If-Range to
//    go on with a file, in If-None-Match to be told that it is no other than one known before.
// 4. Where a redirect led is asked again for the next range, until it answers 403, 404 or 410 (a
//    signed link that expired) or http_exchange_restart() is called: then the first URL is asked.
#ifndef UPDATER_HTTP_EXCHANGE_H
#define UPDATER_HTTP_EXCHANGE_H

#include "updater/http_transfer.h"

enum { HTTP_REDIRECTS_MAX = 5 };

// The fields are for reading.
struct http_exchange {
    const struct http_options *options;
    const struct clock *clock;
    struct http_url *original;
    struct http_url *redirected; // where redirects led, NULL: nowhere
    struct http_transfer *transfer;
    char *tagged_name; // the URL `tag` came from, as `name`; NULL: there is no tag
    char tag[HTTP_ETAG_MAX + 1];
    char *unless_name; // the URL `unless` came from, as `name`; NULL: there is no condition
    char unless[HTTP_ETAG_MAX + 1];
    bool conditional; // the last request was
    uint64_t requests;
    uint64_t earlier_body_bytes; // of transfers that are gone
    bool may_retry;
};

// Nothing is sent yet. Errors of http_url_parse() and http_transfer_open(). `options` and `clock`
// live as long as the exchange.
MUST_CHECK enum err http_exchange_open(const char *url, const struct http_options *options,
                                       const struct clock *clock, struct http_exchange **ret,
                                       struct error *e);

// Asks for bytes `first` to `last` (included) and waits for the head of an answer that is no
// redirect; its status is for the caller to judge. ERR_NETWORK names the host; `may_retry` says
// whether another try can help.
MUST_CHECK enum err http_exchange_get(struct http_exchange *x, uint64_t first, uint64_t last,
                                      struct error *e);

const struct http_response *http_exchange_response(const struct http_exchange *x);

// Who gave the answer, or is asked next.
const struct http_url *http_exchange_url(const struct http_exchange *x);

// The answer carries another entity tag than the one kept from the same URL.
bool http_exchange_tag_changed(const struct http_exchange *x);

// From now on, and until an answer's tag is kept, the file is wanted only if it is not `version`,
// which is what http_exchange_version() wrote of it once. What that did not write is no condition.
MUST_CHECK enum err http_exchange_unless(struct http_exchange *x, const char *version,
                                         struct error *e);
// 304, and that was asked.
bool http_exchange_is_unchanged(const struct http_exchange *x);
// The version of the file that was answered last: its entity tag, a space and the URL it came from,
// as `name`. "" when it has no strong tag, or when that does not fit.
void http_exchange_version(const struct http_exchange *x, char *buf, size_t size);

// Keeps the entity tag of the answer, if it has one, for the requests to come.
MUST_CHECK enum err http_exchange_keep_tag(struct http_exchange *x, struct error *e);

// What is kept of `from` is kept in `to`, which asks for the same file.
MUST_CHECK enum err http_exchange_share_tag(const struct http_exchange *from,
                                            struct http_exchange *to, struct error *e);

// The next request goes to the first URL.
MUST_CHECK enum err http_exchange_restart(struct http_exchange *x, struct error *e);

uint64_t http_exchange_body_bytes(const struct http_exchange *x);

void http_exchange_free(struct http_exchange *x);
DEFINE_CLEANUP(http_exchange, struct http_exchange *, http_exchange_free)

#endif
