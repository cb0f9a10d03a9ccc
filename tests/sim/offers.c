// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/offers.h"

#include "tests/sim/invariants.h"
#include "tests/sim/life.h"
#include "tests/sim/sim_memory.h"
#include "updater/agent/offer_run.h"
#include "updater/release.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TURNS_MAX = 40, BOOTS_MAX = 10 * SIM_ATTEMPTS };

// --- the seams -----------------------------------------------------------------------------------

static uint64_t clock_boottime(const struct clock *c)
{
    (void)c;
    return 0;
}

// Never the same twice, so that what is decided again is decided at another time.
static uint64_t clock_wall(const struct clock *c, bool *ret_synchronised)
{
    (void)c;
    *ret_synchronised = true;
    return 1800000000 + 100000u * (uint64_t)world_active->m.truth.boots +
           world_active->sim.calls[SIM_STATE] % 100000u;
}

static void clock_sleep(const struct clock *c, uint64_t ms)
{
    (void)c;
    (void)ms;
}

static const struct clock_ops clock_ops = {clock_boottime, clock_wall, clock_sleep};
static const struct clock agent_clock = {&clock_ops};

static void boot_id(const struct world *w, char ret[BOOT_ID_SIZE])
{
    snprintf(ret, BOOT_ID_SIZE, "boot-%u", w->m.truth.boots);
}

// The agent's own work, between what its children do.
static void own_work(struct world *w)
{
    w->sim.step = STEP_OFFER;
    if (w->sim.fail_seam == SIM_MEMORY && w->sim.fail_at > 0) {
        sim_memory_arm(&w->sim);
    }
}

static void own_work_ends(struct world *w)
{
    sim_memory_disarm();
    w->sim.step = 0;
}

// --- the server ----------------------------------------------------------------------------------

void offers_begin(struct world *w, const struct life *l)
{
    struct sim_server *s = &w->m.truth.server;
    *s = (struct sim_server){.named = l->named};
    for (int i = 0; i < SIM_OFFERS; i++) {
        s->offers[i].release = l->offered[i];
    }
    s->offers[0].published = l->offered[0] > 0;
}

void offers_publish(struct world *w)
{
    w->m.truth.server.offers[1].published = true;
}

// The newest one, unless it has its report; NULL: none is open.
static struct sim_offer *open_offer(struct world *w, struct offer *ret)
{
    struct sim_server *s = &w->m.truth.server;
    int i = s->offers[1].published ? 1 : 0;
    *ret = (struct offer){.source = "server", .url = "https://sim/image.vvi"};
    snprintf(ret->id, sizeof ret->id, "offer-%d", i);
    return s->offers[i].published && s->offers[i].reports == 0 ? &s->offers[i] : NULL;
}

static struct sim_offer *find_offer(struct world *w, const struct offer *offer)
{
    int i = -1;
    (void)sscanf(offer->id, "offer-%d", &i);
    return i < 0 || i >= SIM_OFFERS ? NULL : &w->m.truth.server.offers[i];
}

// --- I11 -----------------------------------------------------------------------------------------

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    }
    return (hash ^ 0xffu) * 0x100000001b3u;
}

// All that a source is told.
static uint64_t content_of(const struct offer_record *r)
{
    char times[64];
    snprintf(times, sizeof times, "%" PRIu64 " %" PRIu64, r->accepted_s, r->decided_s);
    uint64_t hash = mix_text(0xcbf29ce484222325u, r->offer.source);
    hash = mix_text(hash, r->offer.id);
    hash = mix_text(hash, offer_outcome_name(r->outcome));
    hash = mix_text(hash, r->release_known ? r->release.version : "");
    hash = mix_text(hash, r->reason);
    hash = mix_text(hash, r->failed_checks);
    return mix_text(hash, times);
}

// By what runs, which nobody has to tell, and by both places that know more. `now`: it has just
// been decided; later the journal may have been lost.
static void check_truth(struct world *w, const struct sim_offer *offer, enum offer_outcome outcome,
                        bool now)
{
    struct boot_state boot;
    struct journal j;
    const struct truth *t = &w->m.truth;
    bool kept =
        t->release == offer->release && world_boot_state(w, &boot) && boot.trial != t->running;
    bool confirmed =
        kept && world_journal(w, &j) && j.slots[t->running].content == CONTENT_CONFIRMED;
    bool good = outcome == OFFER_SUCCESS ? (now ? confirmed : kept) : !confirmed;
    if (!good) {
        violated(w, 11, "%s is told of release %s, which %s", offer_outcome_name(outcome),
                 w->kit->releases[offer->release].version,
                 confirmed ? "runs and is confirmed" : "is not confirmed, or does not run");
    }
}

