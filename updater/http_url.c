// SPDX-License-Identifier: Apache-2.0
#include "updater/http_url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

DEFINE_CLEANUP(curlu, CURLU *, curl_url_cleanup)

// A copy of one part of the URL that is ours to free; NULL when it has no such part. False: no
// memory.
static MUST_CHECK bool copy_part(CURLU *u, CURLUPart part, unsigned flags, char **ret)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, flags);
    if (code == CURLUE_OUT_OF_MEMORY) {
        return false;
    }
    if (code != CURLUE_OK) {
        *ret = NULL;
        return true;
    }
    *ret = strdup(text);
    if (part == CURLUPART_PASSWORD || part == CURLUPART_URL) {
        explicit_bzero(text, strlen(text));
    }
    curl_free(text);
    return *ret != NULL;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(u, part, &text, 0);
    curl_free(text);
    return code == CURLUE_OK;
}

static MUST_CHECK bool drop_part(CURLU *u, CURLUPart part)
{
    return curl_url_set(u, part, NULL, 0) == CURLUE_OK;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (char)tolower((unsigned char)*text);
    }
}

static MUST_CHECK bool make_origin(CURLU *u, const char *host, struct http_url *url)
{
    CLEANUP(cleanup_free) char *port = NULL;
    if (!copy_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) || port == NULL) {
        return false;
    }
    if (asprintf(&url->origin, "%s://%s:%s", url->secure ? "https" : "http", host, port) < 0) {
        url->origin = NULL;
        return false;
    }
    lower(url->origin);
    return true;
}

static MUST_CHECK bool make_host(CURLU *u, const char *host, struct http_url *url)
{
    CLEANUP(cleanup_free) char *port = NULL;
    if (!copy_part(u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT, &port)) {
        return false;
    }
    int n =
        port == NULL ? asprintf(&url->host, "%s", host) : asprintf(&url->host, "%s:%s", host, port);
    if (n < 0) {
        url->host = NULL;
    }
    return n >= 0;
}

// Fills `url` from `u`, whose scheme was checked. `u` loses its parts on the way.
static MUST_CHECK bool fill(CURLU *u, struct http_url *url)
{
    CLEANUP(cleanup_free) char *host = NULL;
    if (!copy_part(u, CURLUPART_HOST, 0, &host) || host == NULL || !make_origin(u, host, url) ||
        !make_host(u, host, url)) {
        return false;
    }
    if (!copy_part(u, CURLUPART_USER, CURLU_URLDECODE, &url->user) ||
        !copy_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE, &url->password) ||
        !drop_part(u, CURLUPART_USER) || !drop_part(u, CURLUPART_PASSWORD) ||
        !drop_part(u, CURLUPART_FRAGMENT)) {
        return false;
    }
    return copy_part(u, CURLUPART_URL, 0, &url->request) && url->request != NULL &&
           drop_part(u, CURLUPART_QUERY) &&
           copy_part(u, CURLUPART_URL, CURLU_NO_DEFAULT_PORT, &url->name) && url->name != NULL;
}

static MUST_CHECK enum err from_parts(CURLU *u, bool secure, struct http_url **ret, struct error *e)
{
    CLEANUP(cleanup_http_url) struct http_url *url = calloc(1, sizeof *url);
    if (url == NULL) {
        return fail_memory(e);
    }
    url->secure = secure;
    if (!fill(u, url)) {
        return fail_memory(e);
    }
    *ret = TAKE_PTR(url);
    return OK;
}

// Whether the URL in `u` is http or https, and which.
static MUST_CHECK bool is_web(CURLU *u, bool *ret_secure)
{
    CLEANUP(cleanup_free) char *scheme = NULL;
    if (!copy_part(u, CURLUPART_SCHEME, 0, &scheme) || scheme == NULL) {
        return false;
    }
    *ret_secure = strcasecmp(scheme, "https") == 0;
    return *ret_secure || strcasecmp(scheme, "http") == 0;
}

enum err http_url_parse(const char *text, struct http_url **ret, struct error *e)
{
    CLEANUP(cleanup_curlu) CURLU *u = curl_url();
    if (u == NULL) {
        return fail_memory(e);
    }
    CURLUcode code = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OUT_OF_MEMORY) {
        return fail_memory(e);
    }
    if (code != CURLUE_OK) {
        return fail(e, ERR_USAGE, 0, "the URL cannot be understood: %s", curl_url_strerror(code));
    }
    bool secure = false;
    if (!is_web(u, &secure)) {
        return fail(e, ERR_USAGE, 0, "the URL is neither http nor https");
    }
    return from_parts(u, secure, ret, e);
}

enum err http_url_beside(const char *text, const char *suffix, char **ret, struct error *e)
{
    CLEANUP(cleanup_curlu) CURLU *u = curl_url();
    CLEANUP(cleanup_free) char *path = NULL;
    CLEANUP(cleanup_free) char *longer = NULL;
    if (u == NULL) {
        return fail_memory(e);
    }
    if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK ||
        !copy_part(u, CURLUPART_PATH, 0, &path) || path == NULL) {
        return fail(e, ERR_USAGE, 0, "the URL cannot be understood");
    }
    if (asprintf(&longer, "%s%s", path, suffix) < 0) {
        longer = NULL;
        return fail_memory(e);
    }
    if (curl_url_set(u, CURLUPART_PATH, longer, 0) != CURLUE_OK ||
        !copy_part(u, CURLUPART_URL, 0, ret) || *ret == NULL) {
        return fail_memory(e);
    }
    return OK;
}

enum err http_url_redirect(const struct http_url *from, const char *location, struct http_url **ret,
                           struct error *e)
{
    CLEANUP(cleanup_curlu) CURLU *u = curl_url();
    if (u == NULL || curl_url_set(u, CURLUPART_URL, from->request, 0) != CURLUE_OK) {
        return fail_memory(e);
    }
    // As lenient as browsers are: servers send spaces and UTF-8 in Location.
    CURLUcode code = curl_url_set(u, CURLUPART_URL, location,
                                  CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE);
    if (code == CURLUE_OUT_OF_MEMORY) {
        return fail_memory(e);
    }
    if (code != CURLUE_OK) {
        return fail(e, ERR_NETWORK, 0, "%s redirects to something that is no URL (%s)", from->host,
                    curl_url_strerror(code));
    }
    bool secure = false;
    if (!is_web(u, &secure)) {
        return fail(e, ERR_NETWORK, 0, "%s redirects to a URL that is neither http nor https",
                    from->host);
    }
    if (from->secure && !secure) {
        return fail(e, ERR_NETWORK, 0, "%s redirects from https to http, which is not followed",
                    from->host);
    }
    if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD)) {
        return fail(e, ERR_NETWORK, 0,
                    "%s redirects to a URL with a user name in it, which is not followed",
                    from->host);
    }
    return from_parts(u, secure, ret, e);
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
    return strcmp(a->origin, b->origin) == 0;
}

void http_url_free(struct http_url *u)
{
    if (u == NULL) {
        return;
    }
    if (u->password != NULL) {
        explicit_bzero(u->password, strlen(u->password));
    }
    free(u->request);
    free(u->name);
    free(u->host);
    free(u->origin);
    free(u->user);
    free(u->password);
    free(u);
}
