// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/outcome.h"

#include "tests/sim/invariants.h"

#include <string.h>

enum { ALL_MAX = 729, SUBSET_PIECES = 10, SEEDED = 200 };

// What is damaged beside the cut, in this order, each as often as it stands here.
enum damage {
    DAMAGE_ENV,
    DAMAGE_ENV_COPY_0,
    DAMAGE_ENV_COPY_1,
    DAMAGE_JOURNAL,
    DAMAGE_SPOIL,
    DAMAGE_STATE,
    DAMAGE_ALL,
    DAMAGES
};

static const char *const damage_names[DAMAGES] = {
    [DAMAGE_ENV] = "both copies of the environment",
    [DAMAGE_ENV_COPY_0] = "copy 0 of the environment",
    [DAMAGE_ENV_COPY_1] = "copy 1 of the environment",
    [DAMAGE_JOURNAL] = "journal lost",
    [DAMAGE_SPOIL] = "journal spoilt",
    [DAMAGE_STATE] = "all records lost",
    [DAMAGE_ALL] = "environment and all records lost",
};

static struct sim_disk *disk_of(struct media *m, size_t i)
{
    return i == SIM_DISKS - 1 ? &m->env : &m->slots[i / SIM_PARTITIONS][i % SIM_PARTITIONS];
}

static const struct sim_disk *disk_at(const struct media *m, size_t i)
{
    return i == SIM_DISKS - 1 ? &m->env : &m->slots[i / SIM_PARTITIONS][i % SIM_PARTITIONS];
}

void outcomes_find(const struct media *m, struct outcomes *ret)
{
    struct outcomes *o = ret;
    *o = (struct outcomes){0};
    for (size_t i = 0; i < SIM_DISKS; i++) {
        o->parts[i] =
            sim_disk_pieces(disk_at(m, i), o->piece + o->pieces, SIM_PIECES_MAX - o->pieces);
        o->pieces += o->parts[i];
    }
    o->parts[SIM_DISKS] = sim_fs_pieces(&m->fs, o->piece + o->pieces, SIM_PIECES_MAX - o->pieces);
    o->pieces += o->parts[SIM_DISKS];
    uint32_t all = 1;
    for (size_t i = 0; i < o->pieces && all <= ALL_MAX; i++) {
        all *= o->piece[i].fates;
    }
    if (all <= ALL_MAX) {
        o->all = all;
        o->damage = all;
    } else {
        o->subsets = o->pieces <= SUBSET_PIECES ? 1u << o->pieces : 2;
        o->damage = o->subsets + SEEDED;
    }
    o->count = o->damage + DAMAGES;
}

bool outcome_loses_environment(const struct outcomes *o, uint32_t index)
{
    return index == o->damage + DAMAGE_ENV;
}

// Fates of outcome `index`; seeded ones never repeat one of the subsets, for they have a garbage or
// an earlier version somewhere, or are more than the subsets are of.
static void find_fates(const struct outcomes *o, uint32_t index, uint64_t seed,
                       uint8_t fates[SIM_PIECES_MAX])
{
    uint64_t dice = seed ^ ((uint64_t)index << 32);
    uint32_t rest = index;
    for (size_t i = 0; i < o->pieces; i++) {
        const struct sim_piece *p = &o->piece[i];
        if (index >= o->damage || (o->all == 0 && index >= o->subsets)) {
            fates[i] = (uint8_t)(next_random(&dice) % p->fates);
        } else if (o->all > 0) {
            fates[i] = (uint8_t)(rest % p->fates);
            rest /= p->fates;
        } else {
            bool is_new = o->pieces <= SUBSET_PIECES ? (index >> i & 1) != 0 : index == 1;
            fates[i] = is_new ? p->newest : 0;
        }
    }
}

static void apply_damage(struct world *w, enum damage damage, uint64_t seed)
{
    switch (damage) {
    case DAMAGE_ENV:
        world_lose_env(w, 3);
        break;
    case DAMAGE_ENV_COPY_0:
    case DAMAGE_ENV_COPY_1:
        w->m.truth.env_forgets = w->m.truth.env_copy_lost;
        w->m.truth.env_copy_lost = true;
        world_lose_env(w, damage == DAMAGE_ENV_COPY_0 ? 1 : 2);
        break;
    case DAMAGE_JOURNAL:
        world_damage_state(w, STATE_JOURNAL_LOST, seed);
        break;
    case DAMAGE_SPOIL:
        world_damage_state(w, STATE_JOURNAL_SPOILT, seed);
        break;
    case DAMAGE_STATE:
        world_damage_state(w, STATE_ALL_LOST, seed);
        break;
    case DAMAGE_ALL:
        world_lose_env(w, 3);
        world_damage_state(w, STATE_ALL_LOST, seed);
        break;
    case DAMAGES:
        break;
    }
}

// Where the cut falls among the syncs that were lied about: anywhere from before the first to
// behind the last of those that something waits for.
static uint32_t choose_epoch(const struct media *m, uint64_t seed)
{
    uint32_t first = UINT32_MAX;
    uint32_t last = 0;
    for (size_t i = 0; i < SIM_DISKS; i++) {
        const struct sim_disk *d = disk_at(m, i);
        if (d->queued > 0) {
            first = d->queue[0].epoch < first ? d->queue[0].epoch : first;
            last = d->queue[d->queued - 1].epoch > last ? d->queue[d->queued - 1].epoch : last;
        }
    }
    return first > last ? 0 : first + (uint32_t)(next_random(&seed) % (last - first + 2));
}

void outcome_apply(struct world *w, const struct outcomes *o, uint32_t index, uint64_t seed)
{
    uint8_t fates[SIM_PIECES_MAX];
    size_t at = 0;
    find_fates(o, index, seed, fates);
    w->sim.cut_epoch = choose_epoch(&w->m, seed);
    for (size_t i = 0; i < SIM_DISKS; i++) {
        sim_disk_cut(disk_of(&w->m, i), fates + at, seed + i);
        at += o->parts[i];
    }
    sim_fs_cut(&w->m.fs, fates + at, seed + SIM_DISKS);
    w->m.truth.running = SLOT_NONE;
    w->m.truth.cuts++;
    narrate(w, "cut in step %d, with %zu pending pieces, outcome %u of %u", w->sim.step, o->pieces,
            index, o->count);
    if (index >= o->damage) {
        narrate(w, "damaged: %s", damage_names[index - o->damage]);
        apply_damage(w, (enum damage)(index - o->damage), seed);
    }
}
