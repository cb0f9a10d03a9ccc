// SPDX-License-Identifier: Apache-2.0
#include "updater/http_transfer.h"

#include "base/parse.h"
#include "base/version.h"
#include "updater/http_options.h"
#include "updater/http_rate.h"
#include "updater/http_speed.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
    RECEIVE_BUFFER_BYTES = 32 * 1024,
    POLL_MAX_MS = 1000,
};

struct http_transfer {
    const struct http_options *options;
    struct http_rate own_rate;
    struct http_rate *rate;
    const struct clock *clock;
    bool show_certificate;
    bool ca_is_dir;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *fields;

    bool attached; // the request is with libcurl
    bool sent;     // connected; from here on a silent server is a slow one
    bool paused;
    bool done; // libcurl has finished with it; `result` says how
    CURLcode result;
    bool too_slow;
    bool may_retry;
    char error_text[CURL_ERROR_SIZE];

    struct http_response response;
    struct http_speed speed;
    uint64_t measured_bytes; // of body_bytes, what `speed` was told
    uint64_t body_bytes;

    uint8_t *room; // of the reader, for the next bytes
    size_t room_len;
    size_t piece_pos, piece_len; // what came with the last bytes and had no room
    uint8_t piece[CURL_MAX_WRITE_SIZE];
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static uint64_t rest_ms(const struct http_transfer *t)
{
    return http_rate_rest_ms(t->rate, t->clock->ops->boottime_ms(t->clock));
}

// --- what libcurl calls -------------------------------------------------------------------------

static size_t on_head(char *line, size_t size, size_t count, void *context)
{
    struct http_transfer *t = context;
    size_t len = size * count;
    return http_response_line(&t->response, line, len) ? len : 0;
}

// libcurl hands out at most CURL_MAX_WRITE_SIZE bytes, and they are taken whole or not at all: what
// the reader has no room for waits in `piece`, and as long as it waits, the transfer is paused.
// While we rest it is paused too: libcurl would go on as long as there is something to be read.
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *t = context;
    size_t len = size * count;
    if (t->piece_len > 0 || rest_ms(t) > 0) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    t->body_bytes += len;
    http_rate_count(t->rate, len, t->clock->ops->boottime_ms(t->clock));
    size_t direct = smaller(len, t->room_len);
    size_t rest = len - direct;
    if (rest > sizeof t->piece) {
        return 0;
    }
    if (direct > 0) {
        memcpy(t->room, data, direct);
        t->room += direct;
        t->room_len -= direct;
    }
    memcpy(t->piece, data + direct, rest);
    t->piece_pos = 0;
    t->piece_len = rest;
    return len;
}

static int on_connected(void *context, char *remote_ip, char *local_ip, int remote_port,
                        int local_port)
{
    struct http_transfer *t = context;
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    t->sent = true;
    return CURL_PREREQFUNC_OK;
}

// --- settings -----------------------------------------------------------------------------------

#define SET(t, option, value) (curl_easy_setopt((t)->easy, (option), (value)) == CURLE_OK)

static MUST_CHECK bool set_tls(struct http_transfer *t)
{
    const struct http_options *o = t->options;
    bool ok = SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
              SET(t, CURLOPT_SSL_VERIFYPEER, 1L) && SET(t, CURLOPT_SSL_VERIFYHOST, 2L);
    if (ok && o->ca != NULL) {
        // Both, because libcurl would go on trusting the system's in the place that is not set.
        ok = SET(t, CURLOPT_CAINFO, t->ca_is_dir ? NULL : o->ca) &&
             SET(t, CURLOPT_CAPATH, t->ca_is_dir ? o->ca : NULL);
    }
    if (ok && t->show_certificate && o->client_cert != NULL) {
        ok = SET(t, CURLOPT_SSLCERT, o->client_cert) &&
             (o->client_key == NULL || SET(t, CURLOPT_SSLKEY, o->client_key));
    }
    return ok;
}

static MUST_CHECK bool set_limits(struct http_transfer *t)
{
    return SET(t, CURLOPT_NOSIGNAL, 1L) && SET(t, CURLOPT_PROTOCOLS_STR, "http,https") &&
           SET(t, CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS) &&
           SET(t, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES) &&
           SET(t, CURLOPT_TCP_KEEPALIVE, 1L) &&
           curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, 1L) == CURLM_OK;
}

