// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/recorder.h"

#include "tests/support/expect.h"

#include <stdlib.h>

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
    if (r->from_failure && r->base == 0 && s->failed) {
        r->base = r->seen;
    }
    bool counts = !r->from_failure || r->base > 0;
    // What has not changed is the state before once more, but where the next step begins.
    bool first = r->count == 0 || r->moments[r->count - 1]->step != s->step;
    bool wanted = counts && r->count < RECORDER_WANTED && r->seen - r->base == r->wanted[r->count];
    if (r->all ? changed || first : wanted) {
        record(r, changed);
    }
}

void recorder_begin(struct recorder *r, struct world *w)
{
    r->world = w;
    r->seen = r->base = 0;
    r->count = 0;
    w->sim.context = r;
    w->sim.on_moment = on_moment;
}

void recorder_end(const struct recorder *r)
{
    r->world->sim.on_moment = NULL;
}

void recorder_free(struct recorder *r)
{
    for (size_t i = 0; i < r->room; i++) {
        free(r->moments[i]);
    }
    free(r->moments);
}

void recorder_choose(struct recorder *r, uint64_t seed, uint32_t within, bool from_failure)
{
    r->all = false;
    r->from_failure = from_failure;
    r->wanted[0] = 1 + (uint32_t)(next_random(&seed) % within);
    r->wanted[1] = r->wanted[0] + 1 + (uint32_t)(next_random(&seed) % within);
}

const struct moment *recorder_find(const struct recorder *r, uint32_t number)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->moments[i]->number == number) {
            return r->moments[i];
        }
    }
    return NULL;
}
