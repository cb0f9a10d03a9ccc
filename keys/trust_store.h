// SPDX-License-Identifier: Apache-2.0
// The anchors of one trust directory: what stands behind `struct trust_store` inside this room.
#ifndef KEYS_TRUST_STORE_H
#define KEYS_TRUST_STORE_H

#include "keys/anchor.h"

#include <stddef.h>

struct trust_store {
    struct anchor *anchors; // at least one once trust_store_load() returned it
    size_t count;
};

#endif
