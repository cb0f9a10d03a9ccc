// SPDX-License-Identifier: Apache-2.0
// Strict JSON on top of jansson: bounded depth before parsing, no duplicate keys, integers only,
// and one canonical text per value.
//
// Invariants
// 1. json_parse() never recurses deeper than JSON_MAX_DEPTH: the text is scanned first, because
//    jansson recurses over its input.
// 2. json_canonical() of what json_parse_canonical() accepted gives the same bytes back.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/cleanup.h"
#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 8 };

DEFINE_CLEANUP(json, json_t *, json_decref)

// One JSON object; UTF-8, depth <= 8, no duplicate keys, no reals, nothing behind it but white
// space. Errors are ERR_FORMAT and name the line and column. The caller owns `*ret_root`.
MUST_CHECK enum err json_parse(const char *text, size_t len, json_t **ret_root, struct error *e);

// The same, and the text must be its own canonical form. Memory that ran out is never called an
// error of the text here; jansson alone cannot tell the two apart.
MUST_CHECK enum err json_parse_canonical(const char *text, size_t len, json_t **ret_root,
                                         struct error *e);

// The text of a value, with jansson's flags of json_dumps(). malloced, NUL behind it; whole, or
// NULL when out of memory.
char *json_print(const json_t *value, size_t flags);

// The same with keys sorted and no white space.
char *json_canonical(const json_t *value);

// Members of an object, each with the kind checked; a missing or mistyped one is ERR_FORMAT and
// names the key.
MUST_CHECK enum err json_get_u64(const json_t *obj, const char *key, uint64_t *ret,
                                 struct error *e);
MUST_CHECK enum err json_get_string(const json_t *obj, const char *key, const char **ret,
                                    struct error *e);
MUST_CHECK enum err json_get_sha256(const json_t *obj, const char *key, uint8_t ret[32],
                                    struct error *e);

#endif
