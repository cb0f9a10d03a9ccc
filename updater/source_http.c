// SPDX-License-Identifier: Apache-2.0
#include "updater/source_http_parts.h"

#include "base/checked.h"
#include "base/parse.h"
#include "updater/byte_budget.h"
#include "updater/http_exchange.h"
#include "updater/http_rate.h"
#include "updater/http_retry.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum {
    GAP_MAX_BYTES = 64 * 1024, // read and dropped rather than asked for anew
    DROP_PIECE_BYTES = 16 * 1024,
};

static const char *host_of(const struct source_http *s)
{
    return http_exchange_url(s->exchange)->host;
}

// --- the size of the file -----------------------------------------------------------------------

// The server says, or shows, how long the file is.
static MUST_CHECK enum err learn_size(struct source_http *s, uint64_t size, struct error *e)
{
    if (s->base.size_bytes != SOURCE_SIZE_UNKNOWN && s->base.size_bytes != size) {
        return source_fail_changed(e);
    }
    s->base.size_bytes = size;
    if (s->expected_size != SOURCE_SIZE_UNKNOWN && s->expected_size != size) {
        return source_fail_size(size, s->expected_size, e);
    }
    if (s->pos >= size && s->pos < s->end) {
        return source_fail_past_end(size, s->pos, e);
    }
    if (s->end > size) {
        s->end = size;
    }
    return OK;
}

// --- judging an answer --------------------------------------------------------------------------

static void count_bytes(struct source_http *s)
{
    uint64_t bytes = http_exchange_body_bytes(s->exchange);
    byte_budget_count(s->base.budget, bytes - s->base.fetched_bytes);
    s->base.fetched_bytes = bytes;
}

static void drop_answer(struct source_http *s)
{
    if (s->answering) {
        http_transfer_end(s->exchange->transfer);
        s->answering = false;
    }
    count_bytes(s);
}

// Dropping what lies before the wanted byte is within what the operator allows.
static MUST_CHECK enum err check_waste(const struct source_http *s, struct error *e)
{
    uint64_t waste = s->pos - s->answer_pos;
    uint64_t left = s->options.max_waste_bytes - s->wasted_bytes;
    if (waste <= left) {
        return OK;
    }
    char much[16];
    char room[16];
    return fail(e, ERR_NETWORK, 0,
                "%s does not honour ranges: %s would have to be read and dropped, max_waste "
                "leaves %s",
                host_of(s), format_size(waste, much, sizeof much),
                format_size(left, room, sizeof room));
}

static MUST_CHECK enum err accept_range(struct source_http *s, const struct http_response *a,
                                        uint64_t first, uint64_t last, struct error *e)
{
    if (a->range != CONTENT_RANGE_BYTES) {
        return fail(e, ERR_NETWORK, 0, "%s answers 206 without a Content-Range", host_of(s));
    }
    // A range that reaches past the end of the file is cut there, and nowhere else.
    bool exact =
        a->range_last == last || (a->range_last < last && a->range_last == a->range_size - 1);
    if (a->range_first != first || !exact) {
        return fail(e, ERR_NETWORK, 0,
                    "%s answers with bytes %" PRIu64 "-%" PRIu64 " when %" PRIu64 "-%" PRIu64
                    " were asked for",
                    host_of(s), a->range_first, a->range_last, first, last);
    }
    s->whole = false;
    s->answer_pos = first;
    s->answer_end = a->range_last + 1;
    return learn_size(s, a->range_size, e);
}

static MUST_CHECK enum err accept_whole(struct source_http *s, const struct http_response *a,
                                        struct error *e)
{
    s->whole = true;
    s->answer_pos = 0;
    s->answer_end = SOURCE_SIZE_UNKNOWN;
    // With chunked, Content-Length means nothing (RFC 9112, 6.3).
    if (a->has_length && !a->chunked) {
        s->answer_end = a->length;
        enum err r = learn_size(s, a->length, e);
        if (r != OK) {
            return r;
        }
    }
    return check_waste(s, e);
}

// 416: there is nothing at the byte asked for, and it was asked for as long as it may exist.
static enum err refuse_past_end(const struct source_http *s, const struct http_response *a,
                                struct error *e)
{
    if (s->base.size_bytes != SOURCE_SIZE_UNKNOWN) {
        return source_fail_changed(e);
    }
    if (a->range == CONTENT_RANGE_UNSATISFIED) {
        return source_fail_past_end(a->range_size, s->pos, e);
    }
    return fail(e, ERR_FORMAT, 0, "the file ends before byte %" PRIu64, s->pos);
}

