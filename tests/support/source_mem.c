// SPDX-License-Identifier: Apache-2.0
#include "tests/support/source_mem.h"

#include "tests/support/expect.h"
#include "updater/byte_budget.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static enum err mem_start(struct source *base, uint64_t off, uint64_t len, struct error *e)
{
    struct source_mem *s = (struct source_mem *)base;
    enum err err = seam_call(s->seam, "source start", e);
    if (err != OK) {
        return err;
    }
    assert_true(len > 0);
    assert_true(s->range_count < SOURCE_MEM_RANGES_MAX);
    s->ranges[s->range_count].off = off;
    s->ranges[s->range_count].len = len;
    s->range_count++;
    s->base.requests++;
    s->base.size_bytes = s->len;
    if (off >= s->refuse_off) {
        return fail(e, ERR_NETWORK, 0, "%s: refused", base->name);
    }
    if (off >= s->len) {
        return fail(e, ERR_FORMAT, 0, "%s: the file ends at %zu", base->name, s->len);
    }
    s->pos = off;
    s->end = off + len < s->len ? off + len : s->len;
    return OK;
}

static enum err mem_read(struct source *base, void *buf, size_t len, struct error *e)
{
    struct source_mem *s = (struct source_mem *)base;
    enum err err = seam_call(s->seam, "source read", e);
    if (err != OK) {
        return err;
    }
    if (s->end - s->pos < len && s->end == s->len) {
        return fail(e, ERR_FORMAT, 0, "%s: the file ends at %zu", base->name, s->len);
    }
    assert_true(len <= s->end - s->pos); // a caller reads within the range it asked for
    if (s->pos + len > s->cut_off) {
        return fail(e, ERR_NETWORK, 0, "%s: the connection was lost at %" PRIu64, base->name,
                    s->cut_off);
    }
    err = byte_budget_check(s->base.budget, len, e);
    if (err != OK) {
        return err;
    }
    byte_budget_count(s->base.budget, len);
    memcpy(buf, s->data + s->pos, len);
    if (s->flip_off >= 0 && (uint64_t)s->flip_off - s->pos < len) {
        ((uint8_t *)buf)[(uint64_t)s->flip_off - s->pos] ^= 0x10;
    }
    s->pos += len;
    s->read_bytes += len;
    s->base.fetched_bytes += len;
    return OK;
}

static enum err mem_expect_size(struct source *base, uint64_t file_size, struct error *e)
{
    struct source_mem *s = (struct source_mem *)base;
    if (file_size != s->len) {
        return fail(e, ERR_FORMAT, 0, "%s: the file has %zu bytes, its header says %" PRIu64,
                    base->name, s->len, file_size);
    }
    return OK;
}

static void mem_cancel(struct source *base)
{
    struct source_mem *s = (struct source_mem *)base;
    s->pos = s->end = 0;
}

static void mem_close(struct source *base)
{
    (void)base;
}

static enum err mem_beside(struct source *base, const char *suffix, struct source **ret,
                           struct error *e)
{
    struct source_mem *s = (struct source_mem *)base;
    snprintf(s->suffix, sizeof s->suffix, "%s", suffix);
    if (s->beside == NULL) {
        return fail(e, ERR_NETWORK, ENOENT, "no such file");
    }
    *ret = &s->beside->base;
    return OK;
}

static bool mem_changed(const struct source *base)
{
    return ((const struct source_mem *)base)->changed;
}

static const struct source_ops mem_ops = {
    .start = mem_start,
    .read = mem_read,
    .expect_size = mem_expect_size,
    .cancel = mem_cancel,
    .close = mem_close,
    .beside = mem_beside,
    .changed = mem_changed,
};

void source_mem_init(struct source_mem *s, const void *data, size_t len, struct seam_sim *seam)
{
    *s = (struct source_mem){
        .base = {.ops = &mem_ops, .name = "memory", .size_bytes = SOURCE_SIZE_UNKNOWN},
        .seam = seam,
        .data = data,
        .len = len,
        .flip_off = SOURCE_MEM_NOWHERE,
        .cut_off = UINT64_MAX,
        .refuse_off = UINT64_MAX,
    };
}
