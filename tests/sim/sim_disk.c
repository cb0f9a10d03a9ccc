// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTORS_MAX = SIM_DISK_MAX / SIM_SECTOR_MIN, HEAD_BYTES = 4096 };

// A bug of the simulation or of a test, not of what is tested.
static void insist(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "simulated disk: %s\n", what);
        abort();
    }
}

void sim_disk_init(struct sim_disk *d, struct sim *sim, const char *name, uint32_t sector_bytes,
                   size_t size_bytes)
{
    insist(size_bytes <= SIM_DISK_MAX && size_bytes % sector_bytes == 0, "odd size");
    memset(d, 0, sizeof *d);
    d->sim = sim;
    d->name = name;
    d->sector_bytes = sector_bytes;
    d->size_bytes = size_bytes;
}

void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
    to->sector_bytes = from->sector_bytes;
    to->size_bytes = from->size_bytes;
    to->lies = from->lies;
    to->stale = from->stale;
    memcpy(to->medium, from->medium, from->size_bytes);
    memcpy(to->view, from->view, from->size_bytes);
    to->queued = from->queued;
    to->pool_used = from->pool_used;
    memcpy(to->queue, from->queue, from->queued * sizeof from->queue[0]);
    memcpy(to->pool, from->pool, from->pool_used);
}

void sim_disk_put(struct sim_disk *d, size_t off, const void *data, size_t len)
{
    insist(d->queued == 0, "put over what is pending");
    memcpy(d->medium + off, data, len);
    memcpy(d->view + off, data, len);
}

// --- calls ---------------------------------------------------------------------------------------

static void set_read_back(struct sim_disk *d, size_t off, size_t len, bool value)
{
    for (size_t i = off / SIM_SECTOR_MIN; len > 0 && i <= (off + len - 1) / SIM_SECTOR_MIN; i++) {
        d->read_back[i] = value;
    }
}

int sim_disk_read(struct sim_disk *d, enum sim_seam seam, void *buf, size_t len, size_t off)
{
    int sys = sim_call(d->sim, seam);
    if (sys != 0 && sys != EBADMSG) {
        return sys;
    }
    memcpy(buf, d->view + off, len);
    // Of a flipped bit only its sector was not read as it is.
    size_t flipped = (off + len / 2) / SIM_SECTOR_MIN;
    bool before = d->read_back[flipped];
    // What is still queued may come from a cache.
    if (d->queued == 0 || d->lies) {
        set_read_back(d, off, len, !d->stale);
    }
    if (sys == EBADMSG) {
        ((uint8_t *)buf)[len / 2] ^= 0x20;
        d->read_back[flipped] = before;
    }
    return 0;
}

static void persist(struct sim_disk *d, const struct sim_queued *q)
{
    memcpy(d->medium + (size_t)q->sector * d->sector_bytes, d->pool + q->pool_off, d->sector_bytes);
}

// The cache of a disk that lies is full: its oldest sectors reach the medium.
static void evict(struct sim_disk *d)
{
    size_t n = 0;
    while ((d->queued - n) * d->sector_bytes > SIM_CACHE_BYTES) {
        persist(d, &d->queue[n++]);
    }
    d->queued -= n;
    d->pool_used -= n * d->sector_bytes;
    memmove(d->queue, d->queue + n, d->queued * sizeof d->queue[0]);
    memmove(d->pool, d->pool + n * d->sector_bytes, d->pool_used);
    for (size_t i = 0; i < d->queued; i++) {
        d->queue[i].pool_off -= (uint32_t)(n * d->sector_bytes);
    }
}

static void enqueue(struct sim_disk *d, size_t off, size_t len)
{
    size_t last = (off + len - 1) / d->sector_bytes;
    for (size_t sector = off / d->sector_bytes; sector <= last; sector++) {
        insist(d->queued < SIM_QUEUE_MAX && d->pool_used + d->sector_bytes <= sizeof d->pool,
               "too much is pending");
        d->queue[d->queued++] =
            (struct sim_queued){(uint32_t)sector, d->sim->epoch, (uint32_t)d->pool_used};
        memcpy(d->pool + d->pool_used, d->view + sector * d->sector_bytes, d->sector_bytes);
        d->pool_used += d->sector_bytes;
    }
}

