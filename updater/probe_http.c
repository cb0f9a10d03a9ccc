// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_kinds.h"

#include "base/parse.h"

#include <curl/curl.h>
#include <string.h>

// The status decides; of the body only enough is read to say what the service says.
enum { BODY_LINE_SIZE = 256, BODY_MAX = 64 * 1024 };

struct body {
    char line[BODY_LINE_SIZE];
    size_t line_len;
    bool line_done;
    size_t total;
    bool stopped; // by us: there was enough
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct body *b = context;
    size_t len = size * count;
    for (size_t i = 0; i < len && !b->line_done; i++) {
        if (data[i] == '\n' || b->line_len == sizeof b->line - 1) {
            b->line_done = true;
        } else if (data[i] != '\r') {
            b->line[b->line_len++] = data[i];
        }
    }
    b->total += len;
    b->stopped = b->total > BODY_MAX;
    return b->stopped ? 0 : len;
}

static bool set_options(CURL *curl, const struct config_check *c, struct body *body,
                        char error[CURL_ERROR_SIZE])
{
    return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_URL, c->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "vv-update") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static int judge(CURL *curl, const struct config_check *c, const struct body *body, int out_fd)
{
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    dprintf(out_fd, "HTTP %ld%s%.*s\n", status, body->line_len > 0 ? ": " : "", (int)body->line_len,
            body->line);
    return status >= (long)c->expect_first && status <= (long)c->expect_last ? PROBE_EXIT_HEALTHY
                                                                             : PROBE_EXIT_FAILED;
}

static int get(CURL *curl, const struct config_check *c, int out_fd)
{
    struct body body = {.line_len = 0};
    char error[CURL_ERROR_SIZE] = "";
    char text[32];
    if (!set_options(curl, c, &body, error)) {
        dprintf(out_fd, "cannot ask for %s\n", c->url);
        return PROBE_EXIT_FAILED;
    }
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK || body.stopped) {
        return judge(curl, c, &body, out_fd);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        dprintf(out_fd, "no answer within %s\n", format_duration(c->timeout_ms, text, sizeof text));
    } else {
        dprintf(out_fd, "%s\n", error[0] != '\0' ? error : curl_easy_strerror(code));
    }
    return PROBE_EXIT_FAILED;
}

int probe_http(const struct config_check *c, int out_fd)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        dprintf(out_fd, "cannot set up the HTTP client\n");
        return PROBE_EXIT_FAILED;
    }
    int exit_status = get(curl, c, out_fd);
    curl_easy_cleanup(curl);
    return exit_status;
}
