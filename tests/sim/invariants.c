// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/invariants.h"

#include "tests/sim/world.h"
#include "updater/heads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void violated(struct world *w, int invariant, const char *fmt, ...)
{
    struct findings *f = w->findings;
    f->violations[invariant]++;
    f->found |= 1u << invariant;
    if (f->shown == FINDINGS_SHOWN && !f->verbose) {
        return;
    }
    f->shown++;
    va_list args;
    va_start(args, fmt);
    printf("I%d violated in step %d: ", invariant, w->sim.step);
    vprintf(fmt, args);
    printf("\n    again: make crash CRASH_SEED=%" PRIu64 " REPLAY='%s:%s'\n", f->seed, f->subject,
           f->token);
    va_end(args);
    fflush(stdout);
}

void narrate(const struct world *w, const char *fmt, ...)
{
    if (!w->findings->verbose) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    printf("  ");
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
}

static const char *slot_name(const struct world *w, int slot)
{
    return w->config.slots[slot].name;
}

// --- I2 ------------------------------------------------------------------------------------------

static void check_contents(struct world *w)
{
    struct boot_state boot;
    const struct truth *t = &w->m.truth;
    bool trusted = !t->env_lost && !t->env_copy_lost && !w->shape.lies;
    bool readable = world_boot_state(w, &boot);
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        // Named is enough: the script gives attempts back when nothing has any left.
        bool may_boot = readable && (boot.slots[slot].listed || boot.trial == slot);
        bool whole = world_content(w, slot, true) != SIM_UNKNOWN;
        if (world_mountable(w, slot) && !world_mounts_whole(w, slot) && !t->rotten) {
            violated(w, 2, "slot %s can be mounted, and is not one release", slot_name(w, slot));
        }
        // An environment that was damaged says what it said earlier, or nothing. A disk that lies
        // can take back what was read from it. Then the slot must not mount, as above.
        if (trusted && may_boot && !whole) {
            violated(w, 2, "the environment boots slot %s, which is not one release",
                     slot_name(w, slot));
        }
    }
}

// --- I3 ------------------------------------------------------------------------------------------

static void check_environment(struct world *w)
{
    struct boot_state boot;
    uint64_t hash;
    if (w->m.truth.env_lost) {
        return;
    }
    if (!world_boot_state(w, &boot)) {
        violated(w, 3, "no copy of the environment is valid");
        return;
    }
    if (!world_env_hash(w, &hash)) {
        violated(w, 3, "a variable that is not ours was changed or lost");
        return;
    }
    for (size_t i = 0; i < w->known_envs; i++) {
        if (w->known_env[i] == hash) {
            return;
        }
    }
    violated(w, 3, "the environment is not what one store has left");
}

// --- I4 ------------------------------------------------------------------------------------------

// What of the chunk stands behind the held-back head of its partition.
static bool chunk_is_there(const struct world *w, int slot, size_t part, uint64_t off,
                           const struct chunk *c, const uint8_t *content)
{
    const uint8_t *medium = w->m.slots[slot][part].medium;
    size_t begin = off < HEAD_SIZE ? HEAD_SIZE : (size_t)off;
    size_t end = (size_t)off + c->raw_len;
    return begin >= end || memcmp(medium + begin, content + begin, end - begin) == 0;
}

static void check_resume_mark(struct world *w)
{
    struct journal j;
    if (!world_journal(w, &j) || j.step != STEP_INSTALLING || w->shape.lies || w->m.truth.spoilt) {
        return;
    }
    int release = sim_kit_find(w->kit, j.release.manifest_sha256);
    if (release == SIM_UNKNOWN) {
        violated(w, 4, "the journal installs a release that does not exist");
        return;
    }
    const struct sim_release *r = &w->kit->releases[release];
    for (size_t p = 0; p < SIM_PARTITIONS; p++) {
        const struct partition_info *info = &r->image->manifest->partitions[p];
        for (uint32_t i = info->first; i - info->first < info->count && i < j.next_chunk; i++) {
            uint64_t off;
            struct chunk c = chunk_table_get(r->image->table, i, &off);
            if (!chunk_is_there(w, j.slot, p, off, &c, r->content[p])) {
                violated(w, 4,
                         "the journal claims %" PRIu32 " chunks, and chunk %" PRIu32
                         " of %s is not there",
                         j.next_chunk, i, info->name);
                return;
            }
        }
    }
}

// A slot that the journal calls whole holds the release it names: PARTIAL is stored before the
// first byte changes.
static void check_journal_of_slots(struct world *w)
{
    struct journal j;
    const struct truth *t = &w->m.truth;
    if (!world_journal(w, &j) || w->shape.lies || t->rotten) {
        return;
    }
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        enum slot_content content = j.slots[slot].content;
        bool named = j.slots[slot].release.version[0] != '\0'; // else: as the factory made it
        if (content == CONTENT_UNKNOWN || content == CONTENT_PARTIAL || !named ||
            slot == t->replaced) {
            continue;
        }
        int release = sim_kit_find(w->kit, j.slots[slot].release.manifest_sha256);
        if (release == SIM_UNKNOWN || world_content(w, slot, true) != release) {
            violated(w, 4, "the journal says that slot %s holds %s, and it does not",
                     slot_name(w, slot), j.slots[slot].release.version);
        }
    }
}

