// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

// Grows `*buf` to hold `need` bytes; a file may be longer than its stat said (procfs says 0).
static enum err grow(uint8_t **buf, size_t *cap, size_t need, struct error *e)
{
    if (need <= *cap) {
        return OK;
    }
    size_t bigger = *cap * 2 > need ? *cap * 2 : need;
    uint8_t *p = realloc(*buf, bigger);
    if (p == NULL) {
        return fail_memory(e);
    }
    *buf = p;
    *cap = bigger;
    return OK;
}

static size_t size_hint(int fd, size_t max)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0) {
        return 4096;
    }
    return (uint64_t)st.st_size < max ? (size_t)st.st_size : max;
}

enum err file_read(const char *path, size_t max, uint8_t **ret_data, size_t *ret_len,
                   struct error *e)
{
    CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    CLEANUP(cleanup_free) uint8_t *buf = NULL;
    size_t cap = 0;
    size_t len = 0;
    // Two bytes more than the hint: the end is seen without growing, and the NUL fits.
    enum err err = grow(&buf, &cap, size_hint(fd, max) + 2, e);
    while (err == OK) {
        ssize_t n = read(fd, buf + len, cap - 1 - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_IO, errno, "%s: read", path);
        }
        len += (size_t)n;
        if (len > max) {
            return fail(e, ERR_FORMAT, 0, "%s: larger than the allowed %zu bytes", path, max);
        }
        if (n == 0) {
            break;
        }
        err = len + 1 < cap ? OK : grow(&buf, &cap, cap + 1, e);
    }
    if (err != OK) {
        return err;
    }
    buf[len] = 0;
    *ret_len = len;
    *ret_data = TAKE_PTR(buf);
    return OK;
}

enum err write_all(int fd, const void *data, size_t len, struct error *e)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail(e, ERR_IO, n < 0 ? errno : EIO, "write");
        }
        p += n;
        len -= (size_t)n;
    }
    return OK;
}

static enum err fill(int fd, const void *data, size_t len, unsigned mode, struct error *e)
{
    enum err err = write_all(fd, data, len, e);
    if (err != OK) {
        return err;
    }
    if (fchmod(fd, (mode_t)mode) != 0) {
        return fail(e, ERR_IO, errno, "set the mode");
    }
    if (fsync(fd) != 0) {
        return fail(e, ERR_IO, errno, "sync");
    }
    return OK;
}

// `temp` exists and is removed again when anything fails before it has become `path`.
static enum err fill_and_rename(int fd, const char *temp, const char *path, const void *data,
                                size_t len, unsigned mode, struct error *e)
{
    enum err err = fill(fd, data, len, mode, e);
    if (err == OK && rename(temp, path) != 0) {
        err = fail(e, ERR_IO, errno, "rename over the old file");
    }
    if (err != OK) {
        unlink(temp);
        return error_context(e, "%s", path);
    }
    return OK;
}

static enum err sync_directory(const char *dir, struct error *e)
{
    CLEANUP(cleanup_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(e, ERR_IO, errno, "%s: sync the directory", dir);
    }
    return OK;
}

enum err file_replace(const char *path, const void *data, size_t len, unsigned mode,
                      struct error *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (*name == '\0') {
        return fail(e, ERR_IO, EISDIR, "%s: replace", path);
    }
    CLEANUP(cleanup_free) char *dir = NULL;
    // The slash stays, so that "/name" gives "/".
    dir = slash == NULL ? strdup("./") : strndup(path, (size_t)(name - path));
    CLEANUP(cleanup_free) char *temp = NULL;
    if (dir == NULL || asprintf(&temp, "%s.%s.XXXXXX", dir, name) < 0) {
        temp = NULL;
        return fail_memory(e);
    }
    CLEANUP(cleanup_close) int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: create a temporary file beside it", path);
    }
    enum err err = fill_and_rename(fd, temp, path, data, len, mode, e);
    if (err != OK) {
        return err;
    }
    return sync_directory(dir, e);
}
