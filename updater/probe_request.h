// SPDX-License-Identifier: Apache-2.0
// One small request, by libcurl: an HTTP GET or POST over TCP or a Unix socket, or only a
// connection. For probes of health checks and for the lock server of a fleet; done in a process of
// its own (bounded_run.h), because it waits.
//
// Invariants
// 1. http and https only, and no redirect is followed.
// 2. At most PROBE_BODY_MAX bytes of an answer are kept, and not many more are read.
#ifndef UPDATER_PROBE_REQUEST_H
#define UPDATER_PROBE_REQUEST_H

#include "updater/config.h"

enum { PROBE_BODY_MAX = 256 * 1024 };

struct probe_request {
    const char *url;
    uint64_t timeout_ms;
    const char *socket;         // the path of a Unix socket to connect to; NULL: by the URL
    bool connect_only;          // nothing is sent
    const char *body;           // sent by POST; NULL: a GET
    const char *const *headers; // "name: value", more of them, NULL behind the last; or NULL
    const struct http_options *network; // certificates, and proxies of the environment are asked;
                                        // NULL: those of the system, and no proxy
};

struct probe_answer {
    long status; // of HTTP; 0 with connect_only
    size_t len;
    char body[PROBE_BODY_MAX + 1]; // ends with a NUL beyond `len`
};

// False when there was no answer; then why not was said on `out_fd`.
bool probe_request(const struct probe_request *r, struct probe_answer *ret, int out_fd);

#endif
