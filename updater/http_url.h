// SPDX-License-Identifier: Apache-2.0
// An http or https URL taken apart, and the rules for following a redirect from one to another.
//
// Invariants
// 1. `request` and `name` never hold a user name or a password; `name` and `host` hold no query
//    either, so both can be shown to anybody.
// 2. Nothing but http and https ever becomes a struct http_url.
#ifndef UPDATER_HTTP_URL_H
#define UPDATER_HTTP_URL_H

#include "base/cleanup.h"
#include "base/error.h"

struct http_url {
    char *request;  // what is asked for: without user, password and fragment
    char *name;     // for messages: scheme://host[:port]/path
    char *host;     // for messages: host[:port]
    char *origin;   // scheme://host:port in lower case, the port always there
    char *user;     // NULL when the URL names none
    char *password; // NULL when the URL names none
    bool secure;    // https
};

// ERR_USAGE when `text` is no URL of this kind; the sentence does not repeat `text`.
MUST_CHECK enum err http_url_parse(const char *text, struct http_url **ret, struct error *e);

// What the Location field of an answer from `from` leads to (RFC 9110, 10.2.2: a reference relative
// to `from`). ERR_NETWORK when it is not to be followed: another scheme than http and https, from
// https to http, or with a user name in it (RFC 9110, 4.2.4).
MUST_CHECK enum err http_url_redirect(const struct http_url *from, const char *location,
                                      struct http_url **ret, struct error *e);

// The URL `text` with `suffix` behind its path; its query stays. `*ret` is malloced. Errors of
// http_url_parse().
MUST_CHECK enum err http_url_beside(const char *text, const char *suffix, char **ret,
                                    struct error *e);

// Same scheme, host and port: credentials for one may be shown to the other.
bool http_url_same_origin(const struct http_url *a, const struct http_url *b);

// Wipes the password.
void http_url_free(struct http_url *u);
DEFINE_CLEANUP(http_url, struct http_url *, http_url_free)

#endif
