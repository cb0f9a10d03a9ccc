// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_room.h"

#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

static void make_file(const struct http_room *r)
{
    char path[512];
    FILE *f = fopen(temp_dir_path(path, sizeof path, r->dir, "image.vvi"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(r->content, 1, HTTP_ROOM_FILE_BYTES, f), HTTP_ROOM_FILE_BYTES);
    assert_int_equal(fclose(f), 0);
}

// A proxy of the machine the tests run on has no place in them.
static void forget_proxies(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv(names[i]);
    }
}

int http_room_make(void **state)
{
    void *dir = NULL;
    struct http_room *r = calloc(1, sizeof *r);
    assert_non_null(r);
    assert_int_equal(temp_dir_make(&dir), 0);
    r->dir = dir;
    r->content = malloc(HTTP_ROOM_FILE_BYTES);
    assert_non_null(r->content);
    fill_random(r->content, HTTP_ROOM_FILE_BYTES, 7);
    make_file(r);
    forget_proxies();
    r->clock = fast_clock_make();
    r->log = (struct log){.stream = open_memstream(&r->logged, &r->logged_len), .program = "t"};
    assert_non_null(r->log.stream);
    fflush(r->log.stream);
    r->options = (struct http_options){.max_waste_bytes = 64 << 20, .retries = 2};
    assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
    *state = r;
    return 0;
}

int http_room_remove(void **state)
{
    struct http_room *r = *state;
    void *dir = r->dir;
    source_close(r->source);
    bad_server_clear(&r->server);
    bad_server_clear(&r->other);
    curl_global_cleanup();
    fclose(r->log.stream);
    free(r->logged);
    free(r->content);
    free(r);
    return temp_dir_remove(&dir);
}

static void serve(struct http_room *r, struct bad_server *s, const char *mode, char *url,
                  size_t url_len)
{
    char full[1024];
    bool tls = strncmp(mode, "tls", 3) == 0;
    snprintf(full, sizeof full, tls ? "%s,cert=%s,key=%s" : "%s", mode, r->tls_cert, r->tls_key);
    bad_server_start(s, r->dir, full);
    snprintf(url, url_len, "%s://127.0.0.1:%u/image.vvi", tls ? "https" : "http", s->port);
}

void http_room_serve(struct http_room *r, const char *mode)
{
    serve(r, &r->server, mode, r->url, sizeof r->url);
}

void http_room_serve_other(struct http_room *r, const char *mode)
{
    serve(r, &r->other, mode, r->other_url, sizeof r->other_url);
}

void http_room_make_certificate(struct http_room *r)
{
    char command[1024];
    temp_dir_path(r->tls_cert, sizeof r->tls_cert, r->dir, "tls.pem");
    temp_dir_path(r->tls_key, sizeof r->tls_key, r->dir, "tls.key");
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 "
             "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             r->tls_key, r->tls_cert);
    assert_int_equal(system(command), 0);
}

void http_room_open(struct http_room *r)
{
    struct error e;
    assert_ok(source_http_open(r->url, &r->options, &r->clock.base, &r->log, &r->source, &e));
}

void http_room_expect(struct http_room *r, uint64_t off, size_t len)
{
    struct error e;
    uint8_t *buf = malloc(len);
    assert_non_null(buf);
    assert_ok(source_start(r->source, off, len, &e));
    assert_ok(source_read(r->source, buf, len, &e));
    assert_memory_equal(buf, r->content + off, len);
    free(buf);
}
