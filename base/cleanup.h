// SPDX-License-Identifier: Apache-2.0
// Ownership by scope: a variable marked CLEANUP(f) is released by f when its scope ends.
//
// Invariants
// 1. Every release function accepts an empty value (NULL, -1) and does nothing with it.
// 2. Ownership leaves a scope only by TAKE_PTR or TAKE_FD, which leave the empty value behind.
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(f) __attribute__((cleanup(f)))

#define TAKE_PTR(p)                                                                                \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
#define TAKE_FD(fd) take_fd(&(fd))

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

// Keeps errno: a failing function reports the errno of its own call.
static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

static inline void cleanup_fclose(FILE **f)
{
    if (*f != NULL) {
        fclose(*f);
    }
}

// Defines cleanup_NAME() for a type that is released by `release(p)`.
#define DEFINE_CLEANUP(name, type, release)                                                        \
    static inline void cleanup_##name(type *p)                                                     \
    {                                                                                              \
        if (*p != NULL) {                                                                          \
            release(*p);                                                                           \
        }                                                                                          \
    }

#endif
