// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/world.h"

#include "bootloader/boot_model.h"
#include "tests/sim/invariants.h"
#include "tests/sim/sim_memory.h"
#include "tests/support/expect.h"
#include "updater/activate.h"
#include "updater/heads.h"
#include "updater/mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct world *world_active;

static const char *const disk_names[SLOT_COUNT][SIM_PARTITIONS] = {{"a.rootfs", "a.boot"},
                                                                   {"b.rootfs", "b.boot"}};

// --- media ----------------------------------------------------------------------------------------

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

static uint64_t body_written(const struct world *w)
{
    uint64_t sum = 0;
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            sum += w->m.slots[s][p].body_bytes;
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
    // A healthy system is kept even if the record that says its floor cannot be read.
    t->floor_unknown = t->floor_unknown || (s->fail_seam == SIM_STATE && s->failed_step == 12);
    t->spoilt = t->spoilt || (s->fail_seam == SIM_DISK && s->fail_sys == EBADMSG);
    // U-Boot could not read a copy, or not save; or a copy was read wrongly, or stored so: then the
    // device goes by what was there before.
    t->env_copy_lost = t->env_copy_lost || (s->fail_seam == SIM_ENV &&
                                            (s->failed_step == 11 || s->fail_sys == EBADMSG));
}

void world_snapshot(const struct world *w, struct media *ret)
{
    media_copy(ret, &w->m);
    world_note_failure(w, &ret->truth);
    if (w->is_installing) {
        ret->truth.done_bytes[w->installing] += body_written(w);
    }
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

// --- seams ----------------------------------------------------------------------------------------

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

// --- making ---------------------------------------------------------------------------------------

static void make_config(struct world *w)
{
    struct config *c = &w->config;
    c->product = "vv-test";
    c->compatible = "vv-test-board";
    c->trust_signers = 1;
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
    w->m.truth = (struct truth){.running = SLOT_NONE, .release = SIM_UNKNOWN};
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

// --- what is there --------------------------------------------------------------------------------

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
    static const char *const records[] = {"journal", "slot-a", "slot-b"};
    size_t count = damage == STATE_ALL_LOST ? 3 : 1;
    w->m.truth.state_lost = true;
    for (size_t i = 0; i < count; i++) {
        if (damage == STATE_JOURNAL_SPOILT) {
            (void)sim_fs_spoil(&w->m.fs, records[i], seed);
        } else {
            (void)sim_fs_remove(&w->m.fs, records[i]);
        }
    }
}

// --- power on -------------------------------------------------------------------------------------

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

// --- verbs ----------------------------------------------------------------------------------------

static enum err begin(struct world *w, struct error *e)
{
    for (size_t s = 0; s < SLOT_COUNT; s++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            struct sim_disk *d = &w->m.slots[s][p];
            memset(d->read_back, 0, sizeof d->read_back);
            d->written_bytes = d->body_bytes = 0;
        }
    }
    w->env.stores = 0;
    w->reboots = 0;
    w->device.running = w->m.truth.running;
    if (w->sim.fail_seam == SIM_MEMORY && w->sim.fail_at > 0) {
        sim_memory_arm(&w->sim);
    }
    enum err err = journal_load(w->device.state, &w->device.journal, e);
    struct truth *t = &w->m.truth;
    if (err == OK && w->device.journal.lost && !t->state_lost && !w->sim.failed) {
        violated(w, 9, "the journal is damaged, and nothing has damaged it");
    }
    t->state_lost = t->state_lost || w->device.journal.lost;
    return err;
}

static void tell(struct world *w, const char *verb, enum err err, const struct error *e)
{
    struct boot_state boot = {.next = SLOT_NONE, .trial = SLOT_NONE};
    if (!w->findings->verbose) {
        return;
    }
    bool readable = world_boot_state(w, &boot);
    narrate(w, "%s: %s; the environment %s, boots slot %d next, on trial is %d", verb,
            err == OK ? "done" : e->msg, readable ? "is readable" : "is lost", boot.next,
            boot.trial);
}

static enum err end(struct world *w, unsigned decisions, const char *verb, enum err err,
                    const struct error *e)
{
    sim_memory_disarm();
    check_process(w, decisions);
    tell(w, verb, err, e);
    w->sim.step = 0;
    return err;
}

// What an install of the release has to write behind the heads: chunks that differ, those that the
// heads are part of, for step 5 spoils them, and the zeros behind the end of an image.
static uint64_t body_to_write(const struct world *w, const struct sim_release *r, int slot)
{
    uint64_t sum = 0;
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        const struct partition_info *info = &r->image->manifest->partitions[p];
        const struct sim_disk *d = &w->m.slots[slot][p];
        const uint8_t *view = d->stale ? d->medium : d->view;
        for (uint32_t i = info->first; i - info->first < info->count; i++) {
            uint64_t off;
            struct chunk c = chunk_table_get(r->image->table, i, &off);
            uint64_t end = off + c.raw_len;
            uint64_t body = off < HEAD_SIZE ? HEAD_SIZE : off;
            bool same = memcmp(view + off, r->content[p] + off, c.raw_len) == 0;
            if ((same && off >= HEAD_SIZE) || end <= body) {
                continue;
            }
            sum += end - body;
            sum += end == info->image_size ? sim_shapes[p].size_bytes - end : 0;
        }
    }
    return sum;
}