void check_report(struct world *w, const struct offer_record *r)
{
    struct sim_offer *offer = find_offer(w, &r->offer);
    if (offer == NULL || !offer->published) {
        violated(w, 11, "a report of '%s', which was not offered", r->offer.id);
        return;
    }
    uint64_t content = content_of(r);
    narrate(w, "report of %s: %s %s (%s)", r->offer.id, offer_outcome_name(r->outcome), r->reason,
            r->failed_checks);
    if (offer->reports++ > 0) {
        if (offer->content != content) {
            violated(w, 11, "a second report of %s, and another one than the first", r->offer.id);
        }
        return;
    }
    offer->outcome = r->outcome;
    offer->content = content;
    if (offer->cancelled && r->outcome != OFFER_CANCELLED && !w->m.truth.state_lost) {
        violated(w, 11, "%s is told of %s, and somebody was told that it is cancelled",
                 offer_outcome_name(r->outcome), r->offer.id);
    }
    // What a damaged environment says later was not what it was decided by.
    if (!w->m.truth.env_lost && !w->m.truth.env_copy_lost) {
        check_truth(w, offer, r->outcome, false);
    }
}

// The moment it was decided in, whatever happens later.
static void check_decision(struct world *w, enum offer_phase before, const struct offer_record *r)
{
    const struct sim_offer *offer = find_offer(w, &r->offer);
    if (before != OFFER_DONE && r->phase == OFFER_DONE && offer != NULL) {
        check_truth(w, offer, r->outcome, true);
    }
}

// ECONNRESET: the report is lost; another errno: the answer is.
static enum err send_report(struct world *w, const struct offer_record *r, struct error *e)
{
    int sys = sim_call(&w->sim, SIM_SOURCE);
    if (sys != ECONNRESET) {
        check_report(w, r);
        sim_changed(&w->sim);
    }
    return sys == 0 ? OK : fail(e, ERR_NETWORK, sys, "report");
}

// --- the agent -----------------------------------------------------------------------------------

// Its eyes: journal and environment, as they are now.
static enum err look(struct world *w, const struct offer_run *run, struct offer_facts *ret,
                     struct error *e)
{
    w->device.running = w->m.truth.running;
    enum err err = journal_load(w->device.state, &w->device.journal, e);
    if (err == OK) {
        w->m.truth.state_lost = w->m.truth.state_lost || w->device.journal.lost;
        offer_look(run, &w->device, ret);
    }
    return err;
}

static enum err poll(struct world *w, struct offer_run *run, struct error *e)
{
    struct offer offer;
    struct sim_offer *open = open_offer(w, &offer);
    if (open == NULL) {
        return OK;
    }
    struct release_id release = release_id_of(w->kit->releases[open->release].image);
    enum err err = offer_accept(run, &offer, w->m.truth.server.named ? &release : NULL, e);
    open->accepted = open->accepted || err == OK;
    return err == ERR_AGAIN ? OK : err;
}

// What begins a step does: children of the agent, each a process of its own.
static struct offer_end perform(struct world *w, const struct offer_run *run, enum offer_step step,
                                struct error *e)
{
    struct offer_end end = {.reason = e->msg};
    struct install_report report = {.slot = SLOT_NONE};
    const struct sim_offer *offer = find_offer(w, &run->record.offer);
    switch (step) {
    case OFFER_STEP_INSTALL:
        end.err = world_install(w, offer->release, false, &report, e);
        end.release = report.release;
        end.target = report.slot;
        break;
    case OFFER_STEP_ACTIVATE:
        end.err = world_activate(w, e);
        break;
    case OFFER_STEP_REPORT:
        own_work(w);
        end.err = send_report(w, &run->record, e);
        break;
    case OFFER_STEP_NOTHING:
    case OFFER_STEP_REBOOT:
    case OFFER_STEP_WAIT_VERDICT:
    case OFFER_STEP_DECIDE:
    case OFFER_STEP_FORGET:
        break;
    }
    return end;
}

