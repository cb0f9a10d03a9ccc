// SPDX-License-Identifier: Apache-2.0
// A set of chunks of one image, one bit each.
//
// Invariants
// 1. Indices are below the count it was made for; another one is a bug in the caller.
#ifndef UPDATER_CHUNK_SET_H
#define UPDATER_CHUNK_SET_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdint.h>

struct chunk_set;

// Empty. `count` is the number of chunks of the image.
MUST_CHECK enum err chunk_set_new(uint32_t count, struct chunk_set **ret, struct error *e);
void chunk_set_free(struct chunk_set *s);
DEFINE_CLEANUP(chunk_set, struct chunk_set *, chunk_set_free)

void chunk_set_add(struct chunk_set *s, uint32_t index);
bool chunk_set_has(const struct chunk_set *s, uint32_t index);
void chunk_set_clear(struct chunk_set *s);
// How many chunks are in it.
uint32_t chunk_set_size(const struct chunk_set *s);

#endif
