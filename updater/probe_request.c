// SPDX-License-Identifier: Apache-2.0
#include "updater/probe_request.h"

#include "base/cleanup.h"
#include "base/parse.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct probe_answer *a = context;
    size_t len = size * count;
    size_t room = PROBE_BODY_MAX - a->len;
    size_t taken = len < room ? len : room;
    memcpy(a->body + a->len, data, taken);
    a->len += taken;
    return taken; // less than `len` ends the transfer: there was enough
}

static bool set_way(CURL *curl, const struct probe_request *r)
{
    struct stat st;
    const struct http_options *n = r->network;
    if (n == NULL) {
        return curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
               (r->socket == NULL ||
                curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, r->socket) == CURLE_OK);
    }
    bool dir = n->ca != NULL && stat(n->ca, &st) == 0 && S_ISDIR(st.st_mode);
    return (n->ca == NULL ||
            (curl_easy_setopt(curl, CURLOPT_CAINFO, dir ? NULL : n->ca) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_CAPATH, dir ? n->ca : NULL) == CURLE_OK)) &&
           (n->client_cert == NULL ||
            curl_easy_setopt(curl, CURLOPT_SSLCERT, n->client_cert) == CURLE_OK) &&
           (n->client_key == NULL ||
            curl_easy_setopt(curl, CURLOPT_SSLKEY, n->client_key) == CURLE_OK);
}

static bool set_options(CURL *curl, const struct probe_request *r, struct probe_answer *ret,
                        char error[CURL_ERROR_SIZE])
{
    return curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_URL, r->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, r->connect_only ? 1L : 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "vv-update") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret) == CURLE_OK && set_way(curl, r);
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

// False when memory ran out. The caller frees `*list` in every case, after the transfer.
static bool set_content(CURL *curl, const struct probe_request *r, struct curl_slist **list)
{
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(*list, r->headers[i]);
        if (longer == NULL) {
            return false;
        }
        *list = longer;
    }
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *list) == CURLE_OK &&
           (r->body == NULL || curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body) == CURLE_OK);
}

static bool perform(CURL *curl, const struct probe_request *r, struct probe_answer *ret, int out_fd)
{
    CLEANUP(free_list) struct curl_slist *list = NULL;
    char error[CURL_ERROR_SIZE] = "";
    char text[32];
    ret->status = 0;
    ret->len = 0;
    if (!set_options(curl, r, ret, error) || !set_content(curl, r, &list)) {
        dprintf(out_fd, "cannot ask for %s\n", r->url);
        return false;
    }
    CURLcode code = curl_easy_perform(curl);
    ret->body[ret->len] = '\0';
    if (code == CURLE_OK || ret->len == PROBE_BODY_MAX) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
        return true;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        dprintf(out_fd, "no answer within %s\n", format_duration(r->timeout_ms, text, sizeof text));
    } else {
        // libcurl names the host of the URL, which says nothing when a socket stands for it.
        dprintf(out_fd, "%s%s%s\n", r->socket != NULL ? r->socket : "",
                r->socket != NULL ? ": " : "", error[0] != '\0' ? error : curl_easy_strerror(code));
    }
    return false;
}

bool probe_request(const struct probe_request *r, struct probe_answer *ret, int out_fd)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        dprintf(out_fd, "cannot set up the HTTP client\n");
        return false;
    }
    bool answered = perform(curl, r, ret, out_fd);
    curl_easy_cleanup(curl);
    return answered;
}
