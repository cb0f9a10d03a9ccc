// SPDX-License-Identifier: Apache-2.0
#include "base/blk.h"

#include <inttypes.h>

// Invariant 2. Written so that no sum can wrap.
static enum err check_range(const struct blk *b, const char *verb, uint64_t off_bytes,
                            uint64_t len_bytes, struct error *e)
{
    if (off_bytes > b->size_bytes || len_bytes > b->size_bytes - off_bytes) {
        return fail(e, ERR_INTERNAL, 0,
                    "%s: %s of %" PRIu64 " bytes at %" PRIu64 " leaves the device of %" PRIu64
                    " bytes",
                    b->name, verb, len_bytes, off_bytes, b->size_bytes);
    }
    return OK;
}

enum err blk_pread(struct blk *b, void *buf, size_t len, uint64_t off_bytes, struct error *e)
{
    enum err err = check_range(b, "read", off_bytes, len, e);
    if (err != OK || len == 0) {
        return err;
    }
    return b->ops->pread(b, buf, len, off_bytes, e);
}

enum err blk_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off_bytes, struct error *e)
{
    enum err err = check_range(b, "write", off_bytes, len, e);
    if (err != OK || len == 0) {
        return err;
    }
    return b->ops->pwrite(b, buf, len, off_bytes, e);
}

enum err blk_zero_range(struct blk *b, uint64_t off_bytes, uint64_t len_bytes, struct error *e)
{
    enum err err = check_range(b, "zeroing", off_bytes, len_bytes, e);
    if (err != OK || len_bytes == 0) {
        return err;
    }
    return b->ops->zero_range(b, off_bytes, len_bytes, e);
}

enum err blk_sync(struct blk *b, struct error *e)
{
    return b->ops->sync(b, e);
}

void blk_close(struct blk *b)
{
    if (b != NULL) {
        b->ops->close(b);
    }
}
