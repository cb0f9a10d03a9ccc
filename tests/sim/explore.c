// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore.h"

#include "tests/sim/outcome.h"
#include "tests/sim/recorder.h"
#include "tests/support/expect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DEPTH_MAX = 3,
    NESTED_OUTCOMES = 3,
    NESTED_WITHIN = 300,
    FAILED_WITHIN = 40,
    STATE_MAX_S = 120
};

struct explorer {
    const struct subject *subject;
    const struct explore_options *options;
    struct tally *tally;
    struct world *world;
    struct findings *findings; // in the tally
    uint64_t seed;             // of this subject
    struct media *begin;
    struct recorder story;
    struct recorder recovery[DEPTH_MAX - 1]; // of the states of each depth
};

// --- chance --------------------------------------------------------------------------------------

static uint64_t mix(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t state = seed ^ (a * 0x9e3779b97f4a7c15u) ^ (b * 0xd1b54a32d192ed03u);
    return next_random(&state);
}

static bool chosen(uint64_t dice, unsigned per_mille)
{
    return dice % 1000 < per_mille;
}

static bool is_enough(const struct explorer *x)
{
    return (x->options->until & x->findings->found) != 0;
}

// --- states --------------------------------------------------------------------------------------

// Behind the first `len` characters.
static void add_token(struct findings *f, size_t len, uint32_t moment, uint32_t outcome)
{
    snprintf(f->token + len, sizeof f->token - len, "%s%" PRIu32 ".%" PRIu32, len > 0 ? "/" : "",
             moment, outcome);
}

static void count_state(struct explorer *x, int step, unsigned depth)
{
    struct tally *t = x->tally;
    t->states[step]++;
    t->nested[step] += depth > 0;
    t->real_states += x->subject->shape.real_env;
    t->bytes_states += x->subject->life->bytes;
}

// One state: the moment's media, cut, and then all that follows. Its recovery is recorded when
// `nested` says so.
static void run_state(struct explorer *x, const struct moment *m, const struct outcomes *o,
                      uint32_t index, unsigned depth, bool nested)
{
    struct world *w = x->world;
    uint64_t seed = mix(x->seed, m->number, index);
    alarm(STATE_MAX_S);
    world_restore(w, &m->media);
    w->sim.step = m->step;
    outcome_apply(w, o, index, seed);
    check_media(w);
    if (nested) {
        recorder_choose(&x->recovery[depth], seed, NESTED_WITHIN, false);
        recorder_begin(&x->recovery[depth], w);
    }
    life_recover(w, x->subject->life);
    w->sim.on_moment = NULL;
    count_state(x, m->step, depth);
}

static void cut_moment(struct explorer *x, const struct moment *m, unsigned depth);

static void cut_recovery(struct explorer *x, unsigned depth)
{
    struct recorder *r = &x->recovery[depth];
    for (size_t i = 0; i < r->count; i++) {
        cut_moment(x, r->moments[i], depth + 1);
    }
}

static bool tries(const struct explorer *x, const struct moment *m, const struct outcomes *o,
                  uint32_t index, unsigned depth)
{
    if (depth > 0) {
        // So many of all there are, spread over them.
        uint32_t stride = o->count / NESTED_OUTCOMES + 1;
        return index % stride == mix(x->seed, m->number, depth) % stride;
    }
    if (m->changed && outcome_loses_environment(o, index)) {
        return true;
    }
    // Nothing has changed since the moment before: what is different is only what comes next.
    unsigned per_mille = m->changed ? x->options->per_mille : x->options->per_mille / 8 + 1;
    return index == mix(x->seed, m->number, 0) % o->count ||
           chosen(mix(x->seed, m->number, index + 1000u), per_mille);
}

static void cut_moment(struct explorer *x, const struct moment *m, unsigned depth)
{
    struct outcomes o;
    size_t len = strlen(x->findings->token);
    outcomes_find(&m->media, &o);
    x->tally->cuts[m->step]++;
    for (uint32_t i = 0; i < o.count; i++) {
        if (!tries(x, m, &o, i, depth)) {
            continue;
        }
        add_token(x->findings, len, m->number, i);
        // A restart just before the slot is shut out, and one just behind: the journal says the
        // same.
        unsigned often = m->step == 3 || m->step == 4 ? 4 : 1;
        bool nested = depth + 1 < DEPTH_MAX &&
                      chosen(mix(x->seed, m->number + 7u, i), often * x->options->nest_per_mille);
        run_state(x, m, &o, i, depth, nested);
        if (nested) {
            cut_recovery(x, depth);
        }
    }
    x->findings->token[len] = '\0';
}

