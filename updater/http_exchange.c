// SPDX-License-Identifier: Apache-2.0
#include "updater/http_exchange.h"

#include <string.h>

const struct http_response *http_exchange_response(const struct http_exchange *x)
{
    return http_transfer_response(x->transfer);
}

const struct http_url *http_exchange_url(const struct http_exchange *x)
{
    return x->redirected != NULL ? x->redirected : x->original;
}

uint64_t http_exchange_body_bytes(const struct http_exchange *x)
{
    return x->earlier_body_bytes + http_transfer_body_bytes(x->transfer);
}

static bool is_trusted(const struct http_exchange *x, const struct http_url *url)
{
    return http_url_same_origin(x->original, url);
}

// Makes `next` (NULL: the first URL) the one that is asked. Takes it over when that succeeds.
static MUST_CHECK enum err turn_to(struct http_exchange *x, struct http_url *next, struct error *e)
{
    const struct http_url *to = next != NULL ? next : x->original;
    if (!http_url_same_origin(http_exchange_url(x), to)) {
        struct http_transfer *fresh = NULL;
        enum err r = http_transfer_open(x->options, is_trusted(x, to), x->clock, &fresh, e);
        if (r != OK) {
            return r;
        }
        x->earlier_body_bytes += http_transfer_body_bytes(x->transfer);
        http_transfer_free(x->transfer);
        x->transfer = fresh;
    }
    http_url_free(x->redirected);
    x->redirected = next;
    return OK;
}

enum err http_exchange_open(const char *url, const struct http_options *options,
                            const struct clock *clock, struct http_exchange **ret, struct error *e)
{
    CLEANUP(cleanup_http_exchange) struct http_exchange *x = calloc(1, sizeof *x);
    if (x == NULL) {
        return fail_memory(e);
    }
    x->options = options;
    x->clock = clock;
    enum err r = http_url_parse(url, &x->original, e);
    if (r == OK) {
        r = http_transfer_open(options, true, clock, &x->transfer, e);
    }
    if (r != OK) {
        return r;
    }
    *ret = TAKE_PTR(x);
    return OK;
}

static const char *tag_for(const struct http_exchange *x, const struct http_url *url)
{
    bool ours = x->tagged_name != NULL && strcmp(x->tagged_name, url->name) == 0;
    return ours ? x->tag : NULL;
}

static const char *condition_for(const struct http_exchange *x, const struct http_url *url)
{
    bool ours = x->unless_name != NULL && strcmp(x->unless_name, url->name) == 0;
    return ours ? x->unless : NULL;
}

static MUST_CHECK enum err ask(struct http_exchange *x, uint64_t first, uint64_t last,
                               struct error *e)
{
    const struct http_url *url = http_exchange_url(x);
    struct http_request request = {
        .url = url,
        .login = is_trusted(x, url) ? x->original : NULL,
        .first = first,
        .last = last,
        .if_range = tag_for(x, url),
        .if_none_match = condition_for(x, url),
    };
    x->conditional = request.if_none_match != NULL;
    x->requests++;
    enum err r = http_transfer_begin(x->transfer, &request, e);
    if (r != OK) {
        x->may_retry = http_transfer_may_retry(x->transfer);
        return error_context(e, "no answer from %s", url->host);
    }
    const char *refused = http_exchange_response(x)->refused;
    if (refused != NULL) {
        return fail(e, ERR_NETWORK, 0, "the answer of %s is refused: %s", url->host, refused);
    }
    return OK;
}

// RFC 9110, 15.4: those that say where the same thing is to be had by GET.
static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_gone(unsigned status)
{
    return status == 403 || status == 404 || status == 410;
}

static MUST_CHECK enum err follow(struct http_exchange *x, struct error *e)
{
    const struct http_response *answer = http_exchange_response(x);
    const struct http_url *from = http_exchange_url(x);
    if (answer->location[0] == '\0') {
        char status[HTTP_STATUS_TEXT_MAX];
        return fail(e, ERR_NETWORK, 0, "%s answers %s without a Location", from->host,
                    http_status_text(answer->status, status, sizeof status));
    }
    CLEANUP(cleanup_http_url) struct http_url *next = NULL;
    enum err r = http_url_redirect(from, answer->location, &next, e);
    if (r == OK) {
        r = turn_to(x, next, e);
    }
    if (r == OK) {
        next = NULL;
    }
    return r;
}

