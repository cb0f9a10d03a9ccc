// SPDX-License-Identifier: Apache-2.0
#include "updater/state_dir.h"

#include "base/parse.h"

#include <string.h>
#include <sys/stat.h>

// A block of most file systems: a directory that takes it has room for the small records.
enum { PROBE_BYTES = 4096, RECORD_MODE = 0600, PUBLIC_MODE = 0644 };

struct dir_store {
    struct state_store base; // first: the ops get this pointer
    char *path;
    unsigned mode; // of its files
};

enum err state_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                    size_t *ret_len, struct error *e)
{
    return s->ops->read(s, name, max, ret_data, ret_len, e);
}

enum err state_each(struct state_store *s, const char *name, file_taker take, void *context,
                    struct error *e)
{
    return s->ops->each(s, name, take, context, e);
}

enum err state_replace(struct state_store *s, const char *name, const void *data, size_t len,
                       struct error *e)
{
    const struct file_part part = {data, len};
    return s->ops->replace(s, name, &part, 1, e);
}

enum err state_replace_parts(struct state_store *s, const char *name, const struct file_part *parts,
                             size_t count, struct error *e)
{
    return s->ops->replace(s, name, parts, count, e);
}

enum err state_try_replace(struct state_store *s, const char *name, const struct file_part *parts,
                           size_t count, struct error *e)
{
    return s->ops->try_replace(s, name, parts, count, e);
}

enum err state_holds(struct state_store *s, const char *name, const struct file_part *parts,
                     size_t count, bool *ret_same, struct error *e)
{
    return s->ops->holds(s, name, parts, count, ret_same, e);
}

void state_close(struct state_store *s)
{
    if (s != NULL) {
        s->ops->close(s);
    }
}

enum err state_check_writable(struct state_store *s, struct error *e)
{
    static const uint8_t zeros[PROBE_BYTES];
    const struct file_part part = {zeros, sizeof zeros};
    enum err err = state_try_replace(s, "probe", &part, 1, e);
    return err == OK ? OK : error_context(e, "the state directory cannot be written");
}

// DIR/NAME; a name that would leave the directory is a bug of the caller.
static enum err record_path(const struct state_store *s, const char *name, char **ret,
                            struct error *e)
{
    const struct dir_store *d = (const struct dir_store *)s;
    if (!is_name(name) || name[0] == '.') {
        return fail(e, ERR_INTERNAL, 0, "'%s' cannot be the name of a record", name);
    }
    char *path = NULL;
    if (asprintf(&path, "%s/%s", d->path, name) < 0) {
        return fail_memory(e);
    }
    *ret = path;
    return OK;
}

static enum err dir_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                         size_t *ret_len, struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    enum err err = record_path(s, name, &path, e);
    return err != OK ? err : file_read(path, max, ret_data, ret_len, e);
}

static enum err dir_each(struct state_store *s, const char *name, file_taker take, void *context,
                         struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    enum err err = record_path(s, name, &path, e);
    return err != OK ? err : file_each(path, take, context, e);
}

static enum err dir_replace(struct state_store *s, const char *name, const struct file_part *parts,
                            size_t count, struct error *e)
{
    const struct dir_store *d = (const struct dir_store *)s;
    CLEANUP(cleanup_free) char *path = NULL;
    enum err err = record_path(s, name, &path, e);
    return err != OK ? err : file_replace(path, parts, count, d->mode, e);
}

static enum err dir_try_replace(struct state_store *s, const char *name,
                                const struct file_part *parts, size_t count, struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    enum err err = record_path(s, name, &path, e);
    return err != OK ? err : file_try_replace(path, parts, count, e);
}

static enum err dir_holds(struct state_store *s, const char *name, const struct file_part *parts,
                          size_t count, bool *ret_same, struct error *e)
{
    CLEANUP(cleanup_free) char *path = NULL;
    enum err err = record_path(s, name, &path, e);
    return err != OK ? err : file_holds(path, parts, count, ret_same, e);
}

static void dir_close(struct state_store *s)
{
    struct dir_store *d = (struct dir_store *)s;
    free(d->path);
    free(d);
}

static const struct state_ops dir_ops = {
    .read = dir_read,
    .each = dir_each,
    .replace = dir_replace,
    .try_replace = dir_try_replace,
    .holds = dir_holds,
    .close = dir_close,
};

static enum err open_dir(const char *path, const char *what, unsigned mode,
                         struct state_store **ret, struct error *e)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return fail(e, ERR_CONFIG, errno, "%s %s", what, path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return fail(e, ERR_CONFIG, 0, "%s %s is not a directory", what, path);
    }
    struct dir_store *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return fail_memory(e);
    }
    d->base.ops = &dir_ops;
    d->mode = mode;
    d->path = strdup(path);
    if (d->path == NULL) {
        free(d);
        return fail_memory(e);
    }
    *ret = &d->base;
    return OK;
}

enum err state_dir_open(const char *path, struct state_store **ret, struct error *e)
{
    return open_dir(path, "[device] state_dir", RECORD_MODE, ret, e);
}

enum err state_dir_open_public(const char *path, const char *what, struct state_store **ret,
                               struct error *e)
{
    return open_dir(path, what, PUBLIC_MODE, ret, e);
}
