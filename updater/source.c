// SPDX-License-Identifier: Apache-2.0
#include "updater/source.h"

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
