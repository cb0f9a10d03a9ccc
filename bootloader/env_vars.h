// SPDX-License-Identifier: Apache-2.0
// The variables of a boot environment in memory: names and values, byte for byte.
//
// Invariants
// 1. `items` is sorted by name (strcmp) and holds each name once.
// 2. A failed call leaves the list as it was.
#ifndef BOOTLOADER_ENV_VARS_H
#define BOOTLOADER_ENV_VARS_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

struct env_var {
    char *name;
    char *value; // may be ""
};

struct env_vars {
    struct env_var *items;
    size_t count;
    size_t room;
};

// Frees what the list holds and leaves an empty one.
void env_vars_clear(struct env_vars *vars);

// The value, owned by the list until it changes; NULL when there is no such name.
const char *env_vars_get(const struct env_vars *vars, const char *name);

// Adds or replaces; a NULL value deletes. The strings are copied.
MUST_CHECK enum err env_vars_set(struct env_vars *vars, const char *name, const char *value,
                                 struct error *e);

// `*ret` must be empty and gets its own strings.
MUST_CHECK enum err env_vars_copy(const struct env_vars *from, struct env_vars *ret,
                                  struct error *e);

// The first name, in order, that stands in one list only or has another value; NULL when the
// lists are equal. Owned by one of them.
const char *env_vars_difference(const struct env_vars *a, const struct env_vars *b);

#endif