static enum err refuse_status(struct source_http *s, const struct http_response *a, struct error *e)
{
    char status[HTTP_STATUS_TEXT_MAX];
    bool synchronised = false;
    uint64_t now_s = s->clock->ops->wall_s(s->clock, &synchronised);
    s->may_retry = a->status == 408 || a->status == 429 || a->status >= 500;
    if (a->status == 429 || a->status == 503) {
        s->base.retry_after_ms = http_response_retry_after_ms(a, synchronised ? now_s : 0);
    }
    (void)fail(e, ERR_NETWORK, 0, "the server %s answers %s", host_of(s),
               http_status_text(a->status, status, sizeof status));
    // A store that does not let us list it answers 403 for what is not there, or 401.
    bool none = a->status == 401 || a->status == 403 || a->status == 404 || a->status == 410;
    e->sys = none ? ENOENT : 0;
    return e->code;
}

static MUST_CHECK enum err judge(struct source_http *s, uint64_t first, uint64_t last,
                                 struct error *e)
{
    const struct http_response *a = http_exchange_response(s->exchange);
    if (a->status == 416) {
        return refuse_past_end(s, a, e);
    }
    if (http_exchange_is_unchanged(s->exchange)) {
        return source_fail_unchanged(e);
    }
    if (a->status != 200 && a->status != 206) {
        return refuse_status(s, a, e);
    }
    if (a->encoded) {
        return fail(e, ERR_NETWORK, 0, "%s sends the file compressed, which was not asked for",
                    host_of(s));
    }
    if (a->multipart) {
        return fail(e, ERR_NETWORK, 0, "%s answers one range with multipart/byteranges",
                    host_of(s));
    }
    if (http_exchange_tag_changed(s->exchange)) {
        return source_fail_changed(e);
    }
    enum err r = http_exchange_keep_tag(s->exchange, e);
    if (r != OK) {
        return r;
    }
    return a->status == 206 ? accept_range(s, a, first, last, e) : accept_whole(s, a, e);
}

// Asks for what is wanted next, as far as the budget reaches.
static MUST_CHECK enum err ask(struct source_http *s, struct error *e)
{
    uint64_t first = s->pos;
    uint64_t last = s->end - 1;
    uint64_t left = byte_budget_left(s->base.budget);
    s->may_retry = false;
    s->base.retry_after_ms = 0;
    enum err r = byte_budget_check(s->base.budget, 1, e);
    if (r != OK) {
        return r;
    }
    last = last - first < left ? last : first + left - 1;
    r = http_exchange_get(s->exchange, first, last, e);
    s->base.requests = s->exchange->requests;
    s->base.http_status = http_exchange_response(s->exchange)->status;
    if (r != OK) {
        s->may_retry = s->exchange->may_retry;
        return r;
    }
    s->answering = true;
    return judge(s, first, last, e);
}

// --- reading an answer --------------------------------------------------------------------------

static enum err fail_lost(struct source_http *s, const char *why, struct error *e)
{
    char where[16];
    s->may_retry = true;
    return fail(e, ERR_NETWORK, 0, "connection to %s lost at %s (%s)", host_of(s),
                format_size(s->answer_pos, where, sizeof where), why);
}

// The body ended where another byte was wanted.
static MUST_CHECK enum err answer_ended(struct source_http *s, struct error *e)
{
    const struct http_response *a = http_exchange_response(s->exchange);
    bool known = s->answer_end != SOURCE_SIZE_UNKNOWN;
    if (known || !http_response_is_delimited(a)) {
        return fail_lost(s, "the answer ended too early", e);
    }
    return learn_size(s, s->answer_pos, e);
}

