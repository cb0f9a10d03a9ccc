// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "base/hash.h"

#include <inttypes.h>
#include <string.h>

// Where the scan stands. It knows strings and brackets only; everything else is left to jansson.
struct scan {
    unsigned line;
    unsigned column;
    unsigned depth;
    bool in_string;
    bool escaped;
    char before; // the byte before this one
};

static enum err refuse(const struct scan *s, const char *why, struct error *e)
{
    return fail(e, ERR_FORMAT, 0, "json: line %u, column %u: %s", s->line, s->column, why);
}

static enum err scan_outside_string(struct scan *s, char c, struct error *e)
{
    bool after_digit = s->before >= '0' && s->before <= '9';
    switch (c) {
    case '"':
        s->in_string = true;
        return OK;
    case '{':
    case '[':
        s->depth++;
        if (s->depth > JSON_MAX_DEPTH) {
            return refuse(s, "nested deeper than 8 levels", e);
        }
        return OK;
    case '}':
    case ']':
        // Too many of them are jansson's to refuse; it stops at the first.
        s->depth -= s->depth > 0 ? 1 : 0;
        return OK;
    case '.':
    case 'e':
    case 'E':
        return after_digit ? refuse(s, "a number that is not an integer", e) : OK;
    default:
        return OK;
    }
}

static enum err scan_byte(struct scan *s, char c, struct error *e)
{
    if (c == '\0') {
        return refuse(s, "a NUL byte", e);
    }
    if (!s->in_string) {
        return scan_outside_string(s, c, e);
    }
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
    } else if (c == '"') {
        s->in_string = false;
    }
    return OK;
}

// Invariant 1: bounds the depth before jansson sees a byte. Reals are refused here too, where
// they are only a byte behind a digit, and not by a walk over the parsed tree.
static enum err scan_text(const char *text, size_t len, struct error *e)
{
    struct scan s = {.line = 1, .column = 1};
    for (size_t i = 0; i < len; i++) {
        enum err err = scan_byte(&s, text[i], e);
        if (err != OK) {
            return err;
        }
        s.before = text[i];
        s.column++;
        if (text[i] == '\n') {
            s.line++;
            s.column = 1;
        }
    }
    return OK;
}

enum err json_parse(const char *text, size_t len, json_t **ret_root, struct error *e)
{
    enum err err = scan_text(text, len, e);
    if (err != OK) {
        return err;
    }
    json_error_t je;
    CLEANUP(cleanup_json) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
    if (root == NULL) {
        return fail(e, ERR_FORMAT, 0, "json: line %d, column %d: %s", je.line, je.column, je.text);
    }
    if (!json_is_object(root)) {
        return fail(e, ERR_FORMAT, 0, "json: line 1, column 1: not an object");
    }
    *ret_root = TAKE_PTR(root);
    return OK;
}

static enum err parse_canonical(const char *text, size_t len, json_t **ret_root, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = NULL;
    enum err err = json_parse(text, len, &root, e);
    if (err != OK) {
        return err;
    }
    CLEANUP(cleanup_free) char *canonical = json_canonical(root);
    if (canonical == NULL) {
        return fail_memory(e);
    }
    size_t same = 0;
    while (same < len && canonical[same] == text[same]) {
        same++;
    }
    if (same != len || canonical[same] != '\0') {
        return fail(e, ERR_FORMAT, 0, "json: not in canonical form from byte %zu on", same);
    }
    *ret_root = TAKE_PTR(root);
    return OK;
}

static bool has_memory_for(const char *text, size_t len)
{
    CLEANUP(cleanup_json) json_t *copy = json_stringn_nocheck(text, len);
    return copy != NULL;
}

// When an allocation fails, jansson calls the text bad, or drops the byte for which the buffer of a
// token could not grow. So a refusal counts only when it comes twice and memory is there.
enum err json_parse_canonical(const char *text, size_t len, json_t **ret_root, struct error *e)
{
    enum err err = parse_canonical(text, len, ret_root, e);
    if (err == ERR_FORMAT) {
        err = parse_canonical(text, len, ret_root, e);
    }
    return err == ERR_FORMAT && !has_memory_for(text, len) ? fail_memory(e) : err;
}

struct printed {
    char *text;
    size_t len;
    size_t room;
    bool failed;
};

static int append(const char *bytes, size_t len, void *data)
{
    struct printed *p = data;
    if (!p->failed && p->room - p->len < len + 1) {
        size_t room = 2 * (p->len + len + 1);
        char *bigger = realloc(p->text, room);
        p->failed = bigger == NULL;
        p->text = p->failed ? p->text : bigger;
        p->room = p->failed ? p->room : room;
    }
    if (p->failed) {
        return -1;
    }
    memcpy(p->text + p->len, bytes, len);
    p->len += len;
    p->text[p->len] = '\0';
    return 0;
}

// Not json_dumps(): it leaves out the key for which its buffer cannot grow, and says nothing.
// Whether all of the text is there is told by `failed`, whatever jansson made of it.
char *json_print(const json_t *value, size_t flags)
{
    struct printed p = {0};
    if (json_dump_callback(value, append, &p, flags) != 0 || p.failed) {
        free(p.text);
        return NULL;
    }
    return p.text;
}

char *json_canonical(const json_t *value)
{
    return json_print(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

static enum err get(const json_t *obj, const char *key, const json_t **ret, struct error *e)
{
    *ret = json_object_get(obj, key);
    if (*ret == NULL) {
        return fail(e, ERR_FORMAT, 0, "json: member \"%s\" is missing", key);
    }
    return OK;
}

enum err json_get_u64(const json_t *obj, const char *key, uint64_t *ret, struct error *e)
{
    const json_t *v;
    enum err err = get(obj, key, &v, e);
    if (err != OK) {
        return err;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0) {
        return fail(e, ERR_FORMAT, 0, "json: member \"%s\" is not a number from 0 to %" PRId64, key,
                    INT64_MAX);
    }
    *ret = (uint64_t)json_integer_value(v);
    return OK;
}

enum err json_get_string(const json_t *obj, const char *key, const char **ret, struct error *e)
{
    const json_t *v;
    enum err err = get(obj, key, &v, e);
    if (err != OK) {
        return err;
    }
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v)) {
        return fail(e, ERR_FORMAT, 0, "json: member \"%s\" is not a string", key);
    }
    *ret = json_string_value(v);
    return OK;
}

enum err json_get_sha256(const json_t *obj, const char *key, uint8_t ret[32], struct error *e)
{
    const char *text = NULL;
    enum err err = json_get_string(obj, key, &text, e);
    if (err != OK) {
        return err;
    }
    if (!hex_decode(text, SHA256_SIZE, ret)) {
        return fail(e, ERR_FORMAT, 0,
                    "json: member \"%s\" is not a SHA-256 of 64 lower-case hex digits", key);
    }
    return OK;
}
