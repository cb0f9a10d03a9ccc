// SPDX-License-Identifier: Apache-2.0
// One request of a probe, by libcurl: an HTTP GET over TCP or a Unix socket, or only a connection.
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
    const char *socket;                 // the path of a Unix socket to connect to; NULL: by the URL
    bool connect_only;                  // nothing is sent
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