// A trial that a boot has ended is told by `confirm`; to flip again would hide how it ended.
static void check_flip_is_due(struct world *w, const struct offer_record *r,
                              const struct offer_facts *f)
{
    const struct journal *j = f->journal;
    bool ended = r->phase > OFFER_ACTIVATING && strcmp(r->boot_id, f->boot_id) != 0;
    if (ended && j->step == STEP_TRIAL && j->slot == r->target) {
        violated(w, 11, "%s is activated again, and how its trial ended is not on record",
                 r->release.version);
    }
}

// What comes next, if the agent may do it and has to.
static enum err turn(struct world *w, struct offer_run *run, enum offer_step gate,
                     enum agent_rest *ret, bool *ret_rests, struct error *e)
{
    struct offer_facts facts;
    struct offer_todo todo;
    struct error child;
    enum err err = poll(w, run, e);
    if (err == OK) {
        err = look(w, run, &facts, e);
    }
    if (err != OK) {
        return err;
    }
    offer_next(run, &facts, &todo);
    *ret = todo.step == OFFER_STEP_NOTHING ? AGENT_IDLE : AGENT_WAITS;
    *ret_rests = todo.step == OFFER_STEP_NOTHING || todo.step == OFFER_STEP_WAIT_VERDICT ||
                 todo.step == gate;
    if (*ret_rests) {
        return OK;
    }
    narrate(w, "agent: %s %s", offer_step_name(todo.step), todo.reason);
    enum offer_phase before = run->record.phase;
    if (todo.step == OFFER_STEP_ACTIVATE) {
        check_flip_is_due(w, &run->record, &facts);
    }
    err = offer_begin(run, &todo, e);
    if (err != OK) {
        return err;
    }
    check_decision(w, before, &run->record);
    check_step_recorded(w, todo.step, &run->record);
    if (todo.step == OFFER_STEP_REBOOT) {
        sim_changed(&w->sim);
        *ret = AGENT_REBOOTS;
        *ret_rests = true;
        return OK;
    }
    own_work_ends(w);
    struct offer_end end = perform(w, run, todo.step, &child);
    own_work(w);
    err = look(w, run, &facts, e);
    before = run->record.phase;
    if (err == OK) {
        err = offer_ended(run, todo.step, &end, &facts, e);
        check_decision(w, before, &run->record);
    }
    return err;
}

// A record that counts as damaged is an offer that is forgotten.
static enum err open_record(struct world *w, struct offer_run *run, struct error *e)
{
    char id[BOOT_ID_SIZE];
    boot_id(w, id);
    enum err err = offer_open(run, w->device.state, &agent_clock, id, e);
    if (err == OK && run->record.lost && !w->m.truth.state_lost && !w->sim.failed) {
        violated(w, 11, "the record of the offer is damaged, and nothing has damaged it");
    }
    return err;
}

enum err world_agent(struct world *w, enum offer_step gate, enum agent_rest *ret, struct error *e)
{
    struct offer_run run;
    bool rests = false;
    w->reboots = 0;
    own_work(w);
    enum err err = open_record(w, &run, e);
    for (int i = 0; err == OK && !rests; i++) {
        if (i == TURNS_MAX) {
            violated(w, 11, "the agent does not come to rest: %s",
                     offer_phase_name(run.record.phase));
            break;
        }
        err = turn(w, &run, gate, ret, &rests, e);
    }
    own_work_ends(w);
    return err;
}

enum err world_cancel(struct world *w, struct error *e)
{
    struct offer_run run;
    struct offer_facts facts;
    own_work(w);
    enum err err = open_record(w, &run, e);
    if (err == OK) {
        err = look(w, &run, &facts, e);
    }
    enum offer_phase before = err == OK ? run.record.phase : OFFER_NONE;
    if (err == OK) {
        err = offer_cancel(&run, &facts, "cancelled by the operator", e);
    }
    struct sim_offer *offer = err == OK ? find_offer(w, &run.record.offer) : NULL;
    if (offer != NULL) {
        check_decision(w, before, &run.record);
        offer->cancelled = true;
        sim_changed(&w->sim);
    }
    own_work_ends(w);
    return err;
}

// --- after a cut ---------------------------------------------------------------------------------