int sim_disk_write(struct sim_disk *d, enum sim_seam seam, const void *buf, size_t len, size_t off)
{
    int sys = sim_call(d->sim, seam);
    bool silent = sys == EBADMSG;
    if (sys != 0 && !silent) {
        // It failed having done a part.
        len = d->sim->fail_short ? len / 2 : 0;
    }
    if (len == 0) {
        return sys;
    }
    d->trespassed = d->trespassed || d->read_only;
    memcpy(d->view + off, buf, len);
    if (silent) {
        d->view[off + len / 2] ^= 0x20;
        d->sim->misstored = true;
        sys = 0;
    }
    set_read_back(d, off, len, false);
    enqueue(d, off, len);
    if (d->lies) {
        evict(d);
    }
    d->written_bytes += len;
    size_t head = off < HEAD_BYTES ? HEAD_BYTES - off : 0;
    d->body_bytes += len > head ? len - head : 0;
    sim_changed(d->sim);
    return sys;
}

static void drop_queue(struct sim_disk *d)
{
    d->queued = d->pool_used = 0;
}

static void fail_sync(struct sim_disk *d)
{
    uint64_t dice = d->sim->fail_at;
    for (size_t i = 0; i < d->queued; i++) {
        if (next_random(&dice) % 2 == 0) {
            persist(d, &d->queue[i]);
        }
    }
    drop_queue(d);
    d->stale = true;
}

int sim_disk_sync(struct sim_disk *d, enum sim_seam seam)
{
    int sys = sim_call(d->sim, seam);
    if (sys != 0 && sys != EBADMSG) {
        fail_sync(d);
        sim_changed(d->sim);
        return sys;
    }
    if (sys != 0) {
        sim_idle(d->sim);
    }
    if (d->lies) {
        d->sim->epoch++;
        return 0;
    }
    bool changes = d->queued > 0 || d->stale;
    sim_disk_settle(d);
    if (changes) {
        sim_changed(d->sim);
    }
    return 0;
}

void sim_disk_settle(struct sim_disk *d)
{
    for (size_t i = 0; i < d->queued; i++) {
        persist(d, &d->queue[i]);
    }
    drop_queue(d);
    if (d->stale) {
        memcpy(d->view, d->medium, d->size_bytes);
        d->stale = false;
    }
}

// --- cuts ----------------------------------------------------------------------------------------

// The queued writes of each sector, oldest first, of all epochs or of one.
struct versions {
    size_t sectors; // that have any
    uint16_t sector[SECTORS_MAX];
    uint8_t count[SECTORS_MAX]; // by sector
};

static void find_versions(const struct sim_disk *d, struct versions *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < d->queued; i++) {
        uint32_t sector = d->queue[i].sector;
        if (ret->count[sector]++ == 0) {
            ret->sector[ret->sectors++] = (uint16_t)sector;
        }
        insist(ret->count[sector] < UINT8_MAX - 1, "too many versions of a sector");
    }
}

size_t sim_disk_pieces(const struct sim_disk *d, struct sim_piece *pieces, size_t max)
{
    struct versions v;
    size_t n = 0;
    if (d->queued == 0) {
        return 0;
    }
    find_versions(d, &v);
    insist(v.sectors <= max, "too many pieces");
    for (size_t i = 0; i < v.sectors; i++) {
        uint8_t newest = d->lies ? 1 : v.count[v.sector[i]];
        pieces[n++] = (struct sim_piece){(uint8_t)(newest + 2), newest};
    }
    return n;
}

// The `version`-th (from 1) of what was queued for the sector; 0: the last one there is.
static const struct sim_queued *find_queued(const struct sim_disk *d, uint32_t sector,
                                            uint32_t epoch, unsigned version)
{
    const struct sim_queued *found = NULL;
    for (size_t i = 0; i < d->queued; i++) {
        const struct sim_queued *q = &d->queue[i];
        if (q->sector == sector && (!d->lies || q->epoch == epoch)) {
            found = q;
            if (version > 0 && --version == 0) {
                break;
            }
        }
    }
    return found;
}

