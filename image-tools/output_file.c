// SPDX-License-Identifier: Apache-2.0
#include "image-tools/output_file.h"

#include "base/checked.h"
#include "base/file.h"
#include "base/hash.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

enum {
    COPY_STEP = 16 * 1024 * 1024, // how far a copy goes before it looks for a signal
    COPY_BUFFER = 256 * 1024,
    NAME_TRIES = 16,
    NAME_RANDOM = 8,
};

struct output_file {
    int fd;
    char *path; // where it will stand
    char *temp; // its name until then; NULL: it has none
    sigset_t held;
    sigset_t old_mask;
    bool signals_held;
};

// --- Signals ---

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

// An ignored signal stays out: once blocked it would become pending and look like a wish to end.
static void hold_signals(struct output_file *o)
{
    sigemptyset(&o->held);
    for (size_t i = 0; i < sizeof(ending_signals) / sizeof(ending_signals[0]); i++) {
        struct sigaction action;
        if (sigaction(ending_signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(&o->held, ending_signals[i]);
        }
    }
    o->signals_held = pthread_sigmask(SIG_BLOCK, &o->held, &o->old_mask) == 0;
}

static enum err check_interrupted(const struct output_file *o, struct error *e)
{
    sigset_t pending;
    sigset_t both;
    sigemptyset(&pending);
    sigpending(&pending);
    sigandset(&both, &pending, &o->held);
    return sigisemptyset(&both) ? OK : fail(e, ERR_IO, 0, "interrupted");
}

// --- Names ---

// The directory of `path` with its slash, "./" when it names none; malloced.
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? strdup("./") : strndup(path, (size_t)(slash + 1 - path));
}

// ".vv-image-0123456789abcdef" beside `path`: short, because the name of the output may already be
// as long as a name can be. malloced; NULL: the error is in `e`.
static char *name_beside(const char *path, struct error *e)
{
    uint8_t random[NAME_RANDOM];
    char hex[2 * NAME_RANDOM + 1];
    char *name = NULL;
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        (void)fail(e, ERR_IO, errno, "get random bytes");
        return NULL;
    }
    hex_encode(random, sizeof(random), hex);
    CLEANUP(cleanup_free) char *dir = directory_of(path);
    if (dir == NULL || asprintf(&name, "%s.vv-image-%s", dir, hex) < 0) {
        (void)fail_memory(e);
        return NULL;
    }
    return name;
}

// The mode is left to the umask, like that of any file a build makes.
static enum err create_named(const char *path, char **ret_temp, int *ret_fd, struct error *e)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        CLEANUP(cleanup_free) char *temp = name_beside(path, e);
        if (temp == NULL) {
            return e->code;
        }
        int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *ret_temp = TAKE_PTR(temp);
            *ret_fd = fd;
            return OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return fail(e, ERR_IO, errno, "create a temporary file beside it");
}

// -1 where the file system has no nameless files, or /proc is missing, by which one gets its name.
static int create_nameless(const char *path)
{
    CLEANUP(cleanup_free) char *dir = directory_of(path);
    if (dir == NULL || access("/proc/self/fd", F_OK) != 0) {
        return -1;
    }
    return open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
}

enum err scratch_file_open(const char *path, int *ret_fd, struct error *e)
{
    int fd = create_nameless(path);
    if (fd >= 0) {
        *ret_fd = fd;
        return OK;
    }
    CLEANUP(cleanup_free) char *temp = NULL;
    enum err err = create_named(path, &temp, &fd, e);
    if (err != OK) {
        return error_context(e, "%s", path);
    }
    if (unlink(temp) != 0) {
        err = fail(e, ERR_IO, errno, "%s: remove", temp);
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return OK;
}

// --- The file ---

static enum err resolve(const char *path, char **ret, struct error *e)
{
    struct stat st;
    char *resolved = realpath(path, NULL);
    if (resolved == NULL && errno == ENOENT) {
        // Not there yet; a missing directory shows when the temporary file is made.
        resolved = strdup(path);
    }
    if (resolved == NULL) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    if (stat(resolved, &st) == 0 && !S_ISREG(st.st_mode)) {
        free(resolved);
        return fail(e, ERR_IO, 0, "%s: it exists and is not a regular file", path);
    }
    *ret = resolved;
    return OK;
}

enum err output_file_check(const char *path, struct error *e)
{
    CLEANUP(cleanup_free) char *resolved = NULL;
    return resolve(path, &resolved, e);
}

enum err output_file_begin(const char *path, enum output_naming naming, struct output_file **ret,
                           struct error *e)
{
    CLEANUP(cleanup_output_file) struct output_file *o = calloc(1, sizeof(*o));
    if (o == NULL) {
        return fail_memory(e);
    }
    o->fd = -1;
    enum err err = resolve(path, &o->path, e);
    if (err != OK) {
        return err;
    }
    hold_signals(o);
    if (naming == OUTPUT_NAMELESS_IF_POSSIBLE) {
        o->fd = create_nameless(o->path);
    }
    if (o->fd < 0) {
        err = create_named(o->path, &o->temp, &o->fd, e);
    }
    if (err != OK) {
        return error_context(e, "%s", path);
    }
    *ret = TAKE_PTR(o);
    return OK;
}

static enum err write_at(int fd, const uint8_t *data, size_t len, uint64_t off, struct error *e)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)off);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail(e, ERR_IO, n < 0 ? errno : EIO, "write");
        }
        data += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return OK;
}