static MUST_CHECK bool set_up(struct http_transfer *t)
{
    char agent[64];
    snprintf(agent, sizeof agent, "vv-update/%s", vv_version);
    // HTTP/1.1, because libcurl lets a server send 32 MiB ahead into a paused HTTP/2 stream.
    return SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(t, CURLOPT_USERAGENT, agent) && SET(t, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
           SET(t, CURLOPT_ERRORBUFFER, t->error_text) && SET(t, CURLOPT_HEADERFUNCTION, on_head) &&
           SET(t, CURLOPT_HEADERDATA, t) && SET(t, CURLOPT_WRITEFUNCTION, on_body) &&
           SET(t, CURLOPT_WRITEDATA, t) && SET(t, CURLOPT_PREREQFUNCTION, on_connected) &&
           SET(t, CURLOPT_PREREQDATA, t) && set_limits(t) && set_tls(t);
}

enum err http_transfer_open(const struct http_options *options, bool show_certificate,
                            const struct clock *clock, struct http_transfer **ret, struct error *e)
{
    CLEANUP(cleanup_http_transfer) struct http_transfer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return fail_memory(e);
    }
    t->options = options;
    t->own_rate = http_rate_begin(options->rate_limit);
    t->rate = options->rate != NULL ? options->rate : &t->own_rate;
    t->show_certificate = show_certificate;
    t->clock = clock;
    enum err r = http_options_check(options, &t->ca_is_dir, e);
    if (r != OK) {
        return r;
    }
    t->multi = curl_multi_init();
    t->easy = curl_easy_init();
    if (t->multi == NULL || t->easy == NULL || !set_up(t)) {
        return fail(e, ERR_INTERNAL, 0, "libcurl could not be set up");
    }
    *ret = TAKE_PTR(t);
    return OK;
}

// --- one request --------------------------------------------------------------------------------

static MUST_CHECK bool add_field(struct curl_slist **fields, const char *text)
{
    struct curl_slist *more = curl_slist_append(*fields, text);
    if (more != NULL) {
        *fields = more;
    }
    return more != NULL;
}

static MUST_CHECK bool add_tag(struct curl_slist **fields, const char *name, const char *tag)
{
    char text[HTTP_ETAG_MAX + 32];
    snprintf(text, sizeof text, "%s: %s", name, tag != NULL ? tag : "");
    return tag == NULL || add_field(fields, text);
}

static MUST_CHECK bool set_fields(struct http_transfer *t, const struct http_request *request)
{
    curl_slist_free_all(t->fields);
    t->fields = NULL;
    // Not CURLOPT_ACCEPT_ENCODING: with it libcurl would undo an encoding we did not ask for.
    bool ok = add_field(&t->fields, "Accept-Encoding: identity") &&
              add_tag(&t->fields, "If-Range", request->if_range) &&
              add_tag(&t->fields, "If-None-Match", request->if_none_match);
    return ok && SET(t, CURLOPT_HTTPHEADER, t->fields);
}

static MUST_CHECK bool set_request(struct http_transfer *t, const struct http_request *request)
{
    char range[48];
    const struct http_url *login = request->login;
    snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, request->first, request->last);
    return SET(t, CURLOPT_URL, request->url->request) && SET(t, CURLOPT_RANGE, range) &&
           SET(t, CURLOPT_USERNAME, login != NULL ? login->user : NULL) &&
           SET(t, CURLOPT_PASSWORD, login != NULL ? login->password : NULL) &&
           set_fields(t, request);
}

static void finish(struct http_transfer *t, CURLcode result)
{
    t->done = true;
    t->result = result;
}

// One round of work that does not wait.
static void work(struct http_transfer *t)
{
    int count;
    if (curl_multi_perform(t->multi, &count) != CURLM_OK) {
        finish(t, CURLE_OUT_OF_MEMORY);
        return;
    }
    const CURLMsg *message;
    while ((message = curl_multi_info_read(t->multi, &count)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            finish(t, message->data.result);
        }
    }
}

