// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_fs_calls.h"

#include "tests/sim/sim_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The linker sends a call of NAME to __wrap_NAME, and __real_NAME to the C library.
int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_fstat(int fd, struct stat *ret);
int __real_stat(const char *path, struct stat *ret);
int __real_fchmod(int fd, mode_t mode);

int __wrap_open(const char *path, int flags, ...);
int __wrap___open_2(const char *path, int flags);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap___read_chk(int fd, void *buf, size_t len, size_t buf_len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_fstat(int fd, struct stat *ret);
int __wrap_stat(const char *path, struct stat *ret);
int __wrap_fchmod(int fd, mode_t mode);

static struct sim_fs *mounted;
static int (*diverted_sync)(void *context);
static void *diverted_context;

void sim_fs_mount(struct sim_fs *fs)
{
    mounted = fs;
}

void sim_fs_divert_sync(int (*sync)(void *context), void *context)
{
    diverted_sync = sync;
    diverted_context = context;
}

static bool is_our_path(const char *path)
{
    return mounted != NULL && strncmp(path, "/sim/", strlen("/sim/")) == 0;
}

static bool is_our_fd(int fd)
{
    return mounted != NULL && fd >= SIM_FS_FD_FIRST;
}

static int refuse(int sys)
{
    errno = sys;
    return -1;
}

// The name in the directory, "" for the directory itself. Returns 0 or an errno.
static int take_name(const struct sim_fs *fs, const char *path, char ret[SIM_FS_NAME_SIZE])
{
    size_t dir_len = strlen(SIM_FS_DIR);
    if (strncmp(path, SIM_FS_DIR, dir_len) != 0 ||
        (path[dir_len] != '\0' && path[dir_len] != '/')) {
        return ENOENT;
    }
    const char *name = path + dir_len + strspn(path + dir_len, "/");
    size_t len = strcspn(name, "/");
    if (len >= SIM_FS_NAME_SIZE) {
        return ENAMETOOLONG;
    }
    memcpy(ret, name, len);
    ret[len] = '\0';
    if (name[len] == '/') {
        return sim_fs_find(fs, ret) == SIM_FS_NO_FILE ? ENOENT : ENOTDIR;
    }
    return 0;
}

// At the beginning of every call with a path.
static int begin_path(struct sim_fs *fs, const char *path, char ret[SIM_FS_NAME_SIZE])
{
    int sys = sim_call(fs->sim, SIM_STATE);
    return sys != 0 ? sys : take_name(fs, path, ret);
}

static struct sim_fs_fd *find_fd(struct sim_fs *fs, int fd)
{
    size_t i = (size_t)(fd - SIM_FS_FD_FIRST);
    return i < SIM_FS_FDS && fs->fds[i].used ? &fs->fds[i] : NULL;
}

// At the beginning of every call with a descriptor.
static int begin_fd(struct sim_fs *fs, int fd, struct sim_fs_fd **ret)
{
    int sys = sim_call(fs->sim, SIM_STATE);
    *ret = find_fd(fs, fd);
    return sys == 0 && *ret == NULL ? EBADF : sys;
}

static int access_of(int flags)
{
    return flags & O_ACCMODE;
}

// --- opening and closing -------------------------------------------------------------------------

// The lowest; NULL: none is free.
static struct sim_fs_fd *find_free_fd(struct sim_fs *fs)
{
    for (size_t i = 0; i < SIM_FS_FDS; i++) {
        if (!fs->fds[i].used) {
            return &fs->fds[i];
        }
    }
    return NULL;
}

// What open() says of what is there already. Returns 0 or an errno.
static int check_open(bool is_dir, int flags)
{
    bool changes = access_of(flags) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        return EEXIST;
    }
    if (is_dir) {
        return changes ? EISDIR : 0;
    }
    return (flags & O_DIRECTORY) != 0 ? ENOTDIR : 0;
}

// Finds or creates the file. Returns 0 or an errno.
static int open_name(struct sim_fs *fs, const char *name, int flags, mode_t mode, uint8_t *ret,
                     bool *ret_changed)
{
    int file = sim_fs_find(fs, name);
    bool exists = file != SIM_FS_NO_FILE;
    int sys = exists ? check_open(false, flags) : (flags & O_CREAT) == 0 ? ENOENT : 0;
    if (sys != 0) {
        return sys;
    }
    if (!exists) {
        file = sim_fs_create(fs, name, mode);
    } else if ((flags & O_TRUNC) != 0) {
        sim_fs_file_empty(&fs->files[file]);
    }
    *ret_changed = !exists || (flags & O_TRUNC) != 0;
    *ret = (uint8_t)file;
    return file == SIM_FS_NO_FILE ? ENOSPC : 0;
}

