// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/life.h"

#include "tests/sim/invariants.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// --- the story -----------------------------------------------------------------------------------

static enum err confirm(struct world *w, struct error *e)
{
    enum confirm_outcome outcome;
    enum err err = world_confirm(w, &outcome, e);
    return err == ERR_HEALTH ? OK : err;
}

enum err life_step(struct world *w, const struct life_step *s, bool must, struct error *e)
{
    struct install_report report;
    enum agent_rest rest;
    enum err err = OK;
    switch (s->op) {
    case OP_END:
        break;
    case OP_INSTALL:
    case OP_STAGE:
        err = world_install(w, s->release, s->op == OP_INSTALL, &report, e);
        break;
    case OP_ACTIVATE:
        err = world_activate(w, e);
        break;
    case OP_BOOT:
        err = world_boot(w) ? OK : fail(e, ERR_IO, 0, "nothing boots");
        break;
    case OP_CONFIRM:
        err = confirm(w, e);
        break;
    case OP_ROLLBACK:
        err = world_rollback(w, e);
        break;
    case OP_MARK_GOOD:
    case OP_MARK_BAD:
        err = world_mark(w, s->op == OP_MARK_GOOD, e);
        break;
    case OP_AGENT:
        err = world_agent(w, (enum offer_step)s->release, &rest, e);
        break;
    case OP_PUBLISH:
        offers_publish(w);
        break;
    case OP_CANCEL:
        err = world_cancel(w, e);
        break;
    case OP_ROT:
        world_rot(w, other_slot(w->m.truth.running));
        break;
    case OP_REPLACE:
        world_replace(w);
        break;
    }
    if (err != OK && must && !s->tried) {
        violated(w, 9, "operation %d fails: %s", (int)s->op, e->msg);
    }
    return err;
}

int life_tell(struct world *w, const struct life *l, bool must)
{
    struct error e;
    for (int i = 0; i < LIFE_STEPS_MAX && l->steps[i].op != OP_END; i++) {
        if (life_step(w, &l->steps[i], must, &e) != OK && !l->steps[i].tried) {
            return i;
        }
    }
    if (must && (l->ends_with & RUNS(w->m.truth.release)) == 0) {
        violated(w, 5, "undisturbed, release %s runs in the end",
                 w->kit->releases[w->m.truth.release].version);
    }
    if (must && l->offered[0] > 0) {
        check_offers(w, l, true);
    }
    return -1;
}

struct world *life_begin(const struct life *l, const struct world_shape *shape,
                         const struct sim_kit *kit, struct findings *findings)
{
    struct error e;
    struct world *w = world_new(shape, kit, findings);
    for (size_t i = 0; i < LIFE_STEPS_MAX && l->setup[i].op != OP_END; i++) {
        (void)life_step(w, &l->setup[i], true, &e);
    }
    // Known from now on only: whoever set the device up had a good release.
    w->sick = l->sick > 0 ? l->sick : SIM_UNKNOWN;
    w->dead = l->dead > 0 ? l->dead : SIM_UNKNOWN;
    w->recovers = l->recovers;
    w->pack_kind = l->pack;
    w->m.truth.asked = 0;
    offers_begin(w, l);
    return w;
}

// --- after a cut ---------------------------------------------------------------------------------

enum { BOOTS_MAX = 4 * SIM_ATTEMPTS };

// An agent that does not wait for the decision asks for the next release.
static void poll_early(struct world *w, const struct life *l)
{
    struct error e;
    struct boot_state boot;
    struct install_report report;
    struct journal j;
    int running = w->m.truth.running;
    if (!l->polls || w->m.truth.release != w->sick || !world_boot_state(w, &boot) ||
        !world_journal(w, &j)) {
        return;
    }
    bool rejected = j.step == STEP_IDLE && j.slots[running].content == CONTENT_REJECTED &&
                    j.last.outcome == OUTCOME_ROLLED_BACK && j.last.slot == running;
    bool undecided = boot.trial == running || rejected;
    if (undecided && world_install(w, SIM_RELEASES - 1, true, &report, &e) == OK) {
        violated(w, 5, "a release is installed while %s is not decided about",
                 w->kit->releases[w->sick].version);
    }
}

// Boots and confirms until nothing is on trial any more. False: that was violated.
static bool come_to_rest(struct world *w, const struct life *l)
{
    struct error e;
    struct boot_state boot;
    if (l->offered[0] > 0) {
        return offers_come_to_rest(w, l);
    }
    for (int i = 0; i < BOOTS_MAX; i++) {
        if (!world_boot(w)) {
            return false;
        }
        if (l->hangs && w->m.truth.release == w->sick && world_boot_state(w, &boot) &&
            boot.trial == w->m.truth.running) {
            continue; // until the watchdog resets it
        }
        poll_early(w, l);
        enum err err = confirm(w, &e);
        if (err != OK) {
            violated(w, 9, "confirm fails: %s", e.msg);
            return false;
        }
        if (w->reboots == 0 && world_boot_state(w, &boot) && boot.trial == SLOT_NONE) {
            return true;
        }
    }
    violated(w, 5, "a trial that does not end in %d boots", BOOTS_MAX);
    return false;
}

