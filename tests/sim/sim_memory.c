// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_memory.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// The linker sends a call of NAME to __wrap_NAME, and __real_NAME to the C library.
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__real_reallocarray(void *old, size_t count, size_t len);
void *__real_aligned_alloc(size_t alignment, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t max);
int __real_vasprintf(char **ret, const char *fmt, va_list args);
int __real___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args);
FILE *__real_open_memstream(char **ret, size_t *ret_len);
char *__real_realpath(const char *path, char *buf);
int __real_scandir(const char *dir, struct dirent ***ret, int (*wanted)(const struct dirent *),
                   int (*order)(const struct dirent **, const struct dirent **));

void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void *__wrap_reallocarray(void *old, size_t count, size_t len);
void *__wrap_aligned_alloc(size_t alignment, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);
int __wrap_asprintf(char **ret, const char *fmt, ...);
int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...);
int __wrap_vasprintf(char **ret, const char *fmt, va_list args);
int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args);
FILE *__wrap_open_memstream(char **ret, size_t *ret_len);
char *__wrap_realpath(const char *path, char *buf);
int __wrap_scandir(const char *dir, struct dirent ***ret, int (*wanted)(const struct dirent *),
                   int (*order)(const struct dirent **, const struct dirent **));

// malloc() has no parameter that could carry it.
static struct sim *armed;

static bool fails(void)
{
    if (__builtin_expect(armed == NULL, 1) || sim_call(armed, SIM_MEMORY) == 0) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return fails() ? NULL : __real_realloc(old, len);
}

void *__wrap_reallocarray(void *old, size_t count, size_t len)
{
    return fails() ? NULL : __real_reallocarray(old, count, len);
}

void *__wrap_aligned_alloc(size_t alignment, size_t len)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, len);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t max)
{
    return fails() ? NULL : __real_strndup(text, max);
}

// Invariant 2: some C libraries set the pointer to NULL, some leave it alone.
static int fail_text(char **ret)
{
    *ret = (char *)(uintptr_t)1;
    return -1;
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list args)
{
    return fails() ? fail_text(ret) : __real_vasprintf(ret, fmt, args);
}

int __wrap_asprintf(char **ret, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = __wrap_vasprintf(ret, fmt, args);
    va_end(args);
    return n;
}

int __wrap___vasprintf_chk(char **ret, int flag, const char *fmt, va_list args)
{
    return fails() ? fail_text(ret) : __real___vasprintf_chk(ret, flag, fmt, args);
}

int __wrap___asprintf_chk(char **ret, int flag, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = __wrap___vasprintf_chk(ret, flag, fmt, args);
    va_end(args);
    return n;
}

FILE *__wrap_open_memstream(char **ret, size_t *ret_len)
{
    return fails() ? NULL : __real_open_memstream(ret, ret_len);
}

// With a buffer of the caller's nothing is allocated.
char *__wrap_realpath(const char *path, char *buf)
{
    return buf == NULL && fails() ? NULL : __real_realpath(path, buf);
}

int __wrap_scandir(const char *dir, struct dirent ***ret, int (*wanted)(const struct dirent *),
                   int (*order)(const struct dirent **, const struct dirent **))
{
    return fails() ? -1 : __real_scandir(dir, ret, wanted, order);
}

void sim_memory_arm(struct sim *sim)
{
    armed = sim;
    // What jansson gives out is freed by free() in either case.
    json_set_alloc_funcs(__wrap_malloc, free);
}

struct sim *sim_memory_disarm(void)
{
    struct sim *was = armed;
    armed = NULL;
    return was;
}

void *sim_memory_real_alloc(size_t len)
{
    return __real_malloc(len);
}

void sim_memory_keep(void)
{
    // The largest threshold there is: half a heap of malloc's, 32 MiB where a pointer has 64 bits.
    const int threshold = (int)(4 * 1024 * 1024 * sizeof(long));
    mallopt(M_MMAP_THRESHOLD, threshold);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 4 << 20);
}
