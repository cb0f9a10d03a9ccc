// SPDX-License-Identifier: Apache-2.0
// What the tests of the HTTP path stand in: a folder with one file in it, up to two misbehaving
// servers, a clock on which waiting takes no time, and a log that is kept.
//
//     cmocka_unit_test_setup_teardown(a_name, http_room_make, http_room_remove)
#ifndef TESTS_SUPPORT_HTTP_ROOM_H
#define TESTS_SUPPORT_HTTP_ROOM_H

#include "base/log.h"
#include "tests/support/bad_server.h"
#include "tests/support/expect.h"
#include "tests/support/fast_clock.h"
#include "updater/source_http.h"

enum { HTTP_ROOM_FILE_BYTES = 1 << 20 };

struct http_room {
    char *dir;
    uint8_t *content; // of image.vvi
    struct bad_server server, other;
    struct fast_clock clock;
    struct log log;
    char *logged;
    size_t logged_len;
    struct http_options options; // no limits, two retries
    char url[256];               // of the file on `server`
    char other_url[256];
    char tls_cert[256], tls_key[256]; // for 127.0.0.1, signed by itself
    struct source *source;            // closed with the room
};

int http_room_make(void **state);
int http_room_remove(void **state);

// Starts the server in a mode of bad_server.py and sets `url`; with "tls" for its first word, the
// room's certificate is the server's, and url is https.
void http_room_serve(struct http_room *r, const char *mode);
void http_room_serve_other(struct http_room *r, const char *mode);

// Makes tls_cert and tls_key.
void http_room_make_certificate(struct http_room *r);

// Opens room->source on `url`.
void http_room_open(struct http_room *r);

// Starts and reads a range of room->source, and compares it with the file.
void http_room_expect(struct http_room *r, uint64_t off, size_t len);

#endif