enum err output_file_write(struct output_file *o, const void *data, size_t len, uint64_t off,
                           struct error *e)
{
    enum err err = write_at(o->fd, data, len, off, e);
    return err == OK ? OK : error_context(e, "%s", o->path);
}

// One step through memory, for what the kernel cannot copy by itself.
static enum err copy_step(int in_fd, uint64_t in_off, int out_fd, uint64_t out_off, uint8_t *buf,
                          uint64_t *len, struct error *e)
{
    size_t want = *len < COPY_BUFFER ? (size_t)*len : COPY_BUFFER;
    ssize_t n;
    do {
        n = pread(in_fd, buf, want, (off_t)in_off);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return fail(e, ERR_IO, errno, "read the data to copy");
    }
    *len = (uint64_t)n;
    return write_at(out_fd, buf, (size_t)n, out_off, e);
}

static enum err copy_range(const struct output_file *o, int in_fd, uint64_t in_off,
                           uint64_t out_off, uint64_t len, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *buf = NULL;
    while (len > 0) {
        enum err err = check_interrupted(o, e);
        off_t from = (off_t)in_off;
        off_t to = (off_t)out_off;
        uint64_t step = len < COPY_STEP ? len : COPY_STEP;
        ssize_t n = -1;
        if (err == OK && buf == NULL) {
            n = copy_file_range(in_fd, &from, o->fd, &to, (size_t)step, 0);
        }
        if (err == OK && n >= 0) {
            step = (uint64_t)n;
        } else if (err == OK) {
            // Other file systems, older kernels, files that are too special: each with its own
            // errno. What is really wrong shows again when reading and writing.
            buf = buf != NULL ? buf : malloc(COPY_BUFFER);
            err = buf == NULL ? fail_memory(e)
                              : copy_step(in_fd, in_off, o->fd, out_off, buf, &step, e);
        }
        if (err == OK && step == 0) {
            err = fail(e, ERR_IO, 0, "%" PRIu64 " bytes to copy are missing", len);
        }
        if (err != OK) {
            return err;
        }
        in_off += step;
        out_off += step;
        len -= step;
    }
    return OK;
}

enum err output_file_copy(struct output_file *o, int in_fd, uint64_t in_off, uint64_t out_off,
                          uint64_t len, struct error *e)
{
    enum err err = copy_range(o, in_fd, in_off, out_off, len, e);
    return err == OK ? OK : error_context(e, "%s", o->path);
}

enum err output_file_set_size(struct output_file *o, uint64_t size, struct error *e)
{
    if (ftruncate(o->fd, (off_t)size) != 0) {
        return fail(e, ERR_IO, errno, "%s: set the size", o->path);
    }
    return OK;
}

enum err output_file_take_mode(struct output_file *o, const struct stat *st, struct error *e)
{
    // Before the mode: a change of owner clears bits of it. Not allowed is not a failure.
    if (fchown(o->fd, st->st_uid, st->st_gid) != 0 && errno != EPERM) {
        return fail(e, ERR_IO, errno, "%s: set the owner", o->path);
    }
    if (fchmod(o->fd, st->st_mode & 07777) != 0) {
        return fail(e, ERR_IO, errno, "%s: set the mode", o->path);
    }
    return OK;
}

// linkat() cannot replace a file, so the nameless file gets a temporary name for the moment until
// it is renamed.
static enum err give_name(struct output_file *o, struct error *e)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
    for (int i = 0; i < NAME_TRIES; i++) {
        CLEANUP(cleanup_free) char *temp = name_beside(o->path, e);
        if (temp == NULL) {
            return e->code;
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) == 0) {
            o->temp = TAKE_PTR(temp);
            return OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return fail(e, ERR_IO, errno, "give the new file a name");
}

static enum err sync_directory(const char *path, struct error *e)
{
    CLEANUP(cleanup_free) char *dir = directory_of(path);
    if (dir == NULL) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_close) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return fail(e, ERR_IO, errno, "sync the directory");
    }
    return OK;
}

static enum err commit(struct output_file *o, struct error *e)
{
    enum err err = check_interrupted(o, e);
    if (err == OK && fsync(o->fd) != 0) {
        err = fail(e, ERR_IO, errno, "sync");
    }
    if (err == OK && o->temp == NULL) {
        err = give_name(o, e);
    }
    if (err != OK) {
        return err;
    }
    if (rename(o->temp, o->path) != 0) {
        return fail(e, ERR_IO, errno, "rename the new file");
    }
    free(TAKE_PTR(o->temp));
    return sync_directory(o->path, e);
}

enum err output_file_commit(struct output_file *o, struct error *e)
{
    enum err err = commit(o, e);
    return err == OK ? OK : error_context(e, "%s", o->path);
}

void output_file_free(struct output_file *o)
{
    if (o == NULL) {
        return;
    }
    if (o->temp != NULL) {
        unlink(o->temp);
    }
    cleanup_close(&o->fd);
    free(o->temp);
    free(o->path);
    if (o->signals_held) {
        pthread_sigmask(SIG_SETMASK, &o->old_mask, NULL);
    }
    free(o);
}