static bool is_interrupted(const struct http_transfer *t)
{
    return t->options->interrupted != NULL && atomic_load(t->options->interrupted);
}

// Waits for the network. Ends the transfer when it is too slow; only what is spent in here counts.
static void wait_for_more(struct http_transfer *t)
{
    uint64_t before_ms = t->clock->ops->boottime_ms(t->clock);
    uint64_t most_ms = t->options->interrupted == NULL ? POLL_MAX_MS : CLOCK_INTERRUPT_MS;
    int timeout_ms = (int)http_speed_left_ms(&t->speed, most_ms);
    if (is_interrupted(t)) {
        finish(t, CURLE_ABORTED_BY_CALLBACK);
        return;
    }
    if (curl_multi_poll(t->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK) {
        finish(t, CURLE_OUT_OF_MEMORY);
        return;
    }
    if (!t->sent) {
        return;
    }
    uint64_t waited_ms = t->clock->ops->boottime_ms(t->clock) - before_ms;
    uint64_t bytes = t->body_bytes - t->measured_bytes;
    t->measured_bytes = t->body_bytes;
    if (!http_speed_add(&t->speed, waited_ms, bytes)) {
        t->too_slow = true;
        finish(t, CURLE_OPERATION_TIMEDOUT);
    }
}

// Waits for our own rate limit; meanwhile the kernel's buffer fills, and the server waits too.
static void rest_a_while(struct http_transfer *t)
{
    clock_wait_ms(t->clock, rest_ms(t), t->options->interrupted);
}

static void resume(struct http_transfer *t)
{
    if (t->paused) {
        // Cleared first: libcurl may call on_body() in here, which may pause again.
        t->paused = false;
        CURLcode result = curl_easy_pause(t->easy, CURLPAUSE_CONT);
        if (result != CURLE_OK) {
            finish(t, result);
        }
    }
}

// --- what went wrong ----------------------------------------------------------------------------

static const struct failure {
    CURLcode code;
    bool final;       // another try ends the same way
    bool from_system; // errno says more
    const char *text; // NULL: libcurl's own
} failures[] = {
    {CURLE_COULDNT_RESOLVE_HOST, .text = "its name cannot be resolved"},
    {CURLE_COULDNT_RESOLVE_PROXY, .text = "the proxy's name cannot be resolved"},
    {CURLE_COULDNT_CONNECT, .from_system = true},
    {CURLE_SEND_ERROR, .from_system = true},
    {CURLE_RECV_ERROR, .from_system = true},
    {CURLE_PARTIAL_FILE, .text = "the answer was cut short"},
    {CURLE_GOT_NOTHING, .text = "closed without an answer"},
    {CURLE_OPERATION_TIMEDOUT, .text = "no connection within 30 s"},
    {CURLE_ABORTED_BY_CALLBACK, .final = true, .text = "interrupted"},
    {CURLE_OUT_OF_MEMORY, .final = true, .text = "out of memory"},
    {CURLE_UNSUPPORTED_PROTOCOL, .final = true, .text = "what it speaks is not HTTP/1.1"},
    {CURLE_WEIRD_SERVER_REPLY, .final = true},
    {CURLE_SSL_CERTPROBLEM, .final = true},
    {CURLE_SSL_CIPHER, .final = true},
    {CURLE_SSL_CACERT_BADFILE, .final = true},
};

static const struct failure *find_failure(CURLcode code)
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        if (failures[i].code == code) {
            return &failures[i];
        }
    }
    return NULL;
}

static enum err report_slow(const struct http_transfer *t, struct error *e)
{
    char rate[16];
    char window[32];
    return fail(e, ERR_NETWORK, 0, "slower than %s a second over %s",
                format_size(t->speed.bytes_per_s, rate, sizeof rate),
                format_duration(t->speed.window_ms, window, sizeof window));
}