// The wish is fulfilled, or was found to be impossible. With its environment or its records the
// device has lost the knowledge of that: then it is done once more.
static bool is_done(struct world *w, const struct life *l)
{
    struct journal j;
    const struct truth *t = &w->m.truth;
    if (l->wish.op == OP_INSTALL && (t->state_lost || t->env_lost || t->env_copy_lost)) {
        return false;
    }
    if (l->wish.op == OP_END || t->release == l->wish.release) {
        return true;
    }
    bool refused = l->wish.release == l->sick || l->wish.release == l->dead;
    return refused && world_journal(w, &j) && j.last.outcome == OUTCOME_ROLLED_BACK &&
           sim_kit_find(w->kit, j.last.release.manifest_sha256) == l->wish.release;
}

static void check_again(struct world *w, const struct life *l)
{
    struct error e;
    int release = w->m.truth.release;
    if (l->wish.op == OP_INSTALL && release == l->wish.release && release != w->sick) {
        if (life_step(w, &l->wish, true, &e) != OK) {
            return;
        }
    } else if (confirm(w, &e) != OK) {
        violated(w, 9, "confirm, run again, fails: %s", e.msg);
    }
    if (world_written(w, true) > 0 || w->env.stores > 0) {
        violated(w, 9, "run again, it writes %" PRIu64 " bytes and stores %u times",
                 world_written(w, true), w->env.stores);
    }
}

// What runs healthy in the end was confirmed, unless a loss has brought it up, and with it its
// floor: in both places, for what one of them has lost came back from the other.
static void check_floor(struct world *w)
{
    struct boot_state boot;
    struct journal j;
    const struct truth *t = &w->m.truth;
    uint64_t floor = w->kit->releases[t->release].floor;
    bool damaged = t->env_lost || t->env_copy_lost || t->state_lost;
    if (t->floor_unknown || t->release == w->sick || !world_boot_state(w, &boot) ||
        !world_journal(w, &j)) {
        return;
    }
    // The journal may be behind, and not know it.
    bool recorded = j.slots[t->running].content == CONTENT_CONFIRMED;
    bool confirmed = !damaged || recorded;
    // Nor does vv_floor come back while a flip may have been forgotten (trial.c).
    bool comes_back = !damaged || j.step != STEP_ACTIVATING;
    if ((confirmed && comes_back && boot.floor < floor) || (recorded && j.floor < floor)) {
        violated(w, 6,
                 "release %s is confirmed, vv_floor is %" PRIu64
                 " and the journal's floor %" PRIu64,
                 w->kit->releases[t->release].version, boot.floor, j.floor);
    }
}

// It is done whatever was forgotten before.
static bool is_healthy_install(const struct life *l)
{
    return l->wish.op == OP_INSTALL && l->wish.release != l->sick && l->wish.release != l->dead;
}

static void check_end(struct world *w, const struct life *l)
{
    const struct truth *t = &w->m.truth;
    int release = t->release;
    // Without its environment the boot loader starts what it finds: whole, but maybe not the one
    // that was chosen, and nobody knows any more that another was on trial.
    bool kept = (!t->env_lost && !t->env_forgets) || is_healthy_install(l);
    if (kept && (l->ends_with & RUNS(release)) == 0) {
        violated(w, 5, "release %s runs in the end", w->kit->releases[release].version);
        return;
    }
    if (l->recovers && release == t->doomed && !t->env_lost && !t->env_copy_lost &&
        !t->state_lost) {
        violated(w, 5, "release %s runs in the end, and its rejection was on record",
                 w->kit->releases[release].version);
    }
    if (l->offered[0] > 0) {
        check_offers(w, l, false);
    }
    check_floor(w);
    check_media(w);
    check_again(w, l);
    if (world_boot(w) && t->release != release) {
        violated(w, 5, "release %s ran in the end, and after another boot %s",
                 w->kit->releases[release].version, w->kit->releases[t->release].version);
    }
}

void life_recover(struct world *w, const struct life *l)
{
    struct error e;
    if (!come_to_rest(w, l)) {
        return;
    }
    // Without its records the device may refuse to go back, for it cannot know what is there.
    bool must = l->wish.op != OP_ROLLBACK || !w->m.truth.state_lost;
    if (!is_done(w, l) && (life_step(w, &l->wish, must, &e) != OK || !come_to_rest(w, l))) {
        return;
    }
    check_end(w, l);
}