static int open_path(struct sim_fs *fs, const char *path, int flags, mode_t mode)
{
    char name[SIM_FS_NAME_SIZE];
    uint8_t file = 0;
    bool changed = false;
    int sys = begin_path(fs, path, name);
    if (sys != 0) {
        return refuse(sys);
    }
    bool is_dir = name[0] == '\0';
    struct sim_fs_fd *free_fd = find_free_fd(fs);
    if (free_fd == NULL) {
        return refuse(EMFILE);
    }
    sys = is_dir ? check_open(true, flags) : open_name(fs, name, flags, mode, &file, &changed);
    if (sys != 0) {
        return refuse(sys);
    }
    *free_fd = (struct sim_fs_fd){.used = true, .is_dir = is_dir, .file = file, .flags = flags};
    if (changed) {
        sim_changed(fs->sim);
    }
    return SIM_FS_FD_FIRST + (int)(free_fd - fs->fds);
}

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return is_our_path(path) ? open_path(mounted, path, flags, mode)
                             : __real_open(path, flags, mode);
}

int __wrap___open_2(const char *path, int flags)
{
    return __wrap_open(path, flags);
}

int __wrap_close(int fd)
{
    if (!is_our_fd(fd)) {
        return __real_close(fd);
    }
    struct sim_fs_fd *d = find_fd(mounted, fd);
    if (d == NULL) {
        return refuse(EBADF);
    }
    d->used = false;
    return 0;
}

// --- reading and writing -------------------------------------------------------------------------

static ssize_t read_fd(struct sim_fs *fs, int fd, void *buf, size_t len)
{
    struct sim_fs_fd *d = NULL;
    int sys = begin_fd(fs, fd, &d);
    if (sys != 0) {
        return refuse(sys);
    }
    if (access_of(d->flags) == O_WRONLY) {
        return refuse(EBADF);
    }
    if (d->is_dir) {
        return refuse(EISDIR);
    }
    const struct sim_fs_file *f = &fs->files[d->file];
    size_t end = sim_fs_file_len(f);
    size_t left = d->off < end ? end - d->off : 0;
    size_t n = len < left ? len : left;
    memcpy(buf, sim_fs_file_data(f) + d->off, n);
    d->off += n;
    return (ssize_t)n;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    return is_our_fd(fd) ? read_fd(mounted, fd, buf, len) : __real_read(fd, buf, len);
}

ssize_t __wrap___read_chk(int fd, void *buf, size_t len, size_t buf_len)
{
    if (len > buf_len) {
        abort();
    }
    return __wrap_read(fd, buf, len);
}

static ssize_t write_fd(struct sim_fs *fs, int fd, const void *data, size_t len)
{
    struct sim_fs_fd *d = NULL;
    int sys = begin_fd(fs, fd, &d);
    bool is_short = sys != 0 && fs->sim->fail_short && len > 1;
    if (sys != 0 && !is_short) {
        return refuse(sys);
    }
    if (d == NULL || access_of(d->flags) == O_RDONLY) {
        return refuse(EBADF);
    }
    struct sim_fs_file *f = &fs->files[d->file];
    size_t off = (d->flags & O_APPEND) != 0 ? sim_fs_file_len(f) : d->off;
    size_t n = is_short ? len / 2 : len;
    if (n > SIM_FS_FILE_MAX - off) {
        n = SIM_FS_FILE_MAX - off;
    }
    if (n == 0) {
        return len == 0 ? 0 : refuse(ENOSPC);
    }
    sim_fs_file_write(f, data, n, off);
    d->off = off + n;
    sim_changed(fs->sim);
    return (ssize_t)n;
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    return is_our_fd(fd) ? write_fd(mounted, fd, data, len) : __real_write(fd, data, len);
}

// --- syncing -------------------------------------------------------------------------------------

static int sync_fd(struct sim_fs *fs, int fd)
{
    struct sim_fs_fd *d = NULL;
    int sys = begin_fd(fs, fd, &d);
    if (d == NULL) {
        return refuse(sys);
    }
    struct sim_fs_file *f = d->is_dir ? NULL : &fs->files[d->file];
    bool changes = f != NULL ? sim_fs_file_fates(f) > 0 : fs->pending > 0 && sys == 0;
    if (f != NULL && sys == 0) {
        sim_fs_file_sync(f);
    } else if (f != NULL) {
        sim_fs_file_fail_sync(f, fs->sim->fail_at);
    } else if (sys == 0) {
        sim_fs_sync_dir(fs);
    }
    if (changes) {
        sim_changed(fs->sim);
    }
    return sys == 0 ? 0 : refuse(sys);
}

