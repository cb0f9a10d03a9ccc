// SPDX-License-Identifier: Apache-2.0
#include "updater/source_file.h"

#include "base/checked.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct source_file {
    struct source base;
    int fd;
    char *path;              // what base.name points to
    uint64_t pos;            // of the next byte to hand out
    uint64_t end;            // of the range
    struct timespec written; // to, the last time before it was opened
};

static struct source_file *file_of(struct source *s)
{
    return (struct source_file *)s;
}

static enum err fail_past_end(const struct source_file *f, uint64_t wanted, struct error *e)
{
    (void)source_fail_past_end(f->base.size_bytes, wanted, e);
    return error_context(e, "%s", f->base.name);
}

static MUST_CHECK enum err file_start(struct source *s, uint64_t off_bytes, uint64_t len_bytes,
                                      struct error *e)
{
    struct source_file *f = file_of(s);
    uint64_t end;
    if (!u64_add(off_bytes, len_bytes, &end)) {
        return fail(e, ERR_INTERNAL, 0, "%s: a range past the end of numbers", f->base.name);
    }
    if (off_bytes > s->size_bytes || (off_bytes == s->size_bytes && len_bytes > 0)) {
        return fail_past_end(f, off_bytes, e);
    }
    f->pos = off_bytes;
    f->end = end < s->size_bytes ? end : s->size_bytes;
    return OK;
}

static MUST_CHECK enum err file_read_some(struct source_file *f, uint8_t *buf, size_t len,
                                          size_t *ret_len, struct error *e)
{
    ssize_t n;
    do {
        n = pread(f->fd, buf, len, (off_t)f->pos);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return fail(e, ERR_IO, errno, "%s", f->base.name);
    }
    if (n == 0) {
        // It was long enough when it was opened.
        return fail_past_end(f, f->pos, e);
    }
    *ret_len = (size_t)n;
    return OK;
}

static MUST_CHECK enum err file_read(struct source *s, void *buf, size_t len, struct error *e)
{
    struct source_file *f = file_of(s);
    uint8_t *next = buf;
    if (len > f->end - f->pos) {
        return f->end == s->size_bytes
                   ? fail_past_end(f, f->end, e)
                   : fail(e, ERR_INTERNAL, 0, "%s: read behind the range that was started",
                          s->name);
    }
    while (len > 0) {
        size_t got = 0;
        enum err r = file_read_some(f, next, len, &got, e);
        if (r != OK) {
            return r;
        }
        next += got;
        len -= got;
        f->pos += got;
        s->fetched_bytes += got;
    }
    return OK;
}

static MUST_CHECK enum err file_expect_size(struct source *s, uint64_t file_size, struct error *e)
{
    if (file_size == s->size_bytes) {
        return OK;
    }
    (void)source_fail_size(s->size_bytes, file_size, e);
    return error_context(e, "%s", s->name);
}

static void file_cancel(struct source *s)
{
    struct source_file *f = file_of(s);
    f->pos = 0;
    f->end = 0;
}

static void file_close(struct source *s)
{
    struct source_file *f = file_of(s);
    cleanup_close(&f->fd);
    free(f->path);
    free(f);
}

static MUST_CHECK enum err file_beside(struct source *s, const char *suffix, struct source **ret,
                                       struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    if (asprintf(&path, "%s%s", file_of(s)->path, suffix) < 0) {
        path = NULL;
        return fail_memory(e);
    }
    struct stat st;
    // Nobody named it: what is no file is as good as none.
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return fail(e, ERR_IO, ENOENT, "%s", path);
    }
    return source_file_open(path, ret, e);
}

static bool file_changed(const struct source *s)
{
    struct stat st;
    const struct source_file *f = (const struct source_file *)s;
    return fstat(f->fd, &st) == 0 &&
           ((uint64_t)st.st_size != s->size_bytes || st.st_mtim.tv_sec != f->written.tv_sec ||
            st.st_mtim.tv_nsec != f->written.tv_nsec);
}

static const struct source_ops file_ops = {
    .start = file_start,
    .read = file_read,
    .expect_size = file_expect_size,
    .cancel = file_cancel,
    .close = file_close,
    .beside = file_beside,
    .changed = file_changed,
};

// To be opened is an order to some devices: a watchdog runs from then on, a tape moves. So what
// stands there is looked at first, and then that very thing is opened, whatever has its name now.
static enum err open_regular(const char *path, int *ret_fd, struct stat *ret_st, struct error *e)
{
    char self[32];
    CLEANUP(cleanup_close) int looked_at = open(path, O_PATH | O_CLOEXEC);
    if (looked_at < 0 || fstat(looked_at, ret_st) != 0) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    if (!S_ISREG(ret_st->st_mode)) {
        return fail(e, ERR_IO, 0, "%s: is not a regular file", path);
    }
    snprintf(self, sizeof self, "/proc/self/fd/%d", looked_at);
    *ret_fd = open(self, O_RDONLY | O_CLOEXEC);
    if (*ret_fd < 0 && errno == ENOENT) {
        return fail(e, ERR_IO, 0, "%s: cannot be opened, because /proc is not mounted", path);
    }
    return *ret_fd < 0 ? fail(e, ERR_IO, errno, "%s", path) : OK;
}

enum err source_file_open(const char *path, struct source **ret, struct error *e)
{
    struct source_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_source) struct source *s = &f->base;
    s->ops = &file_ops;
    struct stat st = {.st_size = 0};
    f->fd = -1;
    enum err err = open_regular(path, &f->fd, &st, e);
    if (err != OK) {
        return err;
    }
    f->path = strdup(path);
    if (f->path == NULL) {
        return fail_memory(e);
    }
    s->name = f->path;
    s->size_bytes = (uint64_t)st.st_size;
    f->written = st.st_mtim;
    *ret = TAKE_PTR(s);
    return OK;
}

static const char scheme[] = "file://";

bool source_file_is_url(const char *text)
{
    return strncasecmp(text, scheme, sizeof scheme - 1) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// In place; the text only becomes shorter. False for a %, behind which no two digits are, or %00.
static MUST_CHECK bool percent_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]);
        int low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return true;
}

enum err source_file_open_url(const char *url, struct source **ret, struct error *e)
{
    const char *host = url + sizeof scheme - 1;
    size_t host_len = strcspn(host, "/?#");
    bool local = host_len == 0 || (host_len == 9 && strncasecmp(host, "localhost", 9) == 0);
    if (!local) {
        // What stands there is not repeated: it may hold a password.
        return fail(e, ERR_USAGE, 0,
                    "a file:// URL names a file of this machine: file:///PATH, not another host");
    }
    if (host[host_len] != '/') {
        return fail(e, ERR_USAGE, 0, "%s: a file:// URL needs an absolute path: file:///PATH", url);
    }
    if (strpbrk(host, "?#") != NULL) {
        return fail(e, ERR_USAGE, 0,
                    "%s: a file has no query and no fragment; in its name ? is %%3F and # is %%23",
                    url);
    }
    CLEANUP(cleanup_free) char *path = strdup(host + host_len);
    if (path == NULL) {
        return fail_memory(e);
    }
    if (!percent_decode(path)) {
        return fail(e, ERR_USAGE, 0, "%s: %% wants two hexadecimal digits that are not 00", url);
    }
    return source_file_open(path, ret, e);
}
