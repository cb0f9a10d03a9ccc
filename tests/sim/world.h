// SPDX-License-Identifier: Apache-2.0
// A device that exists in memory only: the real updater, boot model, state directory and decisions
// on simulated media. And what really happened to it, kept beside it for the checker.
//
// The media are one value, which can be copied while the device works and gone on from later.
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/offers.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_env.h"
#include "tests/sim/sim_env_real.h"
#include "tests/sim/sim_fs.h"
#include "tests/sim/sim_kit.h"
#include "tests/sim/sim_source.h"
#include "updater/confirm.h"
#include "updater/device.h"
#include "updater/install.h"
#include "updater/rollback.h"

enum { SIM_SYNC_BYTES = 4096, SIM_DELTAS_WORTH = 1024, SIM_ATTEMPTS = 3 };
enum { SIM_DISKS = SLOT_COUNT * SIM_PARTITIONS + 1 };
enum { STEP_OFFER = 13, STEPS = STEP_OFFER };

// What is true of the device, whatever it has on record.
struct truth {
    int running;         // slot, SLOT_NONE: off
    int release;         // that runs
    uint64_t floor_seen; // the highest there was in the environment
    uint64_t floor_max;  // the floor of the newest release that was ever confirmed
    bool env_lost;       // both copies of the environment were damaged, once
    bool env_copy_lost;  // one was: what the newest store said may be forgotten
    bool env_forgets;    // and then one again: any earlier word may come back
    bool state_lost;     // a record of the state directory was lost or damaged, once
    bool spoilt;         // a disk has said OK and stored something else
    bool rotten;         // a slot has changed by itself
    int replaced;        // slot that holds what was put there by other means; SLOT_NONE: none
    int doomed;          // the release whose rejection is on record, 0: none
    unsigned asked;      // times that health checks were asked for
    bool floor_unknown;  // the device has warned that it could not read it
    unsigned cuts;       // and failures, so far
    bool failed;         // a call failed, once
    unsigned boots;
    struct sim_server server;
};

struct media {
    struct sim_disk slots[SLOT_COUNT][SIM_PARTITIONS];
    struct sim_disk env;
    struct sim_fs fs;
    struct truth truth;
};

void media_copy(struct media *to, const struct media *from);

struct world_shape {
    enum contract contract;
    uint32_t sector_bytes;
    bool lies;     // the disks of the slots say OK to a sync and do nothing
    bool real_env; // libubootenv on a file in memory
};

// Hashes of the variable sets that a whole store left behind, ever: what may be found after a cut.
enum { KNOWN_ENV_MAX = 4096 };

struct world_env {
    struct bootenv base; // first: the ops get this pointer
    struct bootenv *below;
    struct world *world;
    char loaded_trial[16];
    unsigned stores; // of the process that ran last
};

struct findings; // of the checker, invariants.h

struct world {
    struct sim sim;
    struct media m;
    struct world_shape shape;
    const struct sim_kit *kit;
    struct config config;
    struct config_check check; // what it answers is world_is_sick()
    struct device device;
    struct clock clock;
    struct log log;
    struct sim_env sim_env;
    struct sim_env_real *real_env;
    struct world_env env;
    struct sim_source source, pack;
    enum sim_pack_kind pack_kind; // beside the image of SIM_PATCHED
    struct findings *findings;
    size_t known_envs;
    uint64_t known_env[KNOWN_ENV_MAX];
    int dead;      // the release whose kernel does not start, SIM_UNKNOWN: none
    int sick;      // the release whose services are not healthy
    bool recovers; // it is at its first health checks only
    bool is_installing;
    unsigned reboots; // asked for by the process that ran last
};

// The release in slot b and running, in the factory's word; slot a holds the factory's content too.
struct world *world_new(const struct world_shape *shape, const struct sim_kit *kit,
                        struct findings *findings);
void world_free(struct world *w);
// Of this moment, in the middle of whatever is going on.
void world_snapshot(const struct world *w, struct media *ret);
// Bytes written to slots by the process that runs, in all or behind the heads.
uint64_t world_written(const struct world *w, bool heads_too);
// What a call that failed, if one did, means for what may be asked of the device later.
void world_note_failure(const struct world *w, struct truth *t);
// The media become a copy of `from`, nothing is running.
void world_restore(struct world *w, const struct media *from);

// The world that the wrapped functions act on.
extern struct world *world_active;

// world_env.c: the boot environment of a world, below a layer that checks each store.
void world_env_make(struct world *w);
void world_env_free(struct world *w);
// U-Boot finds the environment, or goes on with its defaults.
void world_env_power_on(struct world *w);

// --- what can happen ---------------------------------------------------------------------------
// Each verb is a process of its own: it remembers nothing but the media.

// Power on: the boot loader, then the kernel of `truth.running`. False: nothing boots.
bool world_boot(struct world *w);
enum err world_install(struct world *w, int release, bool activate, struct install_report *ret,
                       struct error *e);
// The running slot gets the factory's system by other means than an update, of which no record
// says anything; the next boot starts it.
void world_replace(struct world *w);
// A byte of the slot becomes another one.
void world_rot(struct world *w, int slot);
enum err world_activate(struct world *w, struct error *e);
enum err world_confirm(struct world *w, enum confirm_outcome *ret, struct error *e);
enum err world_rollback(struct world *w, struct error *e);
enum err world_mark(struct world *w, bool good, struct error *e);

// --- what is there ------------------------------------------------------------------------------

// The release that a slot holds to the last byte; SIM_UNKNOWN: none. `durable`: on the medium, else
// as a read gives it.
int world_content(const struct world *w, int slot, bool durable);
// Health checks would find what runs to be unhealthy.
bool world_is_sick(const struct world *w);
// What a kernel sees of it, from the superblocks on, is one release.
bool world_mounts_whole(const struct world *w, int slot);
// A kernel would mount all its partitions.
bool world_mountable(const struct world *w, int slot);
// One of them has something where a superblock can stand.
bool world_has_head(const struct world *w, int slot);
// Unobserved and uncounted: what the environment and the journal say. False: cannot be read.
bool world_boot_state(struct world *w, struct boot_state *ret);
bool world_journal(struct world *w, struct journal *ret);
// Of all variables, ours and foreign ones. False: they cannot be read, or a foreign one is not as
// it was made.
bool world_env_hash(struct world *w, uint64_t *ret);
// Looking is neither counted nor observed nor made to fail: what `sim` was, to be put back.
struct sim world_look(struct world *w);

// Copies of the environment (bit i: copy i), or records of the state directory, are damaged or
// gone.
void world_lose_env(struct world *w, unsigned copies);
enum state_damage { STATE_JOURNAL_LOST, STATE_JOURNAL_SPOILT, STATE_ALL_LOST, STATE_DAMAGES };
void world_damage_state(struct world *w, enum state_damage damage, uint64_t seed);

#endif
