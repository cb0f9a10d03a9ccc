// SPDX-License-Identifier: Apache-2.0
#include "tests/support/full_state.h"

#include <errno.h>
#include <string.h>

static struct full_state *full_of(struct state_store *s)
{
    return (struct full_state *)s;
}

static enum err check_room(struct full_state *f, const char *name, struct error *e)
{
    if (f->full_for == NULL || (f->full_for[0] != '\0' && strcmp(f->full_for, name) != 0)) {
        return OK;
    }
    f->refused++;
    return fail(e, ERR_IO, ENOSPC, "state/%s: write", name);
}

static enum err full_read(struct state_store *s, const char *name, size_t max, uint8_t **ret_data,
                          size_t *ret_len, struct error *e)
{
    return state_read(full_of(s)->below, name, max, ret_data, ret_len, e);
}

static enum err full_each(struct state_store *s, const char *name, file_taker take, void *context,
                          struct error *e)
{
    return state_each(full_of(s)->below, name, take, context, e);
}

static enum err full_replace(struct state_store *s, const char *name, const struct file_part *parts,
                             size_t count, struct error *e)
{
    enum err err = check_room(full_of(s), name, e);
    return err == OK ? state_replace_parts(full_of(s)->below, name, parts, count, e) : err;
}

static enum err full_try_replace(struct state_store *s, const char *name,
                                 const struct file_part *parts, size_t count, struct error *e)
{
    enum err err = check_room(full_of(s), name, e);
    return err == OK ? state_try_replace(full_of(s)->below, name, parts, count, e) : err;
}

static enum err full_holds(struct state_store *s, const char *name, const struct file_part *parts,
                           size_t count, bool *ret_same, struct error *e)
{
    return state_holds(full_of(s)->below, name, parts, count, ret_same, e);
}

static void full_close(struct state_store *s)
{
    state_close(full_of(s)->below);
}

static const struct state_ops full_ops = {
    .read = full_read,
    .each = full_each,
    .replace = full_replace,
    .try_replace = full_try_replace,
    .holds = full_holds,
    .close = full_close,
};

struct full_state full_state_make(struct state_store *below)
{
    return (struct full_state){.base = {.ops = &full_ops}, .below = below};
}
