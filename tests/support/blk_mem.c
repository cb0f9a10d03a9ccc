// SPDX-License-Identifier: Apache-2.0
#include "tests/support/blk_mem.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEVICES_MAX = 8, SECTOR = 512 };

static struct blk_mem *devices[DEVICES_MAX];

struct handle {
    struct blk base;
    struct blk_mem *medium;
    bool writable;
};

static struct blk_mem *medium_of(struct blk *b)
{
    return ((struct handle *)b)->medium;
}

static bool covers(uint64_t off, uint64_t len, int64_t place)
{
    return place >= 0 && (uint64_t)place >= off && (uint64_t)place - off < len;
}

static void mark(struct blk *b, uint64_t off, uint64_t len)
{
    struct blk_mem *m = medium_of(b);
    assert_true(((struct handle *)b)->writable);
    memset(m->touched + off, 1, len);
    if (covers(off, len, m->unreadable_off)) {
        m->unreadable_off = BLK_MEM_NOWHERE;
    }
    if (covers(off, len, m->spoil_off) && m->spoil_times > 0) {
        m->spoil_times--;
        m->data[m->spoil_off] ^= 0x40;
    }
}

static enum err mem_pread(struct blk *b, void *buf, size_t len, uint64_t off, struct error *e)
{
    struct blk_mem *m = medium_of(b);
    enum err err = seam_call(m->seam, "read", e);
    if (err == OK && covers(off, len, m->unreadable_off)) {
        err = fail(e, ERR_IO, EIO, "%s: read at %" PRIu64, m->path, off);
    }
    if (err == OK) {
        memcpy(buf, m->data + off, len);
    }
    return err;
}

static enum err mem_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off,
                           struct error *e)
{
    struct blk_mem *m = medium_of(b);
    enum err err = seam_call(m->seam, "write", e);
    if (err != OK && !seam_cut_now(m->seam)) {
        return err;
    }
    // When the power goes away in a write, the write has begun.
    memcpy(m->data + off, buf, len);
    mark(b, off, len);
    if (err == OK) {
        m->writes++;
        m->written_bytes += len;
        m->largest_write = len > m->largest_write ? len : m->largest_write;
        seam_trace(m->seam, "%s write %" PRIu64 "+%zu\n", m->path, off, len);
    }
    return err;
}

static enum err mem_zero_range(struct blk *b, uint64_t off, uint64_t len, struct error *e)
{
    struct blk_mem *m = medium_of(b);
    enum err err = seam_call(m->seam, "zero", e);
    if (err != OK && !seam_cut_now(m->seam)) {
        return err;
    }
    memset(m->data + off, 0, len);
    mark(b, off, len);
    if (err == OK) {
        m->zeroings++;
        seam_trace(m->seam, "%s zero %" PRIu64 "+%" PRIu64 "\n", m->path, off, len);
    }
    return err;
}

static enum err mem_sync(struct blk *b, struct error *e)
{
    struct blk_mem *m = medium_of(b);
    enum err err = seam_call(m->seam, "sync", e);
    if (err == OK) {
        memcpy(m->synced, m->data, m->size_bytes);
        m->syncs++;
        seam_trace(m->seam, "%s sync\n", m->path);
    }
    return err;
}

static void mem_close(struct blk *b)
{
    free(b);
}

static const struct blk_ops mem_ops = {
    .pread = mem_pread,
    .pwrite = mem_pwrite,
    .zero_range = mem_zero_range,
    .sync = mem_sync,
    .close = mem_close,
};

void blk_mem_init(struct blk_mem *m, const char *path, uint64_t size_bytes, struct seam_sim *seam)
{
    *m = (struct blk_mem){
        .seam = seam,
        .size_bytes = size_bytes,
        .data = calloc(1, size_bytes),
        .synced = calloc(1, size_bytes),
        .touched = calloc(1, size_bytes),
        .spoil_off = BLK_MEM_NOWHERE,
        .unreadable_off = BLK_MEM_NOWHERE,
    };
    snprintf(m->path, sizeof m->path, "%s", path);
    assert_true(m->data != NULL && m->synced != NULL && m->touched != NULL);
    size_t i = 0;
    while (i < DEVICES_MAX && devices[i] != NULL) {
        i++;
    }
    assert_true(i < DEVICES_MAX);
    devices[i] = m;
}

void blk_mem_free(struct blk_mem *m)
{
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        devices[i] = devices[i] == m ? NULL : devices[i];
    }
    free(m->data);
    free(m->synced);
    free(m->touched);
}

void blk_mem_reset(struct blk_mem *m)
{
    memcpy(m->synced, m->data, m->size_bytes);
    memset(m->touched, 0, m->size_bytes);
    m->opens = m->writes = m->zeroings = m->syncs = 0;
    m->written_bytes = m->largest_write = 0;
}

static void cut_sector(struct blk_mem *m, uint64_t off, size_t len, uint64_t seed)
{
    uint8_t dice;
    fill_random(&dice, 1, seed ^ (off * 0x9e3779b97f4a7c15u));
    if (dice % 3 == 0) {
        memcpy(m->data + off, m->synced + off, len);
    } else if (dice % 3 == 1) {
        fill_random(m->data + off, len, seed + off);
    }
}

void blk_mem_cut(struct blk_mem *m, enum blk_mem_fate fate, uint64_t seed)
{
    for (uint64_t off = 0; off < m->size_bytes; off += SECTOR) {
        size_t len = m->size_bytes - off < SECTOR ? (size_t)(m->size_bytes - off) : SECTOR;
        if (memcmp(m->data + off, m->synced + off, len) == 0 || fate == BLK_MEM_KEEP) {
            continue;
        }
        if (fate == BLK_MEM_LOSE) {
            memcpy(m->data + off, m->synced + off, len);
        } else {
            cut_sector(m, off, len, seed);
        }
    }
    memcpy(m->synced, m->data, m->size_bytes);
}

enum err blk_mem_open(const char *path, enum blk_mode mode, struct blk **ret, struct error *e)
{
    struct blk_mem *m = NULL;
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (devices[i] != NULL && strcmp(devices[i]->path, path) == 0) {
            m = devices[i];
        }
    }
    if (m == NULL) {
        return fail(e, ERR_CONFIG, ENOENT, "slot device %s", path);
    }
    if (m->in_use && mode == BLK_READ_WRITE) {
        return fail(e, ERR_NOT_NOW, EBUSY, "slot device %s is mounted or in use", path);
    }
    struct handle *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->base = (struct blk){&mem_ops, m->size_bytes, SECTOR, m->path};
    h->medium = m;
    h->writable = mode == BLK_READ_WRITE;
    m->opens++;
    *ret = &h->base;
    return OK;
}
