// SPDX-License-Identifier: Apache-2.0
#include "updater/http_retry.h"

#include "base/parse.h"
#include "updater/http_backoff.h"

#include <sys/random.h>

void http_retry_progress(struct http_retry *r, uint64_t bytes)
{
    r->progress_bytes += bytes;
    if (r->progress_bytes >= HTTP_PROGRESS_MIN) {
        r->failures = 0;
    }
}

static uint32_t jitter(void)
{
    uint32_t random;
    // Shortly after boot there may be no randomness yet: no jitter is better than no update.
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        return UINT32_MAX / 2;
    }
    return random;
}

static enum err give_up(const struct http_retry *r, struct error *e)
{
    struct error last = *e;
    if (r->failures == 0) {
        return e->code;
    }
    return fail(e, ERR_NETWORK, 0, "%s; given up after %u tries without progress", last.msg,
                r->failures + 1);
}

static enum err refuse_wait(const struct http_retry *r, uint64_t retry_after_ms, struct error *e)
{
    struct error last = *e;
    char asked[32];
    char limit[32];
    char left[32];
    format_duration(retry_after_ms, asked, sizeof asked);
    format_duration(HTTP_RETRY_AFTER_SUM_MS, limit, sizeof limit);
    format_duration(HTTP_RETRY_AFTER_SUM_MS - r->asked_ms, left, sizeof left);
    return fail(e, ERR_NETWORK, 0,
                "%s and asks to be left alone for %s; of the %s that are waited for a server in "
                "all, %s are left: run install again later: it goes on where it stopped",
                last.msg, asked, limit, left);
}

static bool is_interrupted(const struct http_retry *r)
{
    return r->interrupted != NULL && atomic_load(r->interrupted);
}

enum err http_retry_wait(struct http_retry *r, uint64_t retry_after_ms, struct error *e)
{
    if (e->code != ERR_NETWORK) {
        return e->code;
    }
    if (is_interrupted(r)) {
        return e->code;
    }
    if (r->failures >= r->retries) {
        return give_up(r, e);
    }
    if (retry_after_ms > HTTP_RETRY_AFTER_SUM_MS - r->asked_ms) {
        return refuse_wait(r, retry_after_ms, e);
    }
    r->asked_ms += retry_after_ms;
    r->failures++;
    r->progress_bytes = 0;
    char text[32];
    uint64_t pause_ms = http_backoff_ms(r->failures, retry_after_ms, jitter());
    log_warn(r->log, "%s; trying again in %s (%u of %u)", e->msg,
             format_duration(pause_ms, text, sizeof text), r->failures, r->retries);
    clock_wait_ms(r->clock, pause_ms, r->interrupted);
    return is_interrupted(r) ? e->code : OK;
}
