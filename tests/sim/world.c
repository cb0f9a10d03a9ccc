// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include "bootloader/boot_model.h"
#include "tests/sim/invariants.h"
#include "tests/support/expect.h"
#include "updater/heads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct world *world_active;

static const char *const disk_names[SLOT_COUNT][SIM_PARTITIONS] = {{"a.rootfs", "a.boot"},
                                                                   {"b.rootfs", "b.boot"}};

// --- media ---------------------------------------------------------------------------------------

void media_copy(struct media *to, const struct media *from)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            sim_disk_copy(&to->slots[s][p], &from->slots[s][p]);
        }
    }
    sim_disk_copy(&to->env, &from->env);
    sim_fs_copy(&to->fs, &from->fs);
    to->truth = from->truth;
}

void world_restore(struct world *w, const struct media *from)
{
    media_copy(&w->m, from);
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            w->m.slots[s][p].written_bytes = w->m.slots[s][p].body_bytes = 0;
        }
    }
    w->env.stores = 0;
}

uint64_t world_written(const struct world *w, bool heads_too)
{
    uint64_t sum = 0;
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            const struct sim_disk *d = &w->m.slots[s][p];
            sum += heads_too ? d->written_bytes : d->body_bytes;
        }
    }
    return sum;
}

void world_note_failure(const struct world *w, struct truth *t)
{
    const struct sim *s = &w->sim;
    if (!s->failed) {
        return;
    }
    t->cuts++;
    t->failed = true;
    t->spoilt = t->spoilt || (s->fail_seam == SIM_DISK && s->misstored);
    // U-Boot could not read a copy, or not save; or a copy was read wrongly: then the device goes
    // by what was there before. What was stored wrongly the updater sees when it reads it back.
    bool misread = s->fail_sys == EBADMSG && !s->misstored;
    t->env_copy_lost =
        t->env_copy_lost || (s->fail_seam == SIM_ENV && (s->failed_step == 11 || misread));
}

void world_snapshot(const struct world *w, struct media *ret)
{
    media_copy(ret, &w->m);
    world_note_failure(w, &ret->truth);
}

static void settle(struct world *w)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            sim_disk_settle(&w->m.slots[s][p]);
            w->m.slots[s][p].written_bytes = w->m.slots[s][p].body_bytes = 0;
        }
    }
    sim_disk_settle(&w->m.env);
    sim_fs_settle(&w->m.fs);
}

// --- seams ---------------------------------------------------------------------------------------

static enum err open_slot_disk(const char *path, enum blk_mode mode, struct blk **ret,
                               struct error *e)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            if (strcmp(path, disk_names[s][p]) == 0) {
                return sim_disk_open(&world_active->m.slots[s][p], mode, ret, e);
            }
        }
    }
    return fail(e, ERR_CONFIG, ENOENT, "slot device %s", path);
}

static enum err count_reboot(struct device *d, struct error *e)
{
    (void)d;
    (void)e;
    world_active->reboots++;
    return OK;
}

static uint64_t clock_boottime(const struct clock *c)
{
    (void)c;
    return 0;
}

static uint64_t clock_wall(const struct clock *c, bool *ret_synchronised)
{
    (void)c;
    *ret_synchronised = true;
    return 1800000000;
}

static void clock_sleep(const struct clock *c, uint64_t ms)
{
    (void)c;
    (void)ms;
}

static const struct clock_ops clock_ops = {clock_boottime, clock_wall, clock_sleep};

// --- making --------------------------------------------------------------------------------------

static void make_config(struct world *w)
{
    struct config *c = &w->config;
    c->product = "vv-test";
    c->compatible = "vv-test-board";
    c->trust_signers = 1;
    w->check = (struct config_check){.name = "tv_api", .required = true};
    c->checks = &w->check;
    c->check_count = 1;
    c->confirm_baseline = true;
    c->boot = (struct boot_setup){
        .contract = w->shape.contract,
        .slot_var = "rpipart",
        .attempts = SIM_ATTEMPTS,
        .slots = {{.name = "a", .bootname = "A", .bootvalue = "2"},
                  {.name = "b", .bootname = "B", .bootvalue = "3"}},
    };
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        c->slots[s].name = c->boot.slots[s].name;
        c->slots[s].partition_count = SIM_PARTITIONS;
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            c->slots[s].partitions[p] =
                (struct config_partition){sim_shapes[p].name, disk_names[s][p]};
        }
    }
}

static void make_media(struct world *w)
{
    const struct sim_release *factory = &w->kit->releases[SIM_FACTORY];
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            struct sim_disk *d = &w->m.slots[s][p];
            sim_disk_init(d, &w->sim, disk_names[s][p], w->shape.sector_bytes,
                          sim_shapes[p].size_bytes);
            sim_disk_put(d, 0, factory->content[p], sim_shapes[p].size_bytes);
            d->lies = w->shape.lies;
        }
    }
    sim_disk_init(&w->m.env, &w->sim, "environment", w->shape.sector_bytes, SIM_ENV_MEDIUM_SIZE);
    sim_fs_init(&w->m.fs, &w->sim);
    w->m.truth =
        (struct truth){.running = SLOT_NONE, .release = SIM_UNKNOWN, .replaced = SLOT_NONE};
}

