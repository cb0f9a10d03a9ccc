// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include "base/cleanup.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { COMPARE_BYTES = 16 * 1024 };

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

// --- replacing ----------------------------------------------------------------------------------

// "DIR/.NAME.new" for "DIR/NAME"; `*ret_dir` ends in a slash.
static enum err temp_names(const char *path, char **ret_dir, char **ret_temp, struct error *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (*name == '\0') {
        return fail(e, ERR_IO, EISDIR, "%s: replace", path);
    }
    // The slash stays, so that "/name" gives "/".
    CLEANUP(cleanup_free)
    char *dir = slash == NULL ? strdup("./") : strndup(path, (size_t)(name - path));
    if (dir == NULL || asprintf(ret_temp, "%s.%s.new", dir, name) < 0) {
        *ret_temp = NULL;
        return fail_memory(e);
    }
    *ret_dir = TAKE_PTR(dir);
    return OK;
}

static enum err open_temp(const char *path, char **ret_dir, char **ret_temp, int *ret_fd,
                          struct error *e)
{
    enum err err = temp_names(path, ret_dir, ret_temp, e);
    if (err != OK) {
        return err;
    }
    assert(*ret_temp != NULL);
    // What a killed process left is taken away, not gone on with.
    unlink(*ret_temp);
    int fd = open(*ret_temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: create a temporary file beside it", path);
    }
    *ret_fd = fd;
    return OK;
}

static enum err fill(int fd, const struct file_part *parts, size_t count, struct error *e)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = write_all(fd, parts[i].data, parts[i].len, e);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err sync_file(int fd, struct error *e)
{
    return fsync(fd) == 0 ? OK : fail(e, ERR_IO, errno, "sync");
}

static enum err sync_directory(const char *dir, struct error *e)
{
    CLEANUP(cleanup_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(e, ERR_IO, errno, "%s: sync the directory", dir);
    }
    return OK;
}

enum err file_replace(const char *path, const struct file_part *parts, size_t count, unsigned mode,
                      struct error *e)
{
    CLEANUP(cleanup_free) char *dir = NULL;
    CLEANUP(cleanup_free) char *temp = NULL;
    CLEANUP(cleanup_close) int fd = -1;
    enum err err = open_temp(path, &dir, &temp, &fd, e);
    if (err != OK) {
        return err;
    }
    err = fill(fd, parts, count, e);
    if (err == OK && fchmod(fd, (mode_t)mode) != 0) {
        err = fail(e, ERR_IO, errno, "set the mode");
    }
    if (err == OK) {
        err = sync_file(fd, e);
    }
    if (err == OK && rename(temp, path) != 0) {
        err = fail(e, ERR_IO, errno, "rename over the old file");
    }
    if (err != OK) {
        unlink(temp);
        return error_context(e, "%s", path);
    }
    return sync_directory(dir, e);
}

enum err file_try_replace(const char *path, const struct file_part *parts, size_t count,
                          struct error *e)
{
    CLEANUP(cleanup_free) char *dir = NULL;
    CLEANUP(cleanup_free) char *temp = NULL;
    CLEANUP(cleanup_close) int fd = -1;
    enum err err = open_temp(path, &dir, &temp, &fd, e);
    if (err != OK) {
        return err;
    }
    err = fill(fd, parts, count, e);
    if (err == OK) {
        err = sync_file(fd, e);
    }
    unlink(temp);
    return err == OK ? OK : error_context(e, "%s", path);
}

enum err file_remove(const char *path, struct error *e)
{
    return unlink(path) == 0 || errno == ENOENT ? OK : fail(e, ERR_IO, errno, "%s: remove", path);
}

// --- comparing ----------------------------------------------------------------------------------

// Up to `len` bytes; fewer only at the end of the file.
static enum err read_piece(int fd, uint8_t *buf, size_t len, size_t *ret_len, struct error *e)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, buf + got, len - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_IO, errno, "read");
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    *ret_len = got;
    return OK;
}

enum err file_each(const char *path, file_taker take, void *context, struct error *e)
{
    uint8_t piece[FILE_PIECE_BYTES];
    CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    for (size_t len = sizeof piece; len == sizeof piece;) {
        enum err err = read_piece(fd, piece, sizeof piece, &len, e);
        if (err != OK) {
            return error_context(e, "%s", path);
        }
        err = len > 0 ? take(context, piece, len, e) : OK;
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

// Whether the file goes on with the part.
static enum err part_is_next(int fd, const struct file_part *part, bool *ret_same, struct error *e)
{
    uint8_t piece[COMPARE_BYTES];
    const uint8_t *p = part->data;
    size_t left = part->len;
    size_t got = 0;
    *ret_same = true;
    while (left > 0 && *ret_same) {
        size_t want = left < sizeof piece ? left : sizeof piece;
        enum err err = read_piece(fd, piece, want, &got, e);
        if (err != OK) {
            return err;
        }
        *ret_same = got == want && memcmp(piece, p, want) == 0;
        p += want;
        left -= want;
    }
    return OK;
}

static enum err compare(int fd, const struct file_part *parts, size_t count, bool *ret_same,
                        struct error *e)
{
    uint8_t more;
    size_t got = 0;
    bool same = true;
    enum err err = OK;
    for (size_t i = 0; err == OK && same && i < count; i++) {
        err = part_is_next(fd, &parts[i], &same, e);
    }
    if (err == OK && same) {
        err = read_piece(fd, &more, 1, &got, e);
    }
    *ret_same = same && got == 0;
    return err;
}

enum err file_holds(const char *path, const struct file_part *parts, size_t count, bool *ret_same,
                    struct error *e)
{
    bool same = false;
    struct stat st;
    // Not what a link leads to, and no FIFO that somebody else put there is waited for: it is not
    // the file that a replacement would make.
    CLEANUP(cleanup_close)
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENXIO) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    bool is_file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (is_file && compare(fd, parts, count, &same, e) != OK) {
        return error_context(e, "%s", path);
    }
    *ret_same = same;
    return OK;
}
