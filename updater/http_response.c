// SPDX-License-Identifier: Apache-2.0
#include "updater/http_response.h"

#include "base/checked.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

// Three 64-bit numbers and the words between them are shorter.
enum { CONTENT_RANGE_MAX = 79 };

void http_response_begin(struct http_response *r)
{
    *r = (struct http_response){0};
}

static void refuse(struct http_response *r, const char *why)
{
    if (r->refused == NULL) {
        r->refused = why;
    }
}

static void take_length(struct http_response *r, const char *value)
{
    uint64_t length;
    if (!parse_u64(value, &length) || (r->has_length && r->length != length)) {
        refuse(r, "its Content-Length is not one number");
        return;
    }
    r->has_length = true;
    r->length = length;
}

static void take_transfer_encoding(struct http_response *r, const char *value)
{
    r->chunked = strcasecmp(value, "chunked") == 0;
}

// Takes the digits before `end` as a number and goes on behind it.
static MUST_CHECK bool take_number(char **text, char end, uint64_t *ret)
{
    char *stop = strchr(*text, end);
    if (stop == NULL) {
        return false;
    }
    *stop = '\0';
    if (!parse_u64(*text, ret)) {
        return false;
    }
    *text = stop + 1;
    return true;
}

// RFC 9110, 14.4. A size of "*" is refused: without it nothing tells whether the file changed.
static MUST_CHECK bool parse_content_range(char *text, struct http_response *r)
{
    if (strncasecmp(text, "bytes ", 6) != 0) {
        return false;
    }
    text += 6;
    if (strncmp(text, "*/", 2) == 0) {
        r->range = CONTENT_RANGE_UNSATISFIED;
        return parse_u64(text + 2, &r->range_size);
    }
    r->range = CONTENT_RANGE_BYTES;
    return take_number(&text, '-', &r->range_first) && take_number(&text, '/', &r->range_last) &&
           parse_u64(text, &r->range_size) && r->range_first <= r->range_last &&
           r->range_last < r->range_size;
}

static void take_content_range(struct http_response *r, const char *value)
{
    char text[CONTENT_RANGE_MAX + 1];
    size_t len = strlen(value);
    bool fits = len <= CONTENT_RANGE_MAX && r->range == CONTENT_RANGE_NONE;
    if (fits) {
        memcpy(text, value, len + 1);
    }
    if (!fits || !parse_content_range(text, r)) {
        refuse(r, "its Content-Range is not of the form \"bytes FIRST-LAST/SIZE\"");
    }
}

static void take_content_type(struct http_response *r, const char *value)
{
    static const char multipart[] = "multipart/byteranges";
    r->multipart = strncasecmp(value, multipart, sizeof multipart - 1) == 0;
}

static void take_content_encoding(struct http_response *r, const char *value)
{
    r->encoded = r->encoded || (*value != '\0' && strcasecmp(value, "identity") != 0);
}

