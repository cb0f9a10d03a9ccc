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

static enum err mem_replace(struct state_store *base, const char *name, const void *data,
                            size_t len, struct error *e)
{
    struct state_mem *s = (struct state_mem *)base;
    enum err err = seam_call(s->seam, "state replace", e);
    if (err == OK && s->read_only) {
        err = fail(e, ERR_IO, EROFS, "state record %s", name);
    }
    if (err != OK && !(s->cut_after && seam_cut_now(s->seam))) {
        return err;
    }
    int i = find(s, name);
    i = i < 0 ? find(s, "") : i;
    assert_true(i >= 0);
    snprintf(s->records[i].name, sizeof s->records[i].name, "%s", name);
    uint8_t *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    free(s->records[i].data);
    s->records[i].data = copy;
    s->records[i].len = len;
    if (err == OK) {
        s->replaced++;
        trace_record(s, name, data, len);
    }
    return err;
}

static void mem_close(struct state_store *base)
{
    (void)base;
}

static const struct state_ops mem_ops = {mem_read, mem_replace, mem_close};

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