// One run of the agent; `*ret`: what it came to.
static bool run_agent(struct world *w, enum agent_rest *ret)
{
    struct error e;
    if (world_agent(w, OFFER_STEP_NOTHING, ret, &e) != OK) {
        violated(w, 11, "the agent stops: %s", e.msg);
        return false;
    }
    return true;
}

bool offers_come_to_rest(struct world *w, const struct life *l)
{
    struct error e;
    struct boot_state boot;
    enum confirm_outcome outcome;
    enum agent_rest rest;
    for (int i = 0; i < BOOTS_MAX; i++) {
        if (!world_boot(w) || !run_agent(w, &rest)) {
            return false;
        }
        bool hangs = l->hangs && w->m.truth.release == w->sick && world_boot_state(w, &boot) &&
                     boot.trial == w->m.truth.running;
        if (rest == AGENT_REBOOTS || hangs) {
            continue;
        }
        enum err err = world_confirm(w, &outcome, &e);
        if (err != OK && err != ERR_HEALTH) {
            violated(w, 9, "confirm fails: %s", e.msg);
            return false;
        }
        if (w->reboots > 0) {
            continue;
        }
        if (!run_agent(w, &rest)) {
            return false;
        }
        if (rest == AGENT_IDLE && world_boot_state(w, &boot) && boot.trial == SLOT_NONE) {
            return true;
        }
    }
    violated(w, 11, "an offer that does not end in %d boots", BOOTS_MAX);
    return false;
}

// --- I11, at the end -----------------------------------------------------------------------------

void check_step_recorded(struct world *w, enum offer_step step, const struct offer_record *r)
{
    struct error e;
    struct offer_record stored;
    char id[BOOT_ID_SIZE];
    struct sim before = world_look(w);
    struct sim *armed = sim_memory_disarm();
    bool found = offer_record_load(w->device.state, &stored, &e) == OK;
    w->sim = before;
    if (armed != NULL) {
        sim_memory_arm(armed);
    }
    boot_id(w, id);
    bool here = found && strcmp(stored.boot_id, id) == 0;
    bool good = found;
    if (step == OFFER_STEP_ACTIVATE) {
        good = here && stored.phase == OFFER_ACTIVATING;
    } else if (step == OFFER_STEP_REBOOT) {
        good = here && stored.phase == OFFER_REBOOTING;
    } else if (step == OFFER_STEP_REPORT) {
        good = found && stored.phase == OFFER_DONE && content_of(&stored) == content_of(r) &&
               stored.failed_by == r->failed_by;
        if (stored.reported) {
            violated(w, 11, "%s is on record as reported before it is", r->offer.id);
        }
    }
    if (!good) {
        violated(w, 11, "'%s' begins, and the record says '%s'%s", offer_step_name(step),
                 offer_phase_name(stored.phase), here ? "" : " in another boot");
    }
}

void check_offers(struct world *w, const struct life *l, bool undisturbed)
{
    const struct truth *t = &w->m.truth;
    const struct sim_offer *last = NULL;
    for (int i = 0; i < SIM_OFFERS; i++) {
        const struct sim_offer *offer = &t->server.offers[i];
        bool superseded = i + 1 < SIM_OFFERS && offer[1].published;
        bool forgotten = superseded && (t->state_lost || !offer->accepted);
        if (offer->published && offer->reports == 0 && !forgotten) {
            violated(w, 11, "offer %d %s, and no report came", i,
                     offer->accepted ? "was accepted" : "is open");
        }
        last = offer->reports > 0 ? offer : last;
    }
    // Without its environment, or its last word, a device may start what was given up. So may an
    // operator who did not get what he asked for.
    if (last == NULL || t->env_lost || t->env_copy_lost || (l->meddled && t->failed)) {
        return;
    }
    check_truth(w, last, last->outcome, false);
    bool well = !l->meddled && last->release != l->sick && last->release != l->dead;
    bool certain = undisturbed ||
                   (!l->meddled && !t->failed && !t->state_lost && !t->spoilt && !w->shape.lies);
    if (certain && (last->outcome == OFFER_SUCCESS) != well) {
        violated(w, 11, "%s is told of release %s, and nothing went wrong",
                 offer_outcome_name(last->outcome), w->kit->releases[last->release].version);
    }
}