// A weak one (W/"...") may not be used for ranges.
bool http_etag_is_strong(const char *text)
{
    size_t len = strlen(text);
    if (len < 2 || len > HTTP_ETAG_MAX || text[0] != '"' || text[len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i < len - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= 0x20 || c == '"' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static void take_etag(struct http_response *r, const char *value)
{
    r->etag[0] = '\0';
    if (http_etag_is_strong(value)) {
        memcpy(r->etag, value, strlen(value) + 1);
    }
}

static void take_location(struct http_response *r, const char *value)
{
    size_t len = strlen(value);
    if (r->location[0] != '\0' && strcmp(r->location, value) != 0) {
        refuse(r, "it has two different Location fields");
        return;
    }
    memcpy(r->location, value, len + 1);
}

// The three forms of RFC 9110, 5.6.7. The program never leaves the C locale, so month names are
// English.
static MUST_CHECK bool parse_date(const char *text, uint64_t *ret_s)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *rest = strptime(text, forms[i], &tm);
        if (rest != NULL && *rest == '\0') {
            time_t t = timegm(&tm);
            *ret_s = (uint64_t)t;
            return t >= 0;
        }
    }
    return false;
}

static void take_date(struct http_response *r, const char *value)
{
    r->has_date = parse_date(value, &r->date_s);
}

// Not understood is as good as absent: the wait is then ours to choose.
static void take_retry_after(struct http_response *r, const char *value)
{
    r->has_retry_after_s = parse_u64(value, &r->retry_after_s);
    r->has_retry_at = !r->has_retry_after_s && parse_date(value, &r->retry_at_s);
}

static const struct field {
    const char *name;
    void (*take)(struct http_response *r, const char *value); // white space trimmed
} fields[] = {
    {"Content-Length", take_length},
    {"Transfer-Encoding", take_transfer_encoding},
    {"Content-Range", take_content_range},
    {"Content-Type", take_content_type},
    {"Content-Encoding", take_content_encoding},
    {"ETag", take_etag},
    {"Location", take_location},
    {"Date", take_date},
    {"Retry-After", take_retry_after},
};

static const struct field *find_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) == len && strncasecmp(fields[i].name, name, len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void take_field(struct http_response *r, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    const struct field *field = colon == NULL ? NULL : find_field(line, (size_t)(colon - line));
    if (field == NULL) {
        return;
    }
    const char *value = colon + 1;
    len -= (size_t)(value - line);
    while (len > 0 && is_blank(value[0])) {
        value++;
        len--;
    }
    while (len > 0 && is_blank(value[len - 1])) {
        len--;
    }
    char text[HTTP_LOCATION_MAX + 1];
    if (len >= sizeof text) {
        refuse(r, "it has a field of more than 8191 bytes");
        return;
    }
    if (memchr(value, '\0', len) != NULL) {
        refuse(r, "it has a field with a NUL in it");
        return;
    }
    memcpy(text, value, len);
    text[len] = '\0';
    field->take(r, text);
}

// "HTTP/1.1 206 Partial Content": begins a new head, which replaces an interim one.
static void take_status(struct http_response *r, const char *line, size_t len)
{
    size_t head_bytes = r->head_bytes;
    const char *space = memchr(line, ' ', len);
    const char *digits = space == NULL ? line + len : space + 1;
    char text[4] = "";
    if (line + len - digits >= 3 && (line + len - digits == 3 || digits[3] == ' ')) {
        memcpy(text, digits, 3);
    }
    uint64_t status;
    http_response_begin(r);
    r->head_bytes = head_bytes;
    if (!parse_u64(text, &status) || status < 100) {
        refuse(r, "its status line is not HTTP");
        return;
    }
    r->status = (unsigned)status;
}

bool http_response_line(struct http_response *r, const char *line, size_t len)
{
    r->head_bytes += len;
    if (r->head_bytes > HTTP_HEAD_MAX) {
        refuse(r, "its head is larger than 64 KiB");
        return false;
    }
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
        len--;
    }
    if (r->complete) {
        return true;
    }
    if (len == 0) {
        r->complete = r->status >= 200;
    } else if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        take_status(r, line, len);
    } else if (r->status >= 200) {
        take_field(r, line, len);
    }
    return true;
}

uint64_t http_response_retry_after_ms(const struct http_response *r, uint64_t now_s)
{
    uint64_t wait_s = 0;
    if (r->has_retry_after_s) {
        wait_s = r->retry_after_s;
    } else if (r->has_retry_at) {
        uint64_t from_s = r->has_date ? r->date_s : now_s;
        wait_s = from_s != 0 && r->retry_at_s > from_s ? r->retry_at_s - from_s : 0;
    }
    uint64_t wait_ms;
    return u64_mul(wait_s, 1000, &wait_ms) ? wait_ms : UINT64_MAX;
}

bool http_response_is_delimited(const struct http_response *r)
{
    return r->has_length || r->chunked;
}

const char *http_status_text(unsigned status, char *buf, size_t len)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {204, " No Content"},
        {301, " Moved Permanently"},
        {302, " Found"},
        {303, " See Other"},
        {304, " Not Modified"},
        {307, " Temporary Redirect"},
        {308, " Permanent Redirect"},
        {400, " Bad Request"},
        {401, " Unauthorized"},
        {403, " Forbidden"},
        {404, " Not Found"},
        {405, " Method Not Allowed"},
        {407, " Proxy Authentication Required"},
        {408, " Request Timeout"},
        {410, " Gone"},
        {416, " Range Not Satisfiable"},
        {429, " Too Many Requests"},
        {500, " Internal Server Error"},
        {501, " Not Implemented"},
        {502, " Bad Gateway"},
        {503, " Service Unavailable"},
        {504, " Gateway Timeout"},
    };
    const char *phrase = "";
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        if (phrases[i].status == status) {
            phrase = phrases[i].phrase;
        }
    }
    snprintf(buf, len, "%u%s", status, phrase);
    return buf;
}
