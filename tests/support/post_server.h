// SPDX-License-Identifier: Apache-2.0
// A web server on loopback that keeps what is posted to it and answers each request as it is told,
// as a child of the test.
#ifndef TESTS_SUPPORT_POST_SERVER_H
#define TESTS_SUPPORT_POST_SERVER_H

#include <stddef.h>
#include <sys/types.h>

enum { POST_SERVER_TEXT_MAX = 8192 };

struct post_server {
    pid_t pid;
    int log_fd;   // a file in memory: the requests, one behind the other
    char url[64]; // "http://127.0.0.1:PORT/base"
    char text[POST_SERVER_TEXT_MAX + 1];
};

// `answers`: the answer to the first request and so on, the last one to all that follow. An answer
// is what goes over the wire; "hang" is none, and the connection stays open.
void post_server_start(struct post_server *s, const char *const *answers, size_t count);
void post_server_stop(struct post_server *s);
// All requests so far, with their bodies, in s->text.
const char *post_server_requests(struct post_server *s);

#endif
