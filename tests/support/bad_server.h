// SPDX-License-Identifier: Apache-2.0
// tests/e2e/bad_server.py as a child of a unit test: our misbehaving web server, on loopback.
// Anything that goes wrong here fails the test.
#ifndef TESTS_SUPPORT_BAD_SERVER_H
#define TESTS_SUPPORT_BAD_SERVER_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct bad_server {
    pid_t pid; // 0: does not run
    int stdin_fd;
    unsigned port;
    char log_path[256];
    json_t *requests; // after bad_server_stop(): an array in the order of the requests
};

// Serves the files of `dir` in the modes that the script names. The log is kept in `dir`.
void bad_server_start(struct bad_server *s, const char *dir, const char *mode);

// Ends it, and reads what it was asked. May be called again.
void bad_server_stop(struct bad_server *s);

// Stops it and forgets the requests; nothing is left behind.
void bad_server_clear(struct bad_server *s);

// How many requests there were.
size_t bad_server_count(const struct bad_server *s);

// A field of request `n`, from 1; NULL when it had none.
const char *bad_server_text(const struct bad_server *s, size_t n, const char *field);
long bad_server_number(const struct bad_server *s, size_t n, const char *field);

#endif