// --- failing calls -------------------------------------------------------------------------------

struct failure {
    enum sim_seam seam;
    int sys;
    bool part; // of its work was done
};

static const struct failure failures[] = {
    {SIM_DISK, EIO, false},       {SIM_DISK, EIO, true},        {SIM_DISK, EBADMSG, false},
    {SIM_ENV, EIO, false},        {SIM_ENV, EIO, true},         {SIM_ENV, EBADMSG, false},
    {SIM_STATE, EIO, false},      {SIM_STATE, ENOSPC, true},    {SIM_SOURCE, ECONNRESET, false},
    {SIM_SOURCE, ENODATA, false}, {SIM_SOURCE, EBADMSG, false}, {SIM_MEMORY, ENOMEM, false},
};

static void order_failure(struct world *w, const struct failure *f, uint64_t call)
{
    sim_reset(&w->sim);
    w->sim.fail_seam = f->seam;
    w->sim.fail_at = call;
    w->sim.fail_sys = f->sys;
    w->sim.fail_short = f->part;
}

// What follows a story that a failing call has stopped, or not.
enum after { AFTER_AGAIN, AFTER_CUT, AFTER_REBOOT, AFTERS };

static void go_on(struct explorer *x, enum after after, int stopped, uint64_t call)
{
    struct error e;
    struct outcomes o;
    struct world *w = x->world;
    if (after == AFTER_AGAIN && stopped >= 0) {
        (void)life_step(w, &x->subject->life->steps[stopped], false, &e);
    } else if (after == AFTER_CUT) {
        outcomes_find(&w->m, &o);
        outcome_apply(w, &o, (uint32_t)(mix(x->seed, call, 3) % o.damage), call);
        check_media(w);
    }
    life_recover(w, x->subject->life);
}

// The story with that call failing, and what follows. Two moments behind the failure are recorded.
// False: the call was not reached any more.
static bool run_failure(struct explorer *x, const struct failure *f, uint64_t call,
                        enum after after)
{
    struct world *w = x->world;
    snprintf(x->findings->token, sizeof x->findings->token, "!%d.%" PRIu64 ".%d.%d.%d",
             (int)f->seam, call, f->sys, f->part, (int)after);
    alarm(STATE_MAX_S);
    world_restore(w, x->begin);
    order_failure(w, f, call);
    recorder_choose(&x->recovery[0], mix(x->seed, call, (uint64_t)f->seam), FAILED_WITHIN, true);
    recorder_begin(&x->recovery[0], w);
    int stopped = life_tell(w, x->subject->life, false);
    bool failed = w->sim.failed;
    bool reached = failed || w->sim.idle;
    int step = w->sim.failed_step;
    world_note_failure(w, &w->m.truth);
    sim_reset(&w->sim);
    if (failed) {
        go_on(x, after, stopped, call);
        x->tally->failures[step]++;
        count_state(x, step, 0);
    }
    recorder_end(&x->recovery[0]);
    return reached;
}

// Every so many calls, with all three that may follow or one of them. False: no more of them.
static bool fail_call(struct explorer *x, const struct failure *f, uint64_t call, bool all)
{
    int only = (int)(mix(x->seed, call, 11) % AFTERS);
    for (int after = 0; after < AFTERS; after++) {
        if (!all && after != only) {
            continue;
        }
        if (!run_failure(x, f, call, (enum after)after)) {
            return false;
        }
        if (after == AFTER_AGAIN || !all) {
            cut_recovery(x, 0);
        }
    }
    return true;
}

static void fail_calls(struct explorer *x)
{
    const struct explore_options *options = x->options;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct failure *f = &failures[i];
        // Few calls, or few that it matters for: a wrong byte in a write is all that reads back
        // otherwise than it was written.
        bool small = f->seam == SIM_ENV || f->seam == SIM_STATE ||
                     (f->seam == SIM_DISK && f->sys == EBADMSG);
        uint64_t stride = f->seam == SIM_MEMORY ? options->memory_stride
                          : small               ? (options->failure_stride + 3) / 4
                                                : options->failure_stride;
        if (stride == 0) {
            continue;
        }
        uint64_t call = 1 + mix(x->seed, i, 5) % stride;
        while (!is_enough(x) && fail_call(x, f, call, stride == 1)) {
            call += stride;
        }
    }
    x->findings->token[0] = '\0';
}

// --- subjects ------------------------------------------------------------------------------------

