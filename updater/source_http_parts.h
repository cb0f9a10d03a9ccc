// SPDX-License-Identifier: Apache-2.0
// What a source over HTTP consists of, for source_http.c, which reads it, source_http_clone.c,
// which makes others from it, and source_http_version.c, which tells one file from the next.
#ifndef UPDATER_SOURCE_HTTP_PARTS_H
#define UPDATER_SOURCE_HTTP_PARTS_H

#include "updater/http_exchange.h"
#include "updater/http_rate.h"
#include "updater/http_retry.h"
#include "updater/source_http.h"

// The answer under way and the range wanted are two things: the answer may begin before the range,
// end before it, or go on behind it.
struct source_http {
    struct source base;
    struct http_options options;
    struct http_rate rate;
    char *url; // with its credentials, for clones
    const struct clock *clock;
    struct http_exchange *exchange;

    uint64_t pos; // of the next byte to hand out
    uint64_t end; // of the range wanted
    uint64_t expected_size;

    bool answering;
    bool whole; // a 200: the file from its beginning
    uint64_t answer_pos;
    uint64_t answer_end; // SOURCE_SIZE_UNKNOWN: it ends when it ends

    uint64_t wasted_bytes;
    struct http_retry retry;
    bool may_retry; // the failure of the last step is worth another try
};

static inline struct source_http *http_of(struct source *s)
{
    return (struct source_http *)s;
}

// As source_unless() and source_version().
MUST_CHECK enum err source_http_unless(struct source *source, const char *version, struct error *e);
void source_http_version(const struct source *source, char *buf, size_t size);

// As source_clone() and source_beside().
MUST_CHECK enum err source_http_clone(struct source *source, const atomic_bool *interrupted,
                                      struct source **ret, struct error *e);
MUST_CHECK enum err source_http_beside(struct source *source, const char *suffix,
                                       struct source **ret, struct error *e);

#endif
