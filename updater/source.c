// SPDX-License-Identifier: Apache-2.0
#include "updater/source.h"

#include <errno.h>
#include <inttypes.h>

enum err source_start(struct source *s, uint64_t off_bytes, uint64_t len_bytes, struct error *e)
{
    return s->ops->start(s, off_bytes, len_bytes, e);
}

enum err source_read(struct source *s, void *buf, size_t len, struct error *e)
{
    return s->ops->read(s, buf, len, e);
}

enum err source_expect_size(struct source *s, uint64_t file_size, struct error *e)
{
    return s->ops->expect_size(s, file_size, e);
}

enum err source_clone(struct source *s, const atomic_bool *interrupted, struct source **ret,
                      struct error *e)
{
    if (s->ops->clone == NULL) {
        return fail(e, ERR_NOT_NOW, 0, "%s: is read from one place at a time", s->name);
    }
    return s->ops->clone(s, interrupted, ret, e);
}

enum err source_beside(struct source *s, const char *suffix, struct source **ret, struct error *e)
{
    if (s->ops->beside == NULL) {
        return fail(e, ERR_IO, ENOENT, "%s: has no files beside it", s->name);
    }
    return s->ops->beside(s, suffix, ret, e);
}

void source_watch(struct source *s, const atomic_bool *interrupted)
{
    if (s->ops->watch != NULL) {
        s->ops->watch(s, interrupted);
    }
}

bool source_changed(const struct source *s)
{
    return s->ops->changed != NULL && s->ops->changed(s);
}

enum err source_unless(struct source *s, const char *version, struct error *e)
{
    return s->ops->unless != NULL ? s->ops->unless(s, version, e) : OK;
}

bool source_is_unchanged(const struct error *e)
{
    return e->code == ERR_NOT_NOW && e->sys == EALREADY;
}

void source_version(const struct source *s, char *buf, size_t size)
{
    buf[0] = '\0';
    if (s->ops->version != NULL) {
        s->ops->version(s, buf, size);
    }
}

void source_cancel(struct source *s)
{
    s->ops->cancel(s);
}

void source_close(struct source *s)
{
    if (s != NULL) {
        s->ops->close(s);
    }
}

enum err source_fail_changed(struct error *e)
{
    return fail(e, ERR_NETWORK, 0,
                "the file changed while it was being read; run the install again");
}

enum err source_fail_past_end(uint64_t size, uint64_t wanted, struct error *e)
{
    return fail(e, ERR_FORMAT, 0,
                "the file ends at %" PRIu64 " bytes, byte %" PRIu64 " was to be read", size,
                wanted);
}

enum err source_fail_size(uint64_t size, uint64_t expected, struct error *e)
{
    return fail(e, ERR_FORMAT, 0, "the file is %" PRIu64 " bytes, its header says %" PRIu64 ": %s",
                size, expected,
                size < expected ? "it was cut short" : "something was added behind its end");
}

enum err source_fail_unchanged(struct error *e)
{
    (void)fail(e, ERR_NOT_NOW, 0, "it is the file that is known already");
    e->sys = EALREADY;
    return e->code;
}
