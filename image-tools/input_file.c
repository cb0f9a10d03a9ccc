// SPDX-License-Identifier: Apache-2.0
#include "image-tools/input_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum { BUFFER_SIZE = 4 * 1024 * 1024 };

struct input_file {
    const char *path;
    int fd;
    struct stat at_open;
    uint64_t size;
    uint64_t pos; // start of the window
    // The buffer holds the file's bytes [buffer_off, buffer_off + buffer_len).
    uint8_t *buffer;
    uint64_t buffer_off;
    size_t buffer_len;
    uint8_t *zeros; // INPUT_WINDOW of them
    // What is known of the file around the last place that was asked about.
    struct {
        uint64_t off;
        uint64_t end;
        bool hole;
    } extent;
};

static size_t min_size(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static enum err find_size(struct input_file *in, struct error *e)
{
    if (fstat(in->fd, &in->at_open) != 0) {
        return fail(e, ERR_IO, errno, "%s", in->path);
    }
    if (!S_ISREG(in->at_open.st_mode) && !S_ISBLK(in->at_open.st_mode)) {
        return fail(e, ERR_IO, 0, "%s: it is neither a file nor a block device", in->path);
    }
    // For a block device st_size is 0, but seeking to its end works.
    off_t end = lseek(in->fd, 0, SEEK_END);
    if (end < 0) {
        return fail(e, ERR_IO, errno, "%s: find its size", in->path);
    }
    if (end == 0) {
        return fail(e, ERR_USAGE, 0, "%s: it is empty, there is nothing to install", in->path);
    }
    in->size = (uint64_t)end;
    return OK;
}

enum err input_file_open(const char *path, struct input_file **ret, struct error *e)
{
    CLEANUP(cleanup_input_file) struct input_file *in = calloc(1, sizeof(*in));
    if (in == NULL) {
        return fail_memory(e);
    }
    in->path = path;
    // Not to wait for a writer, should it be a FIFO.
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in->fd < 0) {
        return fail(e, ERR_IO, errno, "%s: open", path);
    }
    enum err err = find_size(in, e);
    if (err != OK) {
        return err;
    }
    in->buffer = malloc(BUFFER_SIZE);
    in->zeros = calloc(1, INPUT_WINDOW);
    if (in->buffer == NULL || in->zeros == NULL) {
        return fail_memory(e);
    }
    // Only a hint to read ahead further.
    (void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *ret = TAKE_PTR(in);
    return OK;
}

void input_file_free(struct input_file *in)
{
    if (in == NULL) {
        return;
    }
    cleanup_close(&in->fd);
    free(in->buffer);
    free(in->zeros);
    free(in);
}

uint64_t input_file_size(const struct input_file *in)
{
    return in->size;
}

uint64_t input_file_left(const struct input_file *in)
{
    return in->size - in->pos;
}

bool input_file_is(const struct input_file *in, const struct stat *st)
{
    return in->at_open.st_dev == st->st_dev && in->at_open.st_ino == st->st_ino;
}

// Makes in->extent cover `off`. Where nothing is known of holes, all is data.
static void find_extent(struct input_file *in, uint64_t off)
{
    if (off >= in->extent.off && off < in->extent.end) {
        return;
    }
    off_t data = lseek(in->fd, (off_t)off, SEEK_DATA);
    bool hole = data > (off_t)off || (data < 0 && errno == ENXIO);
    off_t end = data;
    if (!hole) {
        end = lseek(in->fd, (off_t)off, SEEK_HOLE);
    }
    in->extent.off = off;
    in->extent.end = end > (off_t)off ? (uint64_t)end : in->size;
    in->extent.hole = hole;
}

static enum err read_at(const struct input_file *in, uint8_t *buf, size_t len, uint64_t off,
                        struct error *e)
{
    while (len > 0) {
        ssize_t n = pread(in->fd, buf, len, (off_t)off);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_IO, errno, "%s: read", in->path);
        }
        if (n == 0) {
            return fail(e, ERR_IO, 0, "%s: it shrank to %" PRIu64 " bytes while it was read",
                        in->path, off);
        }
        buf += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return OK;
}

// Appends data or zeros up to the end of the extent, of the file, or of the buffer.
static enum err fill_some(struct input_file *in, struct error *e)
{
    uint64_t off = in->buffer_off + in->buffer_len;
    find_extent(in, off);
    uint64_t end = in->extent.end < in->size ? in->extent.end : in->size;
    size_t len = min_size(end - off, BUFFER_SIZE - in->buffer_len);
    uint8_t *at = in->buffer + in->buffer_len;
    if (in->extent.hole) {
        memset(at, 0, len);
    } else {
        enum err err = read_at(in, at, len, off, e);
        if (err != OK) {
            return err;
        }
    }
    in->buffer_len += len;
    return OK;
}

// Moves what is still wanted of the buffer to its start.
static void drop_behind(struct input_file *in)
{
    uint64_t end = in->buffer_off + in->buffer_len;
    size_t keep = 0;
    if (in->pos >= in->buffer_off && in->pos < end) {
        keep = (size_t)(end - in->pos);
        memmove(in->buffer, in->buffer + in->buffer_len - keep, keep);
    }
    in->buffer_off = in->pos;
    in->buffer_len = keep;
}

enum err input_file_window(struct input_file *in, const uint8_t **ret_data, size_t *ret_len,
                           size_t *ret_hole, struct error *e)
{
    size_t want = min_size(in->size - in->pos, INPUT_WINDOW);
    find_extent(in, in->pos);
    size_t hole = in->extent.hole ? min_size(in->extent.end - in->pos, want) : 0;
    if (hole == want) {
        *ret_data = in->zeros;
        *ret_len = want;
        *ret_hole = hole;
        return OK;
    }
    if (in->pos < in->buffer_off || in->pos + want > in->buffer_off + in->buffer_len) {
        drop_behind(in);
        while (in->buffer_len < want) {
            enum err err = fill_some(in, e);
            if (err != OK) {
                return err;
            }
        }
    }
    *ret_data = in->buffer + (in->pos - in->buffer_off);
    *ret_len = want;
    *ret_hole = hole;
    return OK;
}

void input_file_advance(struct input_file *in, size_t len)
{
    in->pos += len;
}

void input_file_rewind(struct input_file *in)
{
    in->pos = 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

enum err input_file_check_unchanged(const struct input_file *in, struct error *e)
{
    struct stat now;
    if (fstat(in->fd, &now) != 0) {
        return fail(e, ERR_IO, errno, "%s", in->path);
    }
    // The time of change follows every write and cannot be set back. It moves in ticks, so that the
    // size tells what happened within one.
    if (S_ISREG(now.st_mode) &&
        (now.st_size != in->at_open.st_size || !same_time(&now.st_ctim, &in->at_open.st_ctim))) {
        return fail(e, ERR_IO, 0, "%s: it changed while it was read; build again", in->path);
    }
    return OK;
}