// --- I6 ------------------------------------------------------------------------------------------

static void check_floors(struct world *w)
{
    struct journal j;
    struct boot_state boot;
    uint64_t max = w->m.truth.floor_max;
    struct truth *t = &w->m.truth;
    bool readable = world_boot_state(w, &boot);
    if (readable && boot.floor < t->floor_seen && !t->env_lost && !t->env_copy_lost) {
        violated(w, 6, "vv_floor is %" PRIu64 ", and was %" PRIu64, boot.floor, t->floor_seen);
    }
    t->floor_seen = readable && boot.floor > t->floor_seen ? boot.floor : t->floor_seen;
    if (readable && boot.floor > max) {
        violated(w, 6, "vv_floor is %" PRIu64 ", confirmed releases allow %" PRIu64, boot.floor,
                 max);
    }
    if (world_journal(w, &j) && j.floor > max) {
        violated(w, 6, "the journal's floor is %" PRIu64 ", confirmed releases allow %" PRIu64,
                 j.floor, max);
    }
}

// A rejection that is on record is not decided anew.
static void note_rejection(struct world *w)
{
    struct journal j;
    if (world_journal(w, &j) && j.last.outcome == OUTCOME_ROLLED_BACK && j.step == STEP_IDLE &&
        j.slots[j.last.slot].content == CONTENT_REJECTED) {
        w->m.truth.doomed = sim_kit_find(w->kit, j.last.release.manifest_sha256);
    }
}

void check_media(struct world *w)
{
    note_rejection(w);
    check_contents(w);
    check_environment(w);
    check_resume_mark(w);
    check_journal_of_slots(w);
    check_floors(w);
}

// --- I1, I7, I8 ----------------------------------------------------------------------------------

void check_boot(struct world *w)
{
    int slot = w->m.truth.running;
    if (slot == SLOT_NONE) {
        violated(w, 1, "nothing boots");
    } else if (world_content(w, slot, true) == SIM_UNKNOWN) {
        violated(w, 1, "slot %s boots, and is not one release", slot_name(w, slot));
    }
}

void check_process(struct world *w, unsigned decisions, bool installs)
{
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        for (size_t p = 0; p < SIM_PARTITIONS; p++) {
            struct sim_disk *d = &w->m.slots[slot][p];
            bool may = installs && slot != w->m.truth.running;
            if (d->trespassed || (!may && d->written_bytes > 0)) {
                violated(w, 7, "%s was written to", d->name);
            }
            d->trespassed = false;
        }
    }
    if (w->env.stores > decisions) {
        violated(w, 3, "%u stores of the environment for %u decisions", w->env.stores, decisions);
    }
}

void check_flip(struct world *w, int slot)
{
    int release = world_content(w, slot, false);
    const struct truth *t = &w->m.truth;
    // Without its records the device may take a slot to be as the factory made it, if it has
    // something that may be a superblock: what is tried may turn out not to start. When the
    // environment has forgotten the update too, nobody knows that there is something to be read.
    bool guesses = t->state_lost && !w->is_installing;
    bool forgotten = t->env_lost || t->env_copy_lost;
    bool may_not_start = !world_mountable(w, slot) && world_has_head(w, slot);
    // A disk that lies may have lost what a kernel does not look at.
    if (guesses && (may_not_start || (w->shape.lies && world_mounts_whole(w, slot)))) {
        return;
    }
    if (release == SIM_UNKNOWN) {
        violated(w, 8, "slot %s is made bootable, and is not one release", slot_name(w, slot));
        return;
    }
    for (size_t p = 0; release != SIM_FACTORY && !(guesses && forgotten) && p < SIM_PARTITIONS;
         p++) {
        const struct sim_disk *d = &w->m.slots[slot][p];
        for (size_t i = 0; i * SIM_SECTOR_MIN < sim_shapes[p].image_bytes; i++) {
            if (!d->read_back[i]) {
                violated(w, 8, "slot %s is made bootable, and offset %zu of %s was not read back",
                         slot_name(w, slot), i * SIM_SECTOR_MIN, d->name);
                return;
            }
        }
    }
}

void check_work(struct world *w, uint64_t needed, bool whole)
{
    uint64_t written = world_written(w, whole);
    if (written > needed && !w->sim.failed) {
        violated(w, 10, "%" PRIu64 " bytes were written, and %" PRIu64 " were not in place",
                 written, needed);
    }
}
