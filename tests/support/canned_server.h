// SPDX-License-Identifier: Apache-2.0
// A web server that gives the same bytes to whoever asks, on loopback or at a Unix socket, as a
// child of the test.
#ifndef TESTS_SUPPORT_CANNED_SERVER_H
#define TESTS_SUPPORT_CANNED_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct canned_server {
    pid_t pid;
    int requests_fd; // one byte comes out of it per request
    char url[64];    // "http://127.0.0.1:PORT/status"
};

// `answer` is sent `times` times, then the connection is closed; with `hang` it stays open.
void canned_server_start(struct canned_server *s, const char *answer, size_t times, bool hang);
// The same at a Unix socket that it makes at `path`; `url` is "http://localhost/status".
void canned_server_start_at(struct canned_server *s, const char *path, const char *answer,
                            size_t times, bool hang);
void canned_server_stop(struct canned_server *s);
// How many requests came since the last call.
size_t canned_server_requests(struct canned_server *s);

#endif
