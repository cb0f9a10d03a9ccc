// SPDX-License-Identifier: Apache-2.0
// The boot-environment seam: the variables the boot loader and we agree on.
//
// Invariants
// 1. load() reads the medium afresh; get() and set() work on what was loaded; commit() is exactly
//    one store of everything that was set since load(), then loads afresh and compares every
//    variable with what was meant. OK means: it is on the medium.
// 2. One decision is one load and at most one commit. Nothing is stored when nothing differs (but
//    see both_copies).
// 3. Variables that were not set keep every byte.
// 4. Nothing is ever stored after a load() that failed.
#ifndef BOOTLOADER_BOOTENV_H
#define BOOTLOADER_BOOTENV_H

#include "base/cleanup.h"
#include "base/error.h"

struct bootenv;

struct bootenv_ops {
    MUST_CHECK enum err (*load)(struct bootenv *env, struct error *e);
    // The value, owned by `env` until the next load, set or commit; NULL when absent or empty.
    const char *(*get)(const struct bootenv *env, const char *name);
    // NULL deletes. Only remembered until commit().
    MUST_CHECK enum err (*set)(struct bootenv *env, const char *name, const char *value,
                               struct error *e);
    // Stores nothing when nothing differs from what was loaded; `*ret_stored` says whether it did.
    MUST_CHECK enum err (*commit)(struct bootenv *env, bool *ret_stored, struct error *e);
    void (*close)(struct bootenv *env);
};

struct bootenv {
    const struct bootenv_ops *ops;
    unsigned copies_total; // 1 or 2; known after load()
    unsigned copies_good;  // fewer than total: one copy is damaged, the next store repairs it
    // For the next commit(): it also stores when the copy that is not in force says something else
    // than what is meant, or is damaged. Then losing one copy changes nothing. load() takes it
    // back.
    bool both_copies;
};

MUST_CHECK enum err bootenv_load(struct bootenv *env, struct error *e);
const char *bootenv_get(const struct bootenv *env, const char *name);
MUST_CHECK enum err bootenv_set(struct bootenv *env, const char *name, const char *value,
                                struct error *e);
MUST_CHECK enum err bootenv_commit(struct bootenv *env, bool *ret_stored, struct error *e);
void bootenv_close(struct bootenv *env);
DEFINE_CLEANUP(bootenv, struct bootenv *, bootenv_close)

#endif
