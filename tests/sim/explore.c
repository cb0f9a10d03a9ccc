// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/explore.h"

#include "tests/sim/outcome.h"
#include "tests/support/expect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 3, NESTED_MOMENTS = 2, NESTED_OUTCOMES = 3, NESTED_WITHIN = 220 };

// A moment of a story or a recovery that may be cut.
struct moment {
    uint32_t number; // from 1, of those that came to pass
    int step;
    bool changed;
    struct media media;
};

// Copies media at moments: at all of them, or at some that were chosen beforehand.
struct recorder {
    struct world *world;
    uint32_t seen;
    bool all;
    size_t count, room;
    struct moment **moments;
    uint32_t wanted[NESTED_MOMENTS]; // ascending; unless `all`
    size_t wanted_count;
};

struct explorer {
    const struct subject *subject;
    const struct explore_options *options;
    struct tally *tally;
    struct world *world;
    struct findings findings;
    uint64_t seed; // of this subject
    struct media *begin;
    struct recorder story;
    struct recorder recovery[DEPTH_MAX]; // of the states of each depth
};

// --- recording ------------------------------------------------------------------------------------

static void record(struct recorder *r, bool changed)
{
    if (r->count == r->room) {
        r->room = r->room * 2 + 8;
        r->moments = realloc(r->moments, r->room * sizeof(struct moment *));
        assert_non_null(r->moments);
        memset(r->moments + r->count, 0, (r->room - r->count) * sizeof(struct moment *));
    }
    if (r->moments[r->count] == NULL) {
        r->moments[r->count] = calloc(1, sizeof(struct moment));
        assert_non_null(r->moments[r->count]);
    }
    struct moment *m = r->moments[r->count++];
    m->number = r->seen;
    m->step = r->world->sim.step;
    m->changed = changed;
    world_snapshot(r->world, &m->media);
}

static void on_moment(struct sim *s, bool changed)
{
    struct recorder *r = s->context;
    r->seen++;
    if (r->all) {
        record(r, changed);
    } else if (r->count < r->wanted_count && r->wanted[r->count] == r->seen) {
        record(r, changed);
    }
}

static void begin_recording(struct explorer *x, struct recorder *r)
{
    r->world = x->world;
    r->seen = 0;
    r->count = 0;
    x->world->sim.context = r;
    x->world->sim.on_moment = on_moment;
}

static void end_recording(struct explorer *x)
{
    x->world->sim.on_moment = NULL;
}

static void free_recorder(struct recorder *r)
{
    for (size_t i = 0; i < r->room; i++) {
        free(r->moments[i]);
    }
    free(r->moments);
}

// --- chance ---------------------------------------------------------------------------------------

static uint64_t mix(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t state = seed ^ (a * 0x9e3779b97f4a7c15u) ^ (b * 0xd1b54a32d192ed03u);
    return sim_random(&state);
}

static bool chosen(uint64_t dice, unsigned per_mille)
{
    return dice % 1000 < per_mille;
}

static bool is_enough(const struct explorer *x)
{
    return x->options->until_found && x->findings.found;
}

// --- states ---------------------------------------------------------------------------------------

// Behind the first `len` characters.
static void add_token(struct findings *f, size_t len, uint32_t moment, uint32_t outcome)
{
    snprintf(f->token + len, sizeof f->token - len, "%s%" PRIu32 ".%" PRIu32, len > 0 ? "/" : "",
             moment, outcome);
}

static void choose_nested(struct recorder *r, uint64_t dice)
{
    uint32_t first = 1 + (uint32_t)(sim_random(&dice) % NESTED_WITHIN);
    uint32_t second = first + 1 + (uint32_t)(sim_random(&dice) % NESTED_WITHIN);
    r->all = false;
    r->wanted[0] = first;
    r->wanted[1] = second;
    r->wanted_count = NESTED_MOMENTS;
}

static void count_state(struct explorer *x, int step, unsigned depth)
{
    struct tally *t = x->tally;
    t->states[step]++;
    t->nested[step] += depth > 0;
    t->real_states += x->subject->shape.real_env;
}

// One state: the moment's media, cut, and then all that follows. Its recovery is recorded when
// `nested` says so.
static void run_state(struct explorer *x, const struct moment *m, const struct outcomes *o,
                      uint32_t index, unsigned depth, bool nested)
{
    struct world *w = x->world;
    uint64_t seed = mix(x->seed, m->number, index);
    world_restore(w, &m->media);
    w->sim.step = m->step;
    outcome_apply(w, o, index, seed);
    check_media(w);
    if (nested) {
        choose_nested(&x->recovery[depth], seed);
        begin_recording(x, &x->recovery[depth]);
    }
    life_recover(w, x->subject->life);
    end_recording(x);
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
    // Nothing has changed since the moment before: what is different is only what comes next.
    unsigned per_mille = m->changed ? x->options->per_mille : x->options->per_mille / 8 + 1;
    return index == mix(x->seed, m->number, 0) % o->count ||
           chosen(mix(x->seed, m->number, index + 1000u), per_mille);
}

static void cut_moment(struct explorer *x, const struct moment *m, unsigned depth)
{
    struct outcomes o;
    size_t len = strlen(x->findings.token);
    outcomes_find(&m->media, &o);
    x->tally->cuts[m->step]++;
    for (uint32_t i = 0; i < o.count; i++) {
        if (!tries(x, m, &o, i, depth)) {
            continue;
        }
        add_token(&x->findings, len, m->number, i);
        bool nested = depth + 1 < DEPTH_MAX &&
                      chosen(mix(x->seed, m->number + 7u, i), x->options->nest_per_mille);
        run_state(x, m, &o, i, depth, nested);
        if (nested) {
            cut_recovery(x, depth);
        }
    }
    x->findings.token[len] = '\0';
}