int __wrap_fsync(int fd)
{
    if (is_our_fd(fd)) {
        return sync_fd(mounted, fd);
    }
    if (diverted_sync == NULL) {
        return __real_fsync(fd);
    }
    int sys = diverted_sync(diverted_context);
    return sys == 0 ? 0 : refuse(sys);
}

// --- names ---------------------------------------------------------------------------------------

static int rename_path(struct sim_fs *fs, const char *from, const char *to)
{
    char old_name[SIM_FS_NAME_SIZE];
    char new_name[SIM_FS_NAME_SIZE];
    int sys = begin_path(fs, from, old_name);
    if (sys == 0) {
        sys = take_name(fs, to, new_name);
    }
    if (sys != 0) {
        return refuse(sys);
    }
    // What is mounted there stays where it is.
    if (old_name[0] == '\0' || new_name[0] == '\0') {
        return refuse(EBUSY);
    }
    if (sim_fs_find(fs, old_name) == SIM_FS_NO_FILE) {
        return refuse(ENOENT);
    }
    if (strcmp(old_name, new_name) != 0) {
        sim_fs_rename(fs, old_name, new_name);
        sim_changed(fs->sim);
    }
    return 0;
}

int __wrap_rename(const char *from, const char *to)
{
    if (is_our_path(from) != is_our_path(to)) {
        return refuse(EXDEV);
    }
    return is_our_path(from) ? rename_path(mounted, from, to) : __real_rename(from, to);
}

static int unlink_path(struct sim_fs *fs, const char *path)
{
    char name[SIM_FS_NAME_SIZE];
    int sys = begin_path(fs, path, name);
    if (sys == 0 && name[0] == '\0') {
        sys = EISDIR;
    }
    if (sys == 0 && sim_fs_find(fs, name) == SIM_FS_NO_FILE) {
        sys = ENOENT;
    }
    if (sys != 0) {
        return refuse(sys);
    }
    sim_fs_unlink(fs, name);
    sim_changed(fs->sim);
    return 0;
}

int __wrap_unlink(const char *path)
{
    return is_our_path(path) ? unlink_path(mounted, path) : __real_unlink(path);
}

// --- what a file is ------------------------------------------------------------------------------

// NULL: the directory.
static void describe(const struct sim_fs_file *f, struct stat *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->st_nlink = 1;
    ret->st_mode = f == NULL ? S_IFDIR | 0700 : S_IFREG | f->mode;
    ret->st_size = f == NULL ? 0 : (off_t)sim_fs_file_len(f);
}

static int stat_path(struct sim_fs *fs, const char *path, struct stat *ret)
{
    char name[SIM_FS_NAME_SIZE];
    int sys = begin_path(fs, path, name);
    if (sys != 0) {
        return refuse(sys);
    }
    int file = sim_fs_find(fs, name);
    if (name[0] != '\0' && file == SIM_FS_NO_FILE) {
        return refuse(ENOENT);
    }
    describe(name[0] == '\0' ? NULL : &fs->files[file], ret);
    return 0;
}

int __wrap_stat(const char *path, struct stat *ret)
{
    return is_our_path(path) ? stat_path(mounted, path, ret) : __real_stat(path, ret);
}

static int stat_fd(struct sim_fs *fs, int fd, struct stat *ret)
{
    struct sim_fs_fd *d = NULL;
    int sys = begin_fd(fs, fd, &d);
    if (sys != 0) {
        return refuse(sys);
    }
    describe(d->is_dir ? NULL : &fs->files[d->file], ret);
    return 0;
}

int __wrap_fstat(int fd, struct stat *ret)
{
    return is_our_fd(fd) ? stat_fd(mounted, fd, ret) : __real_fstat(fd, ret);
}

static int chmod_fd(struct sim_fs *fs, int fd, mode_t mode)
{
    struct sim_fs_fd *d = NULL;
    int sys = begin_fd(fs, fd, &d);
    if (sys != 0) {
        return refuse(sys);
    }
    if (!d->is_dir) {
        fs->files[d->file].mode = mode & 07777;
    }
    return 0;
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return is_our_fd(fd) ? chmod_fd(mounted, fd, mode) : __real_fchmod(fd, mode);
}
