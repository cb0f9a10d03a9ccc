// SPDX-License-Identifier: Apache-2.0
// A small manifest to spoil one key at a time, and what a reader must say about it.
#ifndef TESTS_SUPPORT_MANIFEST_SAMPLE_H
#define TESTS_SUPPORT_MANIFEST_SAMPLE_H

#include "format/manifest.h"

#include <jansson.h>

#define MANIFEST_HASH_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MANIFEST_HASH_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

// Two partitions, and no key that may be left out.
#define MANIFEST_SMALLEST                                                                          \
    "{\"compatible\":[\"board-1\"],\"created\":1700000000,\"crit\":[],\"partitions\":["            \
    "{\"count\":3,\"first\":0,\"id\":0,\"image_size\":100000,\"name\":\"rootfs\","                 \
    "\"sha256_list\":\"" MANIFEST_HASH_A "\"},"                                                    \
    "{\"count\":2,\"first\":3,\"id\":1,\"image_size\":6442450944,\"name\":\"boot\","               \
    "\"sha256_list\":\"" MANIFEST_HASH_B "\"}],"                                                   \
    "\"payload\":{\"size\":5000000000},\"product\":\"gateway\",\"release_index\":7,"               \
    "\"table\":{\"records\":5,\"sha256\":\"" MANIFEST_HASH_B                                       \
    "\",\"size\":320},\"version\":\"1.2.3\"}"

// The sample with one key of the root set, or deleted when `value` is NULL. Takes `value`.
json_t *manifest_with(const char *key, json_t *value);
// The same, of an object inside: "table", "payload", or partition `index` when `object` is NULL.
json_t *manifest_with_inside(const char *object, size_t index, const char *key, json_t *value);
// A list of `count` times the same string.
json_t *json_list_of(size_t count, const char *text);

// The running test fails unless the manifest is accepted; the caller frees it.
struct manifest *manifest_accepts_text(const char *text);
// Takes ownership of `root`.
struct manifest *manifest_accepts(json_t *root);

// The running test fails unless the manifest is refused with this sentence.
void manifest_refuses_text(const char *sentence, const char *text);
// Takes ownership of `root`.
void manifest_refuses(const char *sentence, json_t *root);

#endif
