// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "updater/probe_request.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_LEN = 255 };

// "HTTP 500: " and the first line of the body.
static void say_answer(const struct probe_answer *a, int out_fd)
{
    size_t len = strcspn(a->body, "\r\n");
    len = len < LINE_MAX_LEN ? len : LINE_MAX_LEN;
    dprintf(out_fd, "HTTP %ld%s%.*s\n", a->status, len > 0 ? ": " : "", (int)len, a->body);
}

int probe_http(const struct config_check *c, int out_fd)
{
    struct probe_answer a;
    const struct probe_request r = {.url = c->url, .timeout_ms = c->timeout_ms};
    if (!probe_request(&r, &a, out_fd)) {
        return PROBE_EXIT_FAILED;
    }
    say_answer(&a, out_fd);
    return a.status >= (long)c->expect_first && a.status <= (long)c->expect_last
               ? PROBE_EXIT_HEALTHY
               : PROBE_EXIT_FAILED;
}

int probe_server(const struct config_check *c, int out_fd)
{
    struct probe_answer a;
    const struct probe_request r = {
        .url = c->url, .timeout_ms = c->timeout_ms, .network = c->network};
    if (!probe_request(&r, &a, out_fd)) {
        return PROBE_EXIT_FAILED;
    }
    say_answer(&a, out_fd);
    // 5xx is what a proxy says for a server that is not there.
    return a.status < 500 ? PROBE_EXIT_HEALTHY : PROBE_EXIT_FAILED;
}