static void make_device(struct world *w)
{
    struct error e;
    struct device *d = &w->device;
    d->config = &w->config;
    d->env = &w->env.base;
    d->trust = w->kit->trust;
    d->hasher = w->kit->hasher;
    d->running = SLOT_NONE;
    d->lock_fd = -1;
    d->clock = &w->clock;
    d->log = &w->log;
    d->sync_bytes = SIM_SYNC_BYTES;
    d->deltas_worth_bytes = SIM_DELTAS_WORTH;
    d->lanes = 1;
    d->open_blk = open_slot_disk;
    d->reboot = count_reboot;
    assert_ok(state_dir_open("/sim/state", &d->state, &e));
}

struct world *world_new(const struct world_shape *shape, const struct sim_kit *kit,
                        struct findings *findings)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->shape = *shape;
    w->kit = kit;
    w->findings = findings;
    w->dead = w->sick = SIM_UNKNOWN;
    w->clock = (struct clock){&clock_ops};
    w->log = (struct log){.stream = fopen("/dev/null", "we"), .program = "vv-update"};
    assert_non_null(w->log.stream);
    world_active = w;
    make_config(w);
    make_media(w);
    sim_fs_mount(&w->m.fs);
    world_env_make(w);
    make_device(w);
    return w;
}

void world_free(struct world *w)
{
    state_close(w->device.state);
    world_env_free(w);
    fclose(w->log.stream);
    sim_fs_mount(NULL);
    world_active = NULL;
    free(w);
}

// --- what is there -------------------------------------------------------------------------------

static int content(const struct world *w, int slot, bool durable, const size_t *from)
{
    int found = SIM_UNKNOWN;
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        const struct sim_disk *d = &w->m.slots[slot][p];
        int release = sim_kit_identify(w->kit, p, durable ? d->medium : d->view, from[p]);
        if (release == SIM_UNKNOWN || (p > 0 && release != found)) {
            return SIM_UNKNOWN;
        }
        found = release;
    }
    return found;
}

int world_content(const struct world *w, int slot, bool durable)
{
    static const size_t all[SIM_PARTITIONS] = {0};
    return content(w, slot, durable, all);
}

bool world_mounts_whole(const struct world *w, int slot)
{
    return content(w, slot, true, w->kit->superblock_off) != SIM_UNKNOWN;
}

bool world_mountable(const struct world *w, int slot)
{
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        if (!sim_kit_mountable(w->kit, p, w->m.slots[slot][p].medium)) {
            return false;
        }
    }
    return true;
}

bool world_has_head(const struct world *w, int slot)
{
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        if (head_has_superblock(w->m.slots[slot][p].medium, HEAD_SIZE)) {
            return true;
        }
    }
    return false;
}

struct sim world_look(struct world *w)
{
    struct sim before = w->sim;
    w->sim.on_moment = NULL;
    w->sim.fail_at = 0;
    return before;
}

bool world_journal(struct world *w, struct journal *ret)
{
    struct error e;
    struct sim before = world_look(w);
    bool found = journal_load(w->device.state, ret, &e) == OK && !ret->lost;
    w->sim = before;
    return found;
}

void world_damage_state(struct world *w, enum state_damage damage, uint64_t seed)
{
    static const char *const records[] = {"journal", "slot-a", "slot-b", "offer"};
    size_t count = damage == STATE_ALL_LOST ? 4 : 1;
    w->m.truth.state_lost = true;
    for (size_t i = 0; i < count; i++) {
        if (damage == STATE_JOURNAL_SPOILT) {
            (void)sim_fs_spoil(&w->m.fs, records[i], seed);
            (void)(seed % 2 == 0 && sim_fs_spoil(&w->m.fs, "offer", seed));
        } else {
            (void)sim_fs_remove(&w->m.fs, records[i]);
        }
    }
}

// --- power on ------------------------------------------------------------------------------------

static bool can_start(void *context, int slot)
{
    struct world *w = context;
    return world_mountable(w, slot) && world_content(w, slot, true) != w->dead;
}

bool world_boot(struct world *w)
{
    struct error e;
    struct boot_outcome outcome = {.slot = SLOT_NONE};
    struct truth *t = &w->m.truth;
    settle(w);
    w->sim.step = 11;
    t->running = SLOT_NONE;
    t->boots++;
    world_env_power_on(w);
    if (boot_model_run(&w->config.boot, &w->env.base, can_start, w, &outcome, &e) != OK) {
        outcome.slot = SLOT_NONE;
    }
    w->sim.step = 0;
    t->running = outcome.slot;
    check_boot(w);
    t->release = outcome.slot == SLOT_NONE ? SIM_UNKNOWN : world_content(w, outcome.slot, true);
    narrate(w, "boot: slot %d runs, release %s", t->running,
            t->release == SIM_UNKNOWN ? "unknown" : w->kit->releases[t->release].version);
    return t->release != SIM_UNKNOWN;
}