// Takes up to `len` bytes of the answer, none of them behind its end.
static MUST_CHECK enum err take(struct source_http *s, void *buf, size_t len, size_t *ret_len,
                                struct error *e)
{
    uint64_t left = s->answer_end - s->answer_pos;
    size_t want = left < len ? (size_t)left : len;
    uint64_t payable = byte_budget_left(s->base.budget);
    if (payable < want) {
        payable += http_transfer_held(s->exchange->transfer); // came in, and was counted
        want = payable < want ? (size_t)payable : want;
    }
    enum err r = want == 0 ? byte_budget_check(s->base.budget, 1, e) : OK;
    if (r != OK) {
        return r;
    }
    r = http_transfer_read(s->exchange->transfer, buf, want, ret_len, e);
    count_bytes(s);
    if (r == ERR_NETWORK) {
        struct error why = *e;
        return fail_lost(s, why.msg, e);
    }
    if (r != OK || *ret_len == 0) {
        return r != OK ? r : answer_ended(s, e);
    }
    s->answer_pos += *ret_len;
    if (s->answer_pos == s->answer_end) {
        drop_answer(s);
    }
    return OK;
}

// Reads and drops a piece of what lies before the wanted byte.
static MUST_CHECK enum err skip(struct source_http *s, struct error *e)
{
    uint8_t piece[DROP_PIECE_BYTES];
    uint64_t gap = s->pos - s->answer_pos;
    size_t got = 0;
    enum err r = take(s, piece, gap < sizeof piece ? (size_t)gap : sizeof piece, &got, e);
    if (s->whole) {
        s->wasted_bytes += got;
    }
    return r;
}

// One step towards the next `len` wanted bytes; it may end without any of them.
static MUST_CHECK enum err step(struct source_http *s, uint8_t *buf, size_t len, size_t *ret_len,
                                struct error *e)
{
    *ret_len = 0;
    if (!s->answering) {
        return ask(s, e);
    }
    if (s->answer_pos < s->pos) {
        return skip(s, e);
    }
    enum err r = take(s, buf, len, ret_len, e);
    if (r == OK) {
        s->pos += *ret_len;
        http_retry_progress(&s->retry, *ret_len);
    }
    return r;
}

// After a failed step: OK when it is to be tried again.
static MUST_CHECK enum err try_again(struct source_http *s, struct error *e)
{
    drop_answer(s);
    if (!s->may_retry) {
        return e->code;
    }
    enum err r = http_retry_wait(&s->retry, s->base.retry_after_ms, e);
    return r != OK ? r : http_exchange_restart(s->exchange, e);
}

// --- the seam -----------------------------------------------------------------------------------

// The answer under way leads to the byte wanted now, or ends so soon before it that reading the
// rest costs less than a new connection.
static bool can_go_on(const struct source_http *s)
{
    return s->answering && s->pos >= s->answer_pos &&
           (s->whole || s->pos - s->answer_pos <= GAP_MAX_BYTES);
}

static MUST_CHECK enum err start(struct source_http *s, struct error *e)
{
    if (can_go_on(s)) {
        return s->whole ? check_waste(s, e) : OK;
    }
    drop_answer(s);
    while (!s->answering) {
        enum err r = ask(s, e);
        if (r != OK) {
            r = try_again(s, e);
        }
        if (r != OK) {
            return r;
        }
    }
    return OK;
}

static MUST_CHECK enum err http_start(struct source *source, uint64_t off_bytes, uint64_t len_bytes,
                                      struct error *e)
{
    struct source_http *s = http_of(source);
    uint64_t end;
    if (!u64_add(off_bytes, len_bytes, &end)) {
        return fail(e, ERR_INTERNAL, 0, "%s: a range of more than 2^64 bytes", source->name);
    }
    s->pos = off_bytes;
    s->end = end < source->size_bytes ? end : source->size_bytes;
    enum err r = OK;
    if (off_bytes > source->size_bytes || (len_bytes > 0 && off_bytes == source->size_bytes)) {
        s->end = s->pos;
        r = source_fail_past_end(source->size_bytes, off_bytes, e);
    } else if (len_bytes > 0) {
        r = start(s, e);
    }
    return r == OK ? OK : error_context(e, "%s", source->name);
}