void subject_name(const struct subject *s, char *ret, size_t size)
{
    snprintf(ret, size, "%s-%s-%s", s->life->name,
             s->shape.contract == CONTRACT_ORDER ? "order" : "bootcount", s->shape_name);
}

static uint64_t seed_of(const struct subject *s, uint64_t seed)
{
    for (const char *p = s->life->name; *p != '\0'; p++) {
        seed = seed * 131 + (uint8_t)*p;
    }
    return mix(seed, s->shape.sector_bytes,
               (uint64_t)s->shape.contract * 4 + s->shape.lies * 2 + s->shape.real_env);
}

static void begin(struct explorer *x, const struct subject *s,
                  const struct explore_options *options, struct tally *tally)
{
    *x = (struct explorer){
        .subject = s, .options = options, .tally = tally, .findings = &tally->findings};
    tally->findings = (struct findings){.seed = options->seed};
    x->seed = seed_of(s, options->seed);
    subject_name(s, x->findings->subject, sizeof x->findings->subject);
    x->world = life_begin(s->life, &s->shape, s->kit, x->findings);
    x->begin = calloc(1, sizeof *x->begin);
    assert_non_null(x->begin);
    world_snapshot(x->world, x->begin);
}

static void end(struct explorer *x)
{
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        x->tally->violations[i] += x->findings->violations[i];
    }
    recorder_free(&x->story);
    for (size_t i = 0; i < DEPTH_MAX - 1; i++) {
        recorder_free(&x->recovery[i]);
    }
    world_free(x->world);
    free(x->begin);
}

static void tell_story(struct explorer *x)
{
    x->story.all = true;
    recorder_begin(&x->story, x->world);
    (void)life_tell(x->world, x->subject->life, true);
    recorder_end(&x->story);
}

void explore(const struct subject *subject, const struct explore_options *options,
             struct tally *tally)
{
    struct explorer x;
    begin(&x, subject, options, tally);
    tell_story(&x);
    for (size_t i = 0; i < x.story.count && !is_enough(&x); i++) {
        cut_moment(&x, x.story.moments[i], 0);
    }
    if (options->failure_stride > 0) {
        fail_calls(&x);
    }
    end(&x);
}

// --- one state again -----------------------------------------------------------------------------

// The failure at the beginning of `*state`, which moves on to the cut behind it.
static bool again_failure(struct explorer *x, const char **state)
{
    unsigned seam;
    uint64_t call;
    int sys;
    int part;
    unsigned after;
    int len = 0;
    if (sscanf(*state, "!%u.%" SCNu64 ".%d.%d.%u%n", &seam, &call, &sys, &part, &after, &len) !=
            5 ||
        seam >= SIM_SEAMS || after >= AFTERS) {
        return false;
    }
    struct failure f = {(enum sim_seam)seam, sys, part != 0};
    *state += len;
    *state += **state == '/';
    return run_failure(x, &f, call, (enum after)after);
}

// The cuts in `state`, the first of them among the moments of `r`.
static bool again_cuts(struct explorer *x, const struct recorder *r, unsigned depth,
                       const char *state)
{
    for (;; depth++) {
        uint32_t number;
        uint32_t index;
        int len = 0;
        struct outcomes o;
        if (sscanf(state, "%" SCNu32 ".%" SCNu32 "%n", &number, &index, &len) != 2) {
            return false;
        }
        const struct moment *m = recorder_find(r, number);
        if (m == NULL) {
            return false;
        }
        state += len;
        outcomes_find(&m->media, &o);
        bool nested = *state == '/' && depth + 1 < DEPTH_MAX;
        if (index >= o.count || (*state != '\0' && !nested)) {
            return false;
        }
        run_state(x, m, &o, index, depth, nested);
        if (!nested) {
            return true;
        }
        r = &x->recovery[depth];
        state++;
    }
}

static bool again(struct explorer *x, const char *state)
{
    if (*state != '!') {
        return again_cuts(x, &x->story, 0, state);
    }
    bool found = again_failure(x, &state);
    snprintf(x->findings->token, sizeof x->findings->token, "(the same)");
    return found && (*state == '\0' || again_cuts(x, &x->recovery[0], 1, state));
}

bool explore_again(const struct subject *subject, const struct explore_options *options,
                   const char *state, struct tally *tally)
{
    struct explorer x;
    begin(&x, subject, options, tally);
    bool undisturbed = *state == '\0';
    x.findings->verbose = undisturbed;
    tell_story(&x);
    x.findings->verbose = true; // from here on
    snprintf(x.findings->token, sizeof x.findings->token, "%s", state);
    bool found = undisturbed || again(&x, state);
    end(&x);
    return found;
}
