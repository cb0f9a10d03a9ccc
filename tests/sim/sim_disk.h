// SPDX-License-Identifier: Apache-2.0
// A simulated block device: writes queue until sync; at a cut each sector of them is old, any of
// the versions written since, or garbage, whatever became of its neighbours.
//
// Invariants
// 1. What a read gives is what was written last, synced or not, as with a cache in front of a disk.
// 2. A sync that fails leaves some of the sectors on the medium and some not, and the cache clean,
//    as Linux does: the next sync says OK without having written them, and from then on reads give
//    the medium.
// 3. A disk that lies says OK to a sync and queues on. It keeps the order of what it was told, and
//    all disks of a device that lie are one: nothing written behind such a sync reaches the medium
//    before what was written ahead of it, there or on another of them. Its cache has room for
//    SIM_CACHE_BYTES: what is older is on the medium.
// 4. A read or write that is to fail with EBADMSG says OK, and a byte of it is wrong.
#ifndef TESTS_SIM_SIM_DISK_H
#define TESTS_SIM_SIM_DISK_H

#include "base/blk_file.h"
#include "tests/sim/sim.h"

enum {
    SIM_SECTOR_MIN = 512,
    SIM_DISK_MAX = 32 * 1024,
    SIM_QUEUE_MAX = 512,
    SIM_CACHE_BYTES = 8 * 1024
};

struct sim_queued {
    uint32_t sector;
    uint32_t epoch;    // syncs that were lied about before it
    uint32_t pool_off; // of its bytes
};

struct sim_disk {
    struct sim *sim;
    const char *name;
    uint32_t sector_bytes; // 512 or 4096
    size_t size_bytes;     // whole sectors
    bool lies;
    bool read_only; // a write is noted in `trespassed`, and done
    bool trespassed;
    bool stale; // a sync failed: the view is not what the medium has
    // Of writes, since the driver set them to 0: all, and what lay behind the first 4 KiB.
    uint64_t written_bytes, body_bytes;
    uint8_t medium[SIM_DISK_MAX];
    uint8_t view[SIM_DISK_MAX];
    // Per sector of 512: read from the medium since it was last written. The driver clears it.
    bool read_back[SIM_DISK_MAX / SIM_SECTOR_MIN];
    size_t queued;
    size_t pool_used;
    struct sim_queued queue[SIM_QUEUE_MAX];
    uint8_t pool[SIM_QUEUE_MAX * SIM_SECTOR_MIN]; // bounds what can be pending
};

void sim_disk_init(struct sim_disk *d, struct sim *sim, const char *name, uint32_t sector_bytes,
                   size_t size_bytes);
// Shape, medium, view and queue of `from`; nothing else.
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);
// Durable at once; nothing may be pending.
void sim_disk_put(struct sim_disk *d, size_t off, const void *data, size_t len);

// The calls of the seams: 0 or an errno.
int sim_disk_read(struct sim_disk *d, enum sim_seam seam, void *buf, size_t len, size_t off);
int sim_disk_write(struct sim_disk *d, enum sim_seam seam, const void *buf, size_t len, size_t off);
int sim_disk_sync(struct sim_disk *d, enum sim_seam seam);

// What is pending, a piece per sector, and how many.
size_t sim_disk_pieces(const struct sim_disk *d, struct sim_piece *pieces, size_t max);
// The power went away: one fate per piece. Nothing is pending afterwards. Of a disk that lies, what
// was queued before sim->cut_epoch is kept and what came behind it is lost, whatever its fate.
void sim_disk_cut(struct sim_disk *d, const uint8_t *fates, uint64_t seed);
// A reboot without a cut: everything reaches the medium.
void sim_disk_settle(struct sim_disk *d);

// A handle for the block-device seam.
MUST_CHECK enum err sim_disk_open(struct sim_disk *d, enum blk_mode mode, struct blk **ret,
                                  struct error *e);

#endif