// I10: before an install, that a cut has not undone more than it may; behind it, that nothing was
// written that was in place. Where a decision or a record was lost it may begin anew.
static void check_work(struct world *w, int release, uint64_t needed, bool ended)
{
    const struct truth *t = &w->m.truth;
    uint64_t lost_max = SIM_SYNC_BYTES + 2 * HEAD_SIZE + 3 * w->kit->chunk_max;
    if (t->env_lost || t->env_copy_lost || t->state_lost || t->spoilt || w->shape.lies ||
        w->sim.failed) {
        return;
    }
    uint64_t done = t->done_bytes[release];
    uint64_t planned = t->planned_bytes[release] + t->cuts * lost_max;
    if (!ended && needed + done > planned && needed > lost_max) {
        violated(w, 10, "%" PRIu64 " bytes are to be written, %" PRIu64 " are done, of %" PRIu64,
                 needed, done, t->planned_bytes[release]);
    }
    if (ended && body_written(w) > needed) {
        violated(w, 10, "%" PRIu64 " bytes were written, and %" PRIu64 " were not in place",
                 body_written(w), needed);
    }
}

enum err world_install(struct world *w, int release, bool activate, struct install_report *ret,
                       struct error *e)
{
    const struct sim_release *r = &w->kit->releases[release];
    struct truth *t = &w->m.truth;
    struct install_options options = {.no_activate = !activate};
    int target = other_slot(t->running);
    uint64_t needed = body_to_write(w, r, target);
    if (!t->planned[release] || t->planned_slot[release] != target) {
        t->planned[release] = true;
        t->planned_slot[release] = target;
        t->done_bytes[release] = 0;
        t->planned_bytes[release] = needed;
    }
    check_work(w, release, needed, false);
    sim_source_init(&w->source, &w->sim, r->built.bytes, r->built.len);
    w->sim.step = 1;
    enum err err = begin(w, e);
    w->installing = release;
    w->is_installing = true;
    if (err == OK) {
        err = install_run(&w->device, &w->source.base, &options, ret, e);
    }
    w->is_installing = false;
    check_work(w, release, needed, true);
    t->done_bytes[release] += body_written(w);
    if (err == ERR_NOT_NOW || err == OK) {
        t->planned[release] = false; // it begins anew, when it does
        t->done_bytes[release] = 0;
    }
    return end(w, 2, "install", err, e);
}

void world_rot(struct world *w, int slot)
{
    enum { ROTTEN_OFF = 6 * 1024 };
    uint8_t byte = (uint8_t)~w->m.slots[slot][0].view[ROTTEN_OFF];
    sim_disk_settle(&w->m.slots[slot][0]);
    sim_disk_put(&w->m.slots[slot][0], ROTTEN_OFF, &byte, 1);
    w->m.truth.rotten = true;
}

enum err world_activate(struct world *w, struct error *e)
{
    w->sim.step = 10;
    enum err err = begin(w, e);
    if (err == OK) {
        err = activate_slot(&w->device, other_slot(w->device.running), ACTIVATE_VERIFY, e);
    }
    return end(w, 1, "activate", err, e);
}

bool world_is_sick(const struct world *w)
{
    return w->m.truth.release == w->sick && !(w->recovers && w->m.truth.asked > 0);
}

// What is found healthy may be confirmed from now on, and so raise the floor.
static void may_confirm(struct world *w)
{
    struct truth *t = &w->m.truth;
    uint64_t floor = w->kit->releases[t->release].floor;
    if (!world_is_sick(w)) {
        t->floor_max = floor > t->floor_max ? floor : t->floor_max;
    }
}

enum err world_confirm(struct world *w, enum confirm_outcome *ret, struct error *e)
{
    may_confirm(w);
    w->sim.step = 12;
    enum err err = begin(w, e);
    if (err == OK) {
        err = confirm_run(&w->device, ret, e);
    }
    return end(w, 1, "confirm", err, e);
}

enum err world_rollback(struct world *w, struct error *e)
{
    enum rollback_outcome outcome;
    w->sim.step = 12;
    enum err err = begin(w, e);
    if (err == OK) {
        err = rollback_run(&w->device, &outcome, e);
    }
    return end(w, 1, "rollback", err, e);
}

enum err world_mark(struct world *w, bool good, struct error *e)
{
    if (good) {
        may_confirm(w);
    }
    w->sim.step = 12;
    enum err err = begin(w, e);
    if (err == OK) {
        err = mark_run(&w->device, good ? MARK_GOOD : MARK_BAD, w->device.running, e);
    }
    return end(w, 1, "mark", err, e);
}