// --- failing calls --------------------------------------------------------------------------------

struct failure {
    enum sim_seam seam;
    int sys;
    bool part; // of its work was done
};

static const struct failure failures[] = {
    {SIM_DISK, EIO, false},          {SIM_DISK, EIO, true},
    {SIM_ENV, EIO, false},           {SIM_ENV, EIO, true},
    {SIM_STATE, EIO, false},         {SIM_STATE, ENOSPC, true},
    {SIM_SOURCE, ECONNRESET, false}, {SIM_SOURCE, ENODATA, false},
    {SIM_SOURCE, EBADMSG, false},    {SIM_MEMORY, ENOMEM, false},
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

// The story with that call failing. False: the call was not reached any more.
static bool run_failure(struct explorer *x, const struct failure *f, uint64_t call,
                        enum after after)
{
    struct world *w = x->world;
    snprintf(x->findings.token, sizeof x->findings.token, "!%d.%" PRIu64 ".%d.%d.%d", (int)f->seam,
             call, f->sys, f->part, (int)after);
    world_restore(w, x->begin);
    order_failure(w, f, call);
    int stopped = life_tell(w, x->subject->life, false);
    bool failed = w->sim.failed;
    int step = w->sim.failed_step;
    sim_reset(&w->sim);
    if (failed) {
        w->m.truth.cuts++;
        // A healthy system is kept even if the record that says its floor cannot be read.
        w->m.truth.floor_unknown = f->seam == SIM_STATE && step == 12;
        go_on(x, after, stopped, call);
        x->tally->failures[step]++;
        count_state(x, step, 0);
    }
    x->findings.token[0] = '\0';
    return failed;
}

static void fail_calls(struct explorer *x)
{
    const struct explore_options *options = x->options;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct failure *f = &failures[i];
        uint64_t stride = f->seam == SIM_MEMORY ? options->memory_stride : options->failure_stride;
        uint64_t call = 1 + mix(x->seed, i, 5) % stride;
        for (bool reached = true; reached && !is_enough(x); call += stride) {
            // One of the three where not every call is tried anyway.
            int only = stride == 1 ? AFTERS : (int)(mix(x->seed, i, call) % AFTERS);
            for (int after = 0; after < AFTERS && reached; after++) {
                if (only == AFTERS || only == after) {
                    reached = run_failure(x, f, call, (enum after)after);
                }
            }
        }
    }
}

// --- subjects -------------------------------------------------------------------------------------

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
    *x = (struct explorer){.subject = s, .options = options, .tally = tally};
    x->seed = seed_of(s, options->seed);
    subject_name(s, x->findings.subject, sizeof x->findings.subject);
    x->world = life_begin(s->life, &s->shape, s->kit, &x->findings);
    x->begin = calloc(1, sizeof *x->begin);
    assert_non_null(x->begin);
    world_snapshot(x->world, x->begin);
}

static void end(struct explorer *x)
{
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        x->tally->violations[i] += x->findings.violations[i];
    }
    free_recorder(&x->story);
    for (size_t i = 0; i < DEPTH_MAX; i++) {
        free_recorder(&x->recovery[i]);
    }
    world_free(x->world);
    free(x->begin);
}

static void tell_story(struct explorer *x)
{
    x->story.all = true;
    begin_recording(x, &x->story);
    (void)life_tell(x->world, x->subject->life, true);
    end_recording(x);
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
    // A disk that lies says OK to everything.
    if (options->failure_stride > 0 && !subject->shape.lies) {
        fail_calls(&x);
    }
    end(&x);
}

// --- one state again ------------------------------------------------------------------------------

static bool again_failure(struct explorer *x, const char *state)
{
    unsigned seam;
    uint64_t call;
    int sys;
    int part;
    unsigned after;
    if (sscanf(state, "!%u.%" SCNu64 ".%d.%d.%u", &seam, &call, &sys, &part, &after) != 5 ||
        seam >= SIM_SEAMS || after >= AFTERS) {
        return false;
    }
    struct failure f = {(enum sim_seam)seam, sys, part != 0};
    return run_failure(x, &f, call, (enum after)after);
}

static const struct moment *find_moment(const struct recorder *r, uint32_t number)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->moments[i]->number == number) {
            return r->moments[i];
        }
    }
    return NULL;
}

static bool again_cuts(struct explorer *x, const char *state)
{
    const struct recorder *r = &x->story;
    for (unsigned depth = 0; *state != '\0'; depth++) {
        uint32_t number;
        uint32_t index;
        int len = 0;
        struct outcomes o;
        if (depth == DEPTH_MAX ||
            sscanf(state, "%" SCNu32 ".%" SCNu32 "%n", &number, &index, &len) != 2) {
            return false;
        }
        const struct moment *m = find_moment(r, number);
        if (m == NULL) {
            return false;
        }
        state += len;
        outcomes_find(&m->media, &o);
        bool nested = *state == '/' && depth + 1 < DEPTH_MAX;
        run_state(x, m, &o, index, depth, nested);
        r = &x->recovery[depth];
        state += *state == '/';
    }
    return true;
}

bool explore_again(const struct subject *subject, const struct explore_options *options,
                   const char *state, struct tally *tally)
{
    struct explorer x;
    begin(&x, subject, options, tally);
    tell_story(&x);
    x.findings.verbose = true; // from here on
    snprintf(x.findings.token, sizeof x.findings.token, "%s", state);
    bool found = *state == '!' ? again_failure(&x, state) : again_cuts(&x, state);
    end(&x);
    return found;
}
