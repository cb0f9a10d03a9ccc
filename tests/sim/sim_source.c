// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_source.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static enum err failed(const struct sim_source *s, int sys, struct error *e)
{
    return sys == ENODATA ? fail(e, ERR_FORMAT, 0, "%s: the file ends at %zu", s->base.name, s->pos)
                          : fail(e, ERR_NETWORK, sys, "%s: the connection was lost", s->base.name);
}

static enum err source_sim_start(struct source *base, uint64_t off, uint64_t len, struct error *e)
{
    struct sim_source *s = (struct sim_source *)base;
    int sys = sim_call(s->sim, SIM_SOURCE);
    if (sys != 0 && sys != EBADMSG) {
        return failed(s, sys, e);
    }
    if (sys != 0) {
        sim_idle(s->sim);
    }
    if (off >= s->len) {
        return fail(e, ERR_FORMAT, 0, "%s: the file ends at %zu", base->name, s->len);
    }
    base->size_bytes = s->len;
    s->pos = (size_t)off;
    s->end = len < s->len - s->pos ? s->pos + (size_t)len : s->len;
    return OK;
}

static enum err source_sim_read(struct source *base, void *buf, size_t len, struct error *e)
{
    struct sim_source *s = (struct sim_source *)base;
    int sys = sim_call(s->sim, SIM_SOURCE);
    if (sys != 0 && sys != EBADMSG) {
        return failed(s, sys, e);
    }
    if (s->lost_off > 0 && s->pos + len > s->lost_off) {
        return failed(s, ECONNRESET, e);
    }
    if (len > s->end - s->pos) {
        return fail(e, ERR_FORMAT, 0, "%s: the range ends at %zu", base->name, s->end);
    }
    memcpy(buf, s->data + s->pos, len);
    if (sys == EBADMSG && len > 0) {
        ((uint8_t *)buf)[len / 2] ^= 0x20;
    }
    s->pos += len;
    base->fetched_bytes += len;
    return OK;
}

static enum err source_sim_expect_size(struct source *base, uint64_t file_size, struct error *e)
{
    const struct sim_source *s = (const struct sim_source *)base;
    return file_size == s->len
               ? OK
               : fail(e, ERR_FORMAT, 0, "%s: the file has %zu bytes", base->name, s->len);
}

static void source_sim_cancel(struct source *base)
{
    struct sim_source *s = (struct sim_source *)base;
    s->pos = s->end = 0;
}

static void source_sim_close(struct source *base)
{
    (void)base;
}

static enum err source_sim_beside(struct source *base, const char *suffix, struct source **ret,
                                  struct error *e)
{
    const struct sim_source *s = (const struct sim_source *)base;
    if (s->beside == NULL || strcmp(s->suffix, suffix) != 0) {
        return fail(e, ERR_IO, ENOENT, "%s: has no %s beside it", base->name, suffix);
    }
    *ret = &s->beside->base;
    return OK;
}

static const struct source_ops sim_source_ops = {
    .start = source_sim_start,
    .read = source_sim_read,
    .expect_size = source_sim_expect_size,
    .cancel = source_sim_cancel,
    .close = source_sim_close,
    .beside = source_sim_beside,
};

void sim_source_init(struct sim_source *s, struct sim *sim, const uint8_t *data, size_t len)
{
    *s = (struct sim_source){
        .base = {.ops = &sim_source_ops, .name = "simulated", .size_bytes = SOURCE_SIZE_UNKNOWN},
        .sim = sim,
        .data = data,
        .len = len,
    };
}