enum err http_exchange_get(struct http_exchange *x, uint64_t first, uint64_t last, struct error *e)
{
    unsigned redirects = 0;
    x->may_retry = false;
    for (;;) {
        enum err r = ask(x, first, last, e);
        if (r != OK) {
            return r;
        }
        unsigned status = http_exchange_response(x)->status;
        if (is_redirect(status)) {
            if (++redirects > HTTP_REDIRECTS_MAX) {
                return fail(e, ERR_NETWORK, 0, "%s redirects once more after %d redirects",
                            http_exchange_url(x)->host, HTTP_REDIRECTS_MAX);
            }
            r = follow(x, e);
        } else if (is_gone(status) && x->redirected != NULL && redirects == 0) {
            // Where an earlier redirect led; where one led just now, gone is gone.
            r = turn_to(x, NULL, e);
        } else {
            return OK;
        }
        if (r != OK) {
            return r;
        }
    }
}

bool http_exchange_tag_changed(const struct http_exchange *x)
{
    const char *kept = tag_for(x, http_exchange_url(x));
    const char *tag = http_exchange_response(x)->etag;
    return kept != NULL && tag[0] != '\0' && strcmp(kept, tag) != 0;
}

static MUST_CHECK enum err keep(struct http_exchange *x, const char *tag, const char *tagged_name,
                                struct error *e)
{
    char *name = strdup(tagged_name);
    if (name == NULL) {
        return fail_memory(e);
    }
    free(x->tagged_name);
    x->tagged_name = name;
    memcpy(x->tag, tag, strlen(tag) + 1);
    return OK;
}

static void drop_condition(struct http_exchange *x)
{
    free(x->unless_name);
    x->unless_name = NULL;
}

enum err http_exchange_unless(struct http_exchange *x, const char *version, struct error *e)
{
    char tag[HTTP_ETAG_MAX + 1];
    size_t len = strcspn(version, " "); // none is in a tag
    drop_condition(x);
    if (len >= sizeof tag || version[len] == '\0') {
        return OK;
    }
    memcpy(tag, version, len);
    tag[len] = '\0';
    if (!http_etag_is_strong(tag)) {
        return OK;
    }
    x->unless_name = strdup(version + len + 1);
    memcpy(x->unless, tag, len + 1);
    return x->unless_name != NULL ? OK : fail_memory(e);
}

bool http_exchange_is_unchanged(const struct http_exchange *x)
{
    return x->conditional && http_exchange_response(x)->status == 304;
}

void http_exchange_version(const struct http_exchange *x, char *buf, size_t size)
{
    const char *tag = http_exchange_response(x)->etag;
    int len = snprintf(buf, size, "%s %s", tag, http_exchange_url(x)->name);
    if (tag[0] == '\0' || len < 0 || (size_t)len >= size) {
        buf[0] = '\0';
    }
}

enum err http_exchange_keep_tag(struct http_exchange *x, struct error *e)
{
    const char *tag = http_exchange_response(x)->etag;
    drop_condition(x);
    return tag[0] == '\0' ? OK : keep(x, tag, http_exchange_url(x)->name, e);
}

enum err http_exchange_share_tag(const struct http_exchange *from, struct http_exchange *to,
                                 struct error *e)
{
    return from->tagged_name == NULL ? OK : keep(to, from->tag, from->tagged_name, e);
}

enum err http_exchange_restart(struct http_exchange *x, struct error *e)
{
    return turn_to(x, NULL, e);
}

void http_exchange_free(struct http_exchange *x)
{
    if (x == NULL) {
        return;
    }
    http_transfer_free(x->transfer);
    http_url_free(x->original);
    http_url_free(x->redirected);
    free(x->tagged_name);
    free(x->unless_name);
    free(x);
}
