// SPDX-License-Identifier: Apache-2.0
// An offer of a device whose release 2.0 is in slot b.
#ifndef TESTS_SUPPORT_OFFER_SCENE_H
#define TESTS_SUPPORT_OFFER_SCENE_H

#include "updater/agent/offer_run.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"
#include "updater/activate.h"
#include "updater/confirm.h"
#include "updater/health_record.h"

#include <stdio.h>
#include <stdlib.h>

struct scene {
    struct trial_bench *trial; // release 2.0 in slot b and on trial; a runs
    struct device *device;
    struct offer_run run;
    struct offer_facts facts;
};

static const struct offer first = {"server", "1", "https://host/2.0.vvi"};
static const struct offer second = {"server", "2", "https://host/3.0.vvi"};

// As a restart finds it.
static inline void reopen(struct scene *s, const char *boot_id)
{
    struct error e;
    assert_ok(offer_open(&s->run, s->device->state, s->device->clock, boot_id, &e));
    offer_look(&s->run, s->device, &s->facts);
}

static inline int make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->trial = trial_bench_new(CONTRACT_ORDER);
    s->device = s->trial->device;
    reopen(s, "one");
    *state = s;
    return 0;
}

static inline int clear(void **state)
{
    struct scene *s = *state;
    trial_bench_free(s->trial);
    free(s);
    return 0;
}

static inline struct offer_record stored(struct scene *s)
{
    struct error e;
    struct offer_record r;
    assert_ok(offer_record_load(s->device->state, &r, &e));
    return r;
}

static inline void expect_phase(struct scene *s, enum offer_phase phase)
{
    struct offer_record r = stored(s);
    assert_string_equal(offer_phase_name(s->run.record.phase), offer_phase_name(phase));
    assert_string_equal(offer_phase_name(r.phase), offer_phase_name(phase));
}

static inline enum offer_step next(struct scene *s, struct offer_todo *todo)
{
    offer_look(&s->run, s->device, &s->facts);
    offer_next(&s->run, &s->facts, todo);
    return todo->step;
}

static inline void begin(struct scene *s, enum offer_step step)
{
    struct error e;
    struct offer_todo todo;
    assert_string_equal(offer_step_name(next(s, &todo)), offer_step_name(step));
    assert_ok(offer_begin(&s->run, &todo, &e));
}

static inline void end(struct scene *s, enum offer_step step, const struct offer_end *end)
{
    struct error e;
    offer_look(&s->run, s->device, &s->facts);
    assert_ok(offer_ended(&s->run, step, end, &s->facts, &e));
}

static const struct offer_end went_well = {.err = OK};

static inline void accept_first(struct scene *s)
{
    struct error e;
    assert_ok(offer_accept(&s->run, &first, NULL, &e));
}

// As if it had been installed into slot b, where it is.
static inline void install(struct scene *s)
{
    struct journal *j = &s->device->journal;
    struct offer_end done = {.release = j->slots[SLOT_B].release, .target = SLOT_B};
    end(s, OFFER_STEP_INSTALL, &done);
}

static inline void reboot(struct scene *s, int slot)
{
    char id[BOOT_ID_SIZE];
    assert_int_equal(trial_boot(s->trial), slot);
    snprintf(id, sizeof id, "another than %.20s", s->run.boot_id);
    reopen(s, id);
}

static inline void confirm(struct scene *s, enum err wanted)
{
    struct error e;
    enum confirm_outcome outcome;
    assert_int_equal(confirm_run(s->device, &outcome, &e), wanted);
}

#endif