// `newest` and what is below it is a version; above it is garbage.
static void cut_sector(struct sim_disk *d, uint32_t sector, uint32_t epoch, uint8_t fate,
                       uint8_t newest, uint64_t seed)
{
    const struct sim_queued *q = find_queued(d, sector, epoch, d->lies ? 0 : fate);
    if (fate == 0 || q == NULL) {
        return;
    }
    if (fate <= newest) {
        persist(d, q);
    } else {
        sim_garbage(d->medium + (size_t)sector * d->sector_bytes, d->sector_bytes, seed + sector);
    }
}

void sim_disk_cut(struct sim_disk *d, const uint8_t *fates, uint64_t seed)
{
    struct versions v;
    uint32_t epoch = d->sim->cut_epoch;
    if (d->queued > 0) {
        find_versions(d, &v);
        for (size_t i = 0; d->lies && i < d->queued && d->queue[i].epoch < epoch; i++) {
            persist(d, &d->queue[i]);
        }
        for (size_t i = 0; i < v.sectors; i++) {
            uint8_t newest = d->lies ? 1 : v.count[v.sector[i]];
            cut_sector(d, v.sector[i], epoch, fates[i], newest, seed);
        }
    }
    drop_queue(d);
    d->stale = false;
    memcpy(d->view, d->medium, d->size_bytes);
}

// --- the block-device seam -----------------------------------------------------------------------

struct handle {
    struct blk base; // first: the ops get this pointer
    struct sim_disk *disk;
};

static struct sim_disk *disk_of(struct blk *b)
{
    return ((struct handle *)b)->disk;
}

static enum err answer(const struct sim_disk *d, const char *what, int sys, struct error *e)
{
    return sys == 0 ? OK : fail(e, ERR_IO, sys, "%s: %s", d->name, what);
}

static enum err disk_pread(struct blk *b, void *buf, size_t len, uint64_t off, struct error *e)
{
    struct sim_disk *d = disk_of(b);
    return answer(d, "read", sim_disk_read(d, SIM_DISK, buf, len, (size_t)off), e);
}

static enum err disk_pwrite(struct blk *b, const void *buf, size_t len, uint64_t off,
                            struct error *e)
{
    struct sim_disk *d = disk_of(b);
    return answer(d, "write", sim_disk_write(d, SIM_DISK, buf, len, (size_t)off), e);
}

static enum err disk_zero_range(struct blk *b, uint64_t off, uint64_t len, struct error *e)
{
    static const uint8_t zeros[SIM_DISK_MAX];
    return disk_pwrite(b, zeros, (size_t)len, off, e);
}

static enum err disk_sync(struct blk *b, struct error *e)
{
    struct sim_disk *d = disk_of(b);
    return answer(d, "sync", sim_disk_sync(d, SIM_DISK), e);
}

static void disk_close(struct blk *b)
{
    disk_of(b)->read_only = false;
    free(b);
}

static const struct blk_ops disk_ops = {
    .pread = disk_pread,
    .pwrite = disk_pwrite,
    .zero_range = disk_zero_range,
    .sync = disk_sync,
    .close = disk_close,
};

enum err sim_disk_open(struct sim_disk *d, enum blk_mode mode, struct blk **ret, struct error *e)
{
    int sys = sim_call(d->sim, SIM_DISK);
    bool opens = sys == 0 || sys == EBADMSG;
    if (sys == EBADMSG) {
        sim_idle(d->sim);
    }
    struct handle *h = opens ? malloc(sizeof *h) : NULL;
    if (h == NULL) {
        return !opens ? fail(e, ERR_IO, sys, "%s: open", d->name) : fail_memory(e);
    }
    // Opened for reading, it must not be written to.
    d->read_only = mode != BLK_READ_WRITE;
    *h = (struct handle){{&disk_ops, d->size_bytes, d->sector_bytes, d->name}, d};
    *ret = &h->base;
    return OK;
}
