// SPDX-License-Identifier: Apache-2.0
#include "base/blk_file.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct blk_file {
    struct blk base; // first, so that the two pointers are one
    int fd;          // buffered
    int direct_fd;   // O_DIRECT; -1 where the file system does not take it
    // Cleared at the first EINVAL. Atomic, because readers of one device may run in parallel.
    atomic_bool direct_works;
    bool is_device;
    bool writable;
    char *path;
};

// Aligned, so that zeros take the direct path where they can.
static const uint8_t zero_block[64 * 1024] __attribute__((aligned(BLK_ALIGN)));

static struct blk_file *file_of(struct blk *b)
{
    return (struct blk_file *)b;
}

// On a device whole sectors are enough, and must do: through the cache, what is less than a block
// of the kernel's would take its neighbours along to the medium.
static bool is_aligned(const struct blk_file *f, const void *buf, size_t len, uint64_t off_bytes)
{
    uint64_t align = f->is_device ? f->base.sector_bytes : BLK_ALIGN;
    return (((uintptr_t)buf | len | off_bytes) & (align - 1)) == 0;
}

// Invariant 1 of blk.h. The kernel keeps both descriptors coherent: a direct call first writes
// back, and afterwards drops, the cached pages of its range.
static int pick_fd(struct blk_file *f, const void *buf, size_t len, uint64_t off_bytes)
{
    if (f->direct_fd >= 0 && atomic_load(&f->direct_works) && is_aligned(f, buf, len, off_bytes)) {
        return f->direct_fd;
    }
    return f->fd;
}

// Whether a call that failed with `sys` on `fd` is to be made again.
static bool try_again(struct blk_file *f, int fd, int sys)
{
    if (sys == EINTR) {
        return true;
    }
    if (sys == EINVAL && fd == f->direct_fd) {
        atomic_store(&f->direct_works, false);
        return true;
    }
    return false;
}

static enum err file_pread(struct blk *b, void *buf, size_t len, uint64_t off_bytes,
                           struct error *e)
{
    struct blk_file *f = file_of(b);
    uint8_t *p = buf;
    while (len > 0) {
        int fd = pick_fd(f, p, len, off_bytes);
        ssize_t n = pread(fd, p, len, (off_t)off_bytes);
        if (n < 0 && try_again(f, fd, errno)) {
            continue;
        }
        if (n < 0) {
            return fail(e, ERR_IO, errno, "%s: read at %" PRIu64, b->name, off_bytes);
        }
        if (n == 0) {
            return fail(e, ERR_IO, 0, "%s: ends at %" PRIu64 ", before its size when opened",
                        b->name, off_bytes);
        }
        p += n;
        len -= (size_t)n;
        off_bytes += (uint64_t)n;
    }
    return OK;
}

static enum err check_writable(const struct blk_file *f, struct error *e)
{
    if (!f->writable) {
        return fail(e, ERR_INTERNAL, 0, "%s: write to a device opened for reading", f->base.name);
    }
    return OK;
}

static enum err file_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off_bytes,
                            struct error *e)
{
    struct blk_file *f = file_of(b);
    enum err err = check_writable(f, e);
    if (err != OK) {
        return err;
    }
    const uint8_t *p = buf;
    while (len > 0) {
        int fd = pick_fd(f, p, len, off_bytes);
        ssize_t n = pwrite(fd, p, len, (off_t)off_bytes);
        if (n < 0 && try_again(f, fd, errno)) {
            continue;
        }
        if (n <= 0) {
            return fail(e, ERR_IO, n < 0 ? errno : EIO, "%s: write at %" PRIu64, b->name,
                        off_bytes);
        }
        p += n;
        len -= (size_t)n;
        off_bytes += (uint64_t)n;
    }
    return OK;
}

static enum err write_zeros(struct blk *b, uint64_t off_bytes, uint64_t len_bytes, struct error *e)
{
    while (len_bytes > 0) {
        // Up to the next multiple of the block, so that all but the edges is aligned.
        uint64_t n = sizeof zero_block - off_bytes % sizeof zero_block;
        n = n < len_bytes ? n : len_bytes;
        enum err err = file_pwrite(b, zero_block, (size_t)n, off_bytes, e);
        if (err != OK) {
            return err;
        }
        off_bytes += n;
        len_bytes -= n;
    }
    return OK;
}

