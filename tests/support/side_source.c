// SPDX-License-Identifier: Apache-2.0
#include "tests/support/side_source.h"

#include "tests/support/expect.h"

#include <stdlib.h>
#include <time.h>

struct side_source {
    struct source base;
    struct side_server *server;
    bool clone;
    const atomic_bool *interrupted;
    uint64_t pos, end;
};

static struct side_source *side_of(struct source *s)
{
    return (struct side_source *)s;
}

// Under the lock.
static void give_up(struct side_source *s)
{
    if (s->pos < s->end) {
        s->server->under_way--;
        s->server->asked -= s->end - s->pos;
    }
    s->pos = s->end = 0;
}

static enum err start_locked(struct side_source *s, uint64_t off, uint64_t len, struct error *e)
{
    struct side_server *server = s->server;
    give_up(s);
    server->starts++;
    s->base.requests++;
    if (s->clone && server->one_at_a_time && server->under_way > 0) {
        return fail(e, ERR_NETWORK, 0, "one connection at a time");
    }
    assert_true(len > 0 && off + len <= server->len);
    s->pos = off;
    s->end = off + len;
    server->under_way++;
    server->asked += len;
    server->most_under_way =
        server->under_way > server->most_under_way ? server->under_way : server->most_under_way;
    server->most_asked = server->asked > server->most_asked ? server->asked : server->most_asked;
    return OK;
}

static enum err side_start(struct source *base, uint64_t off, uint64_t len, struct error *e)
{
    struct side_source *s = side_of(base);
    pthread_mutex_lock(&s->server->lock);
    enum err err = start_locked(s, off, len, e);
    pthread_mutex_unlock(&s->server->lock);
    return err;
}

static bool covers(const struct side_source *s, size_t len, int64_t off)
{
    return off >= 0 && (uint64_t)off >= s->pos && (uint64_t)off < s->pos + len;
}

static enum err wait_for_interrupt(struct side_source *s, struct error *e)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    for (int i = 0; i < 60000; i++) {
        if (s->interrupted != NULL && atomic_load(s->interrupted)) {
            pthread_mutex_lock(&s->server->lock);
            s->server->interrupted++;
            pthread_mutex_unlock(&s->server->lock);
            return fail(e, ERR_NETWORK, 0, "interrupted");
        }
        nanosleep(&ms, NULL);
    }
    return fail(e, ERR_NETWORK, 0, "nobody interrupted");
}

static enum err read_locked(struct side_source *s, uint8_t *buf, size_t len, struct error *e)
{
    struct side_server *server = s->server;
    bool worn =
        s->clone && server->clone_bytes > 0 && s->base.fetched_bytes + len > server->clone_bytes;
    if (worn || covers(s, len, server->lost_off)) {
        give_up(s);
        return fail(e, ERR_NETWORK, 0, "the connection was lost");
    }
    assert_true(len <= s->end - s->pos);
    memcpy(buf, server->data + s->pos, len);
    if (covers(s, len, server->flip_off)) {
        buf[(uint64_t)server->flip_off - s->pos] ^= 1;
    }
    s->pos += len;
    s->base.fetched_bytes += len;
    server->read_bytes += len;
    server->asked -= len;
    server->under_way -= s->pos == s->end ? 1 : 0;
    return OK;
}

static enum err side_read(struct source *base, void *buf, size_t len, struct error *e)
{
    struct side_source *s = side_of(base);
    if (covers(s, len, s->server->silent_off)) {
        return wait_for_interrupt(s, e);
    }
    pthread_mutex_lock(&s->server->lock);
    enum err err = read_locked(s, buf, len, e);
    pthread_mutex_unlock(&s->server->lock);
    return err;
}

static enum err side_expect_size(struct source *base, uint64_t size, struct error *e)
{
    return size == side_of(base)->server->len ? OK : fail(e, ERR_FORMAT, 0, "another size");
}

static void side_cancel(struct source *base)
{
    struct side_source *s = side_of(base);
    pthread_mutex_lock(&s->server->lock);
    give_up(s);
    pthread_mutex_unlock(&s->server->lock);
}

static void side_close(struct source *base)
{
    struct side_source *s = side_of(base);
    side_cancel(base);
    pthread_mutex_lock(&s->server->lock);
    s->server->closed++;
    pthread_mutex_unlock(&s->server->lock);
    free(s);
}

static void side_watch(struct source *base, const atomic_bool *interrupted)
{
    side_of(base)->interrupted = interrupted;
}

static const struct source_ops side_ops;

static struct side_source *make(struct side_server *server, bool clone)
{
    struct side_source *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->base = (struct source){.ops = &side_ops, .name = "side", .size_bytes = server->len};
    s->server = server;
    s->clone = clone;
    return s;
}

static enum err side_clone(struct source *base, const atomic_bool *interrupted, struct source **ret,
                           struct error *e)
{
    struct side_server *server = side_of(base)->server;
    if (server->no_clones) {
        return fail(e, ERR_NOT_NOW, 0, "no clones");
    }
    struct side_source *s = make(server, true);
    s->interrupted = interrupted;
    server->clones++;
    *ret = &s->base;
    return OK;
}

static const struct source_ops side_ops = {
    .start = side_start,
    .read = side_read,
    .expect_size = side_expect_size,
    .cancel = side_cancel,
    .close = side_close,
    .clone = side_clone,
    .watch = side_watch,
};

void side_server_init(struct side_server *s, const void *data, size_t len)
{
    *s = (struct side_server){
        .data = data,
        .len = len,
        .lost_off = SIDE_NOWHERE,
        .flip_off = SIDE_NOWHERE,
        .silent_off = SIDE_NOWHERE,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
}

struct source *side_source_open(struct side_server *s)
{
    return &make(s, false)->base;
}
