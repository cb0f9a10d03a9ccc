// SPDX-License-Identifier: Apache-2.0
#include "tests/support/state_mem.h"

#include "tests/support/expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int find(const struct state_mem *s, const char *name)
{
    for (int i = 0; i < STATE_MEM_RECORDS_MAX; i++) {
        if (strcmp(s->records[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static enum err mem_read(struct state_store *base, const char *name, size_t max, uint8_t **ret_data,
                         size_t *ret_len, struct error *e)
{
    struct state_mem *s = (struct state_mem *)base;
    enum err err = seam_call(s->seam, "state read", e);
    if (err != OK) {
        return err;
    }
    int i = find(s, name);
    if (i < 0) {
        return fail(e, ERR_IO, ENOENT, "state record %s", name);
    }
    if (s->records[i].len > max) {
        return fail(e, ERR_FORMAT, 0, "state record %s is larger than %zu bytes", name, max);
    }
    uint8_t *copy = malloc(s->records[i].len + 1);
    assert_non_null(copy);
    if (s->records[i].len > 0) {
        memcpy(copy, s->records[i].data, s->records[i].len);
    }
    copy[s->records[i].len] = 0;
    *ret_data = copy;
    *ret_len = s->records[i].len;
    return OK;
}

static enum err mem_each(struct state_store *base, const char *name, file_taker take, void *context,
                         struct error *e)
{
    uint8_t *data = NULL;
    size_t len = 0;
    enum err err = mem_read(base, name, SIZE_MAX, &data, &len, e);
    for (size_t off = 0; err == OK && off < len; off += FILE_PIECE_BYTES) {
        size_t n = len - off < FILE_PIECE_BYTES ? len - off : FILE_PIECE_BYTES;
        err = take(context, data + off, n, e);
    }
    free(data);
    return err;
}

// "journal installing": the record, and of the journal its step.
static void trace_record(struct state_mem *s, const char *name, const char *data, size_t len)
{
    static const char key[] = "\"step\":\"";
    const char *step = memmem(data, len, key, strlen(key));
    if (strcmp(name, "journal") == 0 && step != NULL) {
        step += strlen(key);
        seam_trace(s->seam, "journal %.*s\n", (int)strcspn(step, "\""), step);
    } else {
        seam_trace(s->seam, "state %s\n", name);
    }
}

static size_t length_of(const struct file_part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    return len;
}

// The parts in one malloced buffer.
static uint8_t *gather(const struct file_part *parts, size_t count)
{
    uint8_t *bytes = malloc(length_of(parts, count) + 1);
    assert_non_null(bytes);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(bytes + len, parts[i].data, parts[i].len);
        }
        len += parts[i].len;
    }
    return bytes;
}

static enum err check_room(const struct state_mem *s, const char *name, size_t len, struct error *e)
{
    if (s->read_only) {
        return fail(e, ERR_IO, EROFS, "state record %s", name);
    }
    if (s->room > 0 && len > s->room) {
        return fail(e, ERR_IO, ENOSPC, "state record %s", name);
    }
    return OK;
}

static enum err mem_replace(struct state_store *base, const char *name,
                            const struct file_part *parts, size_t count, struct error *e)
{
    struct state_mem *s = (struct state_mem *)base;
    size_t len = length_of(parts, count);
    enum err err = seam_call(s->seam, "state replace", e);
    if (err == OK) {
        err = check_room(s, name, len, e);
    }
    if (err != OK && !(s->cut_after && seam_cut_now(s->seam))) {
        return err;
    }
    int i = find(s, name);
    i = i < 0 ? find(s, "") : i;
    assert_true(i >= 0);
    snprintf(s->records[i].name, sizeof s->records[i].name, "%s", name);
    free(s->records[i].data);
    s->records[i].data = gather(parts, count);
    s->records[i].len = len;
    if (err == OK) {
        s->replaced++;
        trace_record(s, name, (const char *)s->records[i].data, len);
    }
    return err;
}

static enum err mem_try_replace(struct state_store *base, const char *name,
                                const struct file_part *parts, size_t count, struct error *e)
{
    const struct state_mem *s = (const struct state_mem *)base;
    enum err err = seam_call(s->seam, "state try", e);
    if (err == OK) {
        err = check_room(s, name, length_of(parts, count), e);
    }
    if (err == OK) {
        seam_trace(s->seam, "state try %s\n", name);
    }
    return err;
}

static enum err mem_holds(struct state_store *base, const char *name, const struct file_part *parts,
                          size_t count, bool *ret_same, struct error *e)
{
    const struct state_mem *s = (const struct state_mem *)base;
    enum err err = seam_call(s->seam, "state compare", e);
    if (err != OK) {
        return err;
    }
    int i = find(s, name);
    uint8_t *bytes = gather(parts, count);
    size_t len = length_of(parts, count);
    *ret_same = i >= 0 && s->records[i].len == len &&
                (len == 0 || memcmp(s->records[i].data, bytes, len) == 0);
    free(bytes);
    return OK;
}

static void mem_close(struct state_store *base)
{
    (void)base;
}

static const struct state_ops mem_ops = {
    .read = mem_read,
    .each = mem_each,
    .replace = mem_replace,
    .try_replace = mem_try_replace,
    .holds = mem_holds,
    .close = mem_close,
};

void state_mem_init(struct state_mem *s, struct seam_sim *seam)
{
    *s = (struct state_mem){.base = {&mem_ops}, .seam = seam};
}

void state_mem_free(struct state_mem *s)
{
    for (int i = 0; i < STATE_MEM_RECORDS_MAX; i++) {
        free(s->records[i].data);
    }
}

bool state_mem_has(const struct state_mem *s, const char *name)
{
    return find(s, name) >= 0;
}

void state_mem_forget(struct state_mem *s, const char *name)
{
    int i = find(s, name);
    assert_true(i >= 0);
    free(s->records[i].data);
    s->records[i].data = NULL;
    s->records[i].name[0] = '\0';
}

void state_mem_spoil(struct state_mem *s, const char *name)
{
    int i = find(s, name);
    assert_true(i >= 0 && s->records[i].len > 0);
    s->records[i].data[s->records[i].len / 2] ^= 1;
}
