// SPDX-License-Identifier: Apache-2.0
#include "updater/source_http_parts.h"

#include <string.h>

enum err source_http_clone(struct source *source, const atomic_bool *interrupted,
                           struct source **ret, struct error *e)
{
    struct source_http *s = http_of(source);
    if (s->whole) {
        return fail(e, ERR_NOT_NOW, 0, "%s: is read over one connection", source->name);
    }
    struct http_options options = s->options;
    options.retries = 0;
    options.max_waste_bytes = 0;
    options.interrupted = interrupted;
    CLEANUP(cleanup_source) struct source *clone = NULL;
    enum err r = source_http_open(s->url, &options, s->clock, s->retry.log, &clone, e);
    if (r == OK) {
        r = http_exchange_share_tag(s->exchange, http_of(clone)->exchange, e);
    }
    if (r != OK) {
        return r;
    }
    clone->size_bytes = source->size_bytes;
    clone->budget = source->budget;
    http_of(clone)->expected_size = s->expected_size;
    *ret = TAKE_PTR(clone);
    return OK;
}

enum err source_http_beside(struct source *source, const char *suffix, struct source **ret,
                            struct error *e)
{
    const struct source_http *s = http_of(source);
    CLEANUP(cleanup_free) char *url = NULL;
    struct http_options options = s->options;
    // It can be done without: a loss is made good once, and nobody is waited for.
    options.retries = options.retries > 0 ? 1 : 0;
    options.max_waste_bytes = 0;
    enum err r = http_url_beside(s->url, suffix, &url, e);
    if (r == OK) {
        r = source_http_open(url, &options, s->clock, s->retry.log, ret, e);
    }
    if (url != NULL) {
        explicit_bzero(url, strlen(url));
    }
    if (r == OK) {
        (*ret)->budget = source->budget;
        http_of(*ret)->retry.asked_ms = HTTP_RETRY_AFTER_SUM_MS;
    }
    return r;
}
