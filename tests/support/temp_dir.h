// SPDX-License-Identifier: Apache-2.0
// A directory for one test, on a real file system, removed with all it holds afterwards.
//
//     cmocka_unit_test_setup_teardown(a_name, temp_dir_make, temp_dir_remove)
//
// The state of the test is then the path (const char *).
#ifndef TESTS_SUPPORT_TEMP_DIR_H
#define TESTS_SUPPORT_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int temp_dir_make(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/vv-test.XXXXXX", base != NULL ? base : "/tmp") < 0) {
        return -1;
    }
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static inline int temp_dir_remove_one(const char *path, const struct stat *st, int kind,
                                      struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline int temp_dir_remove(void **state)
{
    char *path = *state;
    int rc = nftw(path, temp_dir_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
    return rc;
}

// DIR/NAME in a caller-owned buffer.
static inline const char *temp_dir_path(char *buf, size_t len, const char *dir, const char *name)
{
    snprintf(buf, len, "%s/%s", dir, name);
    return buf;
}

#endif