static enum err report_loss(struct http_transfer *t, struct error *e)
{
    static const struct failure unknown = {0};
    const struct failure *f = find_failure(t->result);
    long sys = 0;
    f = f != NULL ? f : &unknown;
    t->may_retry = !f->final;
    if (t->too_slow) {
        return report_slow(t, e);
    }
    if (t->result == CURLE_PEER_FAILED_VERIFICATION) {
        t->may_retry = false;
        return fail(e, ERR_NETWORK, 0,
                    "its certificate is refused: %s; [network] ca= names who is trusted",
                    t->error_text);
    }
    if (f->text != NULL) {
        return fail(e, ERR_NETWORK, 0, "%s", f->text);
    }
    if (f->from_system && curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &sys) == CURLE_OK &&
        sys != 0) {
        char text[128];
        return fail(e, ERR_NETWORK, 0, "%s", strerror_r((int)sys, text, sizeof text));
    }
    return fail(e, ERR_NETWORK, 0, "%s",
                t->error_text[0] != '\0' ? t->error_text : curl_easy_strerror(t->result));
}

// --- the caller's side --------------------------------------------------------------------------

static void reset(struct http_transfer *t)
{
    const struct http_options *o = t->options;
    t->sent = t->paused = t->done = t->too_slow = t->may_retry = false;
    t->result = CURLE_OK;
    t->error_text[0] = '\0';
    t->room_len = t->piece_len = 0;
    t->measured_bytes = t->body_bytes;
    t->speed = http_speed_begin(o->low_speed_bytes, o->low_speed_ms, o->rate_limit);
    http_response_begin(&t->response);
}

enum err http_transfer_begin(struct http_transfer *t, const struct http_request *request,
                             struct error *e)
{
    http_transfer_end(t);
    reset(t);
    if (!set_request(t, request) || curl_multi_add_handle(t->multi, t->easy) != CURLM_OK) {
        return fail_memory(e);
    }
    t->attached = true;
    for (;;) {
        work(t);
        if (t->response.complete || t->response.refused != NULL) {
            return OK;
        }
        if (t->done) {
            enum err r = report_loss(t, e);
            http_transfer_end(t);
            return r;
        }
        wait_for_more(t);
    }
}

const struct http_response *http_transfer_response(const struct http_transfer *t)
{
    return &t->response;
}

static size_t take_piece(struct http_transfer *t, uint8_t *buf, size_t len)
{
    size_t taken = smaller(len, t->piece_len);
    memcpy(buf, t->piece + t->piece_pos, taken);
    t->piece_pos += taken;
    t->piece_len -= taken;
    return taken;
}

enum err http_transfer_read(struct http_transfer *t, void *buf, size_t len, size_t *ret_len,
                            struct error *e)
{
    size_t taken = take_piece(t, buf, len);
    t->room = (uint8_t *)buf + taken;
    t->room_len = len - taken;
    while (t->room_len > 0 && !t->done) {
        size_t before = t->room_len;
        rest_a_while(t);
        if (is_interrupted(t)) {
            finish(t, CURLE_ABORTED_BY_CALLBACK);
            break;
        }
        resume(t);
        work(t);
        if (t->room_len == before && !t->done && !t->paused) {
            wait_for_more(t);
        }
    }
    size_t got = len - t->room_len;
    t->room = NULL;
    t->room_len = 0;
    if (got == 0 && len > 0 && t->result != CURLE_OK) {
        return report_loss(t, e);
    }
    *ret_len = got;
    return OK;
}

bool http_transfer_may_retry(const struct http_transfer *t)
{
    return t->may_retry;
}

void http_transfer_end(struct http_transfer *t)
{
    // libcurl keeps the connection of a request that it has finished with, and of no other.
    if (t->attached) {
        curl_multi_remove_handle(t->multi, t->easy);
        t->attached = false;
    }
}

uint64_t http_transfer_body_bytes(const struct http_transfer *t)
{
    return t->body_bytes;
}

size_t http_transfer_held(const struct http_transfer *t)
{
    return t->piece_len;
}

void http_transfer_free(struct http_transfer *t)
{
    if (t == NULL) {
        return;
    }
    http_transfer_end(t);
    // The handle first: it may still refer to the connections of the other.
    curl_easy_cleanup(t->easy);
    curl_multi_cleanup(t->multi);
    curl_slist_free_all(t->fields);
    free(t);
}