static int fallocate_again(int fd, int mode, uint64_t off_bytes, uint64_t len_bytes)
{
    int rc;
    do {
        rc = fallocate(fd, mode, (off_t)off_bytes, (off_t)len_bytes);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

// False on any refusal; the range is then in no known state and is written instead.
static bool zero_without_data(struct blk_file *f, uint64_t off_bytes, uint64_t len_bytes)
{
    if (f->is_device) {
        uint64_t range[2] = {off_bytes, len_bytes};
        return ioctl(f->fd, BLKZEROOUT, range) == 0;
    }
    return fallocate_again(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off_bytes,
                           len_bytes) == 0 ||
           fallocate_again(f->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, off_bytes,
                           len_bytes) == 0;
}

static enum err file_zero_range(struct blk *b, uint64_t off_bytes, uint64_t len_bytes,
                                struct error *e)
{
    struct blk_file *f = file_of(b);
    enum err err = check_writable(f, e);
    if (err != OK) {
        return err;
    }
    uint64_t end = off_bytes + len_bytes; // inside the device: blk_zero_range() checked it
    uint64_t middle;
    uint64_t middle_end = u64_align_down(end, BLK_ALIGN);
    if (!u64_align_up(off_bytes, BLK_ALIGN, &middle) || middle >= middle_end ||
        !zero_without_data(f, middle, middle_end - middle)) {
        return write_zeros(b, off_bytes, len_bytes, e);
    }
    err = write_zeros(b, off_bytes, middle - off_bytes, e);
    if (err != OK) {
        return err;
    }
    return write_zeros(b, middle_end, end - middle_end, e);
}

static enum err file_sync(struct blk *b, struct error *e)
{
    struct blk_file *f = file_of(b);
    if (fdatasync(f->fd) != 0) {
        return fail(e, ERR_IO, errno, "%s: sync", b->name);
    }
    int sys = posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
    if (sys != 0) {
        return fail(e, ERR_IO, sys, "%s: drop the cached pages", b->name);
    }
    return OK;
}

static void file_close(struct blk *b)
{
    struct blk_file *f = file_of(b);
    cleanup_close(&f->direct_fd);
    cleanup_close(&f->fd);
    free(f->path);
    free(f);
}

static const struct blk_ops file_ops = {
    .pread = file_pread,
    .pwrite = file_pwrite,
    .zero_range = file_zero_range,
    .sync = file_sync,
    .close = file_close,
};

static enum err stat_path(const char *path, struct stat *ret, struct error *e)
{
    if (stat(path, ret) == 0) {
        return OK;
    }
    bool missing = errno == ENOENT || errno == ENOTDIR;
    return fail(e, missing ? ERR_CONFIG : ERR_IO, errno, "slot device %s", path);
}

static enum err fail_open(const char *path, int sys, struct error *e)
{
    switch (sys) {
    case EBUSY:
        return fail(e, ERR_NOT_NOW, sys, "slot device %s is mounted or in use", path);
    case ENOENT:
    case ENOTDIR:
        return fail(e, ERR_CONFIG, sys, "slot device %s", path);
    default:
        return fail(e, ERR_IO, sys, "slot device %s: open", path);
    }
}

static enum err read_geometry(struct blk_file *f, const struct stat *st, struct error *e)
{
    f->base.size_bytes = (uint64_t)st->st_size;
    f->base.sector_bytes = 512;
    if (!f->is_device) {
        return OK;
    }
    int sector = 0;
    if (ioctl(f->fd, BLKGETSIZE64, &f->base.size_bytes) != 0 ||
        ioctl(f->fd, BLKSSZGET, &sector) != 0) {
        return fail(e, ERR_IO, errno, "slot device %s: ask for its size", f->base.name);
    }
    if (sector < 512 || sector > BLK_ALIGN || (sector & (sector - 1)) != 0) {
        return fail(e, ERR_IO, 0, "slot device %s: sectors of %d bytes are not supported",
                    f->base.name, sector);
    }
    f->base.sector_bytes = (uint32_t)sector;
    return OK;
}

// Without O_EXCL: the buffered descriptor holds the claim. The path may lead elsewhere by now, so
// what it opened is compared; any failure only costs speed.
static int open_direct(const char *path, int flags, const struct stat *st)
{
    CLEANUP(cleanup_close) int fd = open(path, (flags & ~O_EXCL) | O_DIRECT);
    struct stat now;
    if (fd < 0 || fstat(fd, &now) != 0 || now.st_dev != st->st_dev || now.st_ino != st->st_ino ||
        now.st_rdev != st->st_rdev) {
        return -1;
    }
    return TAKE_FD(fd);
}

DEFINE_CLEANUP(blk, struct blk *, blk_close)

enum err blk_file_open(const char *path, enum blk_mode mode, struct blk **ret_blk, struct error *e)
{
    struct stat st;
    enum err err = stat_path(path, &st, e);
    if (err != OK) {
        return err;
    }
    if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)) {
        return fail(e, ERR_CONFIG, 0, "slot device %s is neither a block device nor a file", path);
    }
    struct blk_file *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_blk) struct blk *b = &f->base;
    b->ops = &file_ops;
    f->direct_fd = f->fd = -1;
    f->is_device = S_ISBLK(st.st_mode);
    f->writable = mode == BLK_READ_WRITE;
    b->name = f->path = strdup(path);
    if (f->path == NULL) {
        return fail_memory(e);
    }
    int flags = O_CLOEXEC | (f->writable ? O_RDWR : O_RDONLY);
    flags |= f->writable && f->is_device ? O_EXCL : 0;
    f->fd = open(path, flags);
    // Again, of what was really opened.
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        return fail_open(path, errno, e);
    }
    if (f->is_device ? !S_ISBLK(st.st_mode) : !S_ISREG(st.st_mode)) {
        return fail(e, ERR_CONFIG, 0, "slot device %s changed while it was opened", path);
    }
    err = read_geometry(f, &st, e);
    if (err != OK) {
        return err;
    }
    f->direct_fd = open_direct(path, flags, &st);
    atomic_init(&f->direct_works, f->direct_fd >= 0);
    *ret_blk = TAKE_PTR(b);
    return OK;
}

enum err blk_file_same(const char *path_a, const char *path_b, bool *ret_same, struct error *e)
{
    struct stat a;
    struct stat b;
    enum err err = stat_path(path_a, &a, e);
    if (err != OK) {
        return err;
    }
    err = stat_path(path_b, &b, e);
    if (err != OK) {
        return err;
    }
    bool same_device = S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev;
    *ret_same = same_device || (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
    return OK;
}
