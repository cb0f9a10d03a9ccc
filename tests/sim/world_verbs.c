// SPDX-License-Identifier: Apache-2.0
// What can be done to a device, each a process of its own, and what is checked around it.
#include "tests/sim/invariants.h"
#include "tests/sim/sim_kit_bytes.h"
#include "tests/sim/sim_memory.h"
#include "tests/sim/world.h"
#include "updater/activate.h"
#include "updater/heads.h"
#include "updater/mark.h"

#include <inttypes.h>
#include <string.h>

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
    check_process(w, decisions, w->is_installing);
    w->is_installing = false;
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

// What one of the places still has that a floor is kept in.
static uint64_t floor_on_record(struct world *w)
{
    struct boot_state boot = {.floor = 0};
    struct journal j = {.floor = 0};
    (void)world_boot_state(w, &boot);
    (void)world_journal(w, &j);
    return boot.floor > j.floor ? boot.floor : j.floor;
}

// The image, and the pack beside it.
static void serve(struct world *w, int release)
{
    const struct sim_release *r = &w->kit->releases[release];
    const struct sim_pack *pack = &w->kit->packs[w->pack_kind];
    sim_source_init(&w->source, &w->sim, r->built.bytes, r->built.len);
    if (release == SIM_PATCHED && pack->file.bytes != NULL) {
        sim_source_init(&w->pack, &w->sim, pack->file.bytes, pack->file.len);
        w->pack.lost_off = pack->lost_off;
        w->source.beside = &w->pack;
        w->source.suffix = ".from-10.vvd";
    }
}

enum err world_install(struct world *w, int release, bool activate, struct install_report *ret,
                       struct error *e)
{
    const struct sim_release *r = &w->kit->releases[release];
    struct truth *t = &w->m.truth;
    struct install_options options = {.no_activate = !activate};
    uint64_t floor = floor_on_record(w);
    int target = other_slot(t->running);
    // By the medium and by the cache: which of them is read after a sync that failed is chance.
    bool whole =
        world_content(w, target, true) == release && world_content(w, target, false) == release;
    uint64_t needed = body_to_write(w, r, target);
    serve(w, release);
    w->sim.step = 1;
    enum err err = begin(w, e);
    w->is_installing = true;
    if (err == OK) {
        err = install_run(&w->device, &w->source.base, &options, ret, e);
    }
    check_work(w, whole ? 0 : needed, whole);
    if (err == OK && r->index < floor && !w->sim.failed) {
        violated(w, 6, "release %s is installed, and the floor is %" PRIu64, r->version, floor);
    }
    t->rotten = t->rotten && err != OK;
    t->replaced = err == OK && ret->slot == t->replaced ? SLOT_NONE : t->replaced;
    return end(w, 2, "install", err, e);
}

void world_replace(struct world *w)
{
    struct truth *t = &w->m.truth;
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        struct sim_disk *d = &w->m.slots[t->running][p];
        sim_disk_settle(d);
        sim_disk_put(d, 0, w->kit->releases[SIM_FACTORY].content[p], sim_shapes[p].size_bytes);
    }
    t->replaced = t->running;
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