// An answer without a length must end where the header says the file does.
static MUST_CHECK enum err check_end(struct source_http *s, struct error *e)
{
    bool open = s->answering && s->answer_end == SOURCE_SIZE_UNKNOWN;
    if (!open || s->answer_pos < s->expected_size) {
        return OK;
    }
    uint8_t more;
    size_t got = s->answer_pos > s->expected_size ? 1 : 0;
    struct error ignored;
    // A connection that is lost here took nothing with it.
    if (got == 0 && http_transfer_read(s->exchange->transfer, &more, 1, &got, &ignored) != OK) {
        got = 0;
    }
    drop_answer(s);
    if (got > 0) {
        return fail(e, ERR_FORMAT, 0,
                    "the file goes on behind the %" PRIu64 " bytes its header says",
                    s->expected_size);
    }
    s->base.size_bytes = s->expected_size;
    return OK;
}

static MUST_CHECK enum err read_all(struct source_http *s, uint8_t *buf, size_t len,
                                    struct error *e)
{
    while (len > 0) {
        // A size that was learned on the way may have cut the range.
        if (s->pos >= s->end) {
            return source_fail_past_end(s->base.size_bytes, s->pos, e);
        }
        size_t got;
        enum err r = step(s, buf, len, &got, e);
        if (r != OK) {
            r = try_again(s, e);
        }
        if (r != OK) {
            return r;
        }
        buf += got;
        len -= got;
    }
    return check_end(s, e);
}

static MUST_CHECK enum err http_read(struct source *source, void *buf, size_t len, struct error *e)
{
    struct source_http *s = http_of(source);
    if (len > s->end - s->pos && s->end != source->size_bytes) {
        return fail(e, ERR_INTERNAL, 0, "%s: read behind the range that was started", source->name);
    }
    enum err r = read_all(s, buf, len, e);
    return r == OK ? OK : error_context(e, "%s", source->name);
}

static MUST_CHECK enum err http_expect_size(struct source *source, uint64_t file_size,
                                            struct error *e)
{
    struct source_http *s = http_of(source);
    s->expected_size = file_size;
    enum err r = source->size_bytes != SOURCE_SIZE_UNKNOWN && source->size_bytes != file_size
                     ? source_fail_size(source->size_bytes, file_size, e)
                     : check_end(s, e);
    return r == OK ? OK : error_context(e, "%s", source->name);
}

static void http_cancel(struct source *source)
{
    struct source_http *s = http_of(source);
    drop_answer(s);
    s->pos = 0;
    s->end = 0;
}

static void http_close(struct source *source)
{
    struct source_http *s = http_of(source);
    http_exchange_free(s->exchange);
    if (s->url != NULL) {
        explicit_bzero(s->url, strlen(s->url));
    }
    free(s->url);
    free(s);
    curl_global_cleanup();
}

static void http_watch(struct source *source, const atomic_bool *interrupted)
{
    struct source_http *s = http_of(source);
    s->options.interrupted = s->retry.interrupted = interrupted;
}

static const struct source_ops http_ops = {
    .start = http_start,
    .read = http_read,
    .expect_size = http_expect_size,
    .cancel = http_cancel,
    .close = http_close,
    .clone = source_http_clone,
    .watch = http_watch,
    .unless = source_http_unless,
    .version = source_http_version,
    .beside = source_http_beside,
};

bool source_http_is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

enum err source_http_open(const char *url, const struct http_options *options,
                          const struct clock *clock, struct log *log, struct source **ret,
                          struct error *e)
{
    // Counted inside libcurl; http_close() gives it back.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fail(e, ERR_INTERNAL, 0, "libcurl could not be set up");
    }
    struct source_http *s = calloc(1, sizeof *s);
    if (s == NULL) {
        curl_global_cleanup();
        return fail_memory(e);
    }
    CLEANUP(cleanup_source) struct source *source = &s->base;
    s->base.ops = &http_ops;
    s->base.size_bytes = s->expected_size = SOURCE_SIZE_UNKNOWN;
    s->options = *options;
    s->rate = http_rate_begin(options->rate_limit);
    s->options.rate = options->rate != NULL ? options->rate : &s->rate;
    s->clock = clock;
    s->retry = (struct http_retry){.clock = clock, .log = log, .retries = options->retries};
    s->retry.interrupted = options->interrupted;
    s->url = strdup(url);
    if (s->url == NULL) {
        return fail_memory(e);
    }
    struct http_exchange *exchange = NULL;
    enum err r = http_exchange_open(url, &s->options, clock, &exchange, e);
    if (r != OK) {
        return r;
    }
    s->exchange = exchange;
    s->base.name = exchange->original->name;
    *ret = TAKE_PTR(source);
    return OK;
}
