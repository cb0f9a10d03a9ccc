// SPDX-License-Identifier: Apache-2.0
// What is decided about an offer, and what a person said to it, is there after a restart.
#include "updater/agent/offer_run.h"

#include "tests/support/expect.h"
#include "tests/support/trial_bench.h"

#include <stdlib.h>

struct scene {
    struct trial_bench *trial; // release 2.0 in slot b and on trial; a runs
    struct offer_run run;
    struct offer_facts facts;
};

static const struct offer first = {"server", "1", "https://host/2.0.vvi"};
static const struct offer second = {"server", "2", "https://host/3.0.vvi"};
static const struct release_id nine = {.version = "9.0", .release_index = 9};

static void reopen(struct scene *s)
{
    struct error e;
    struct device *d = s->trial->device;
    assert_ok(offer_open(&s->run, d->state, d->clock, "one", &e));
    offer_look(&s->run, d, &s->facts);
}

static int make(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->trial = trial_bench_new(CONTRACT_ORDER);
    reopen(s);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    trial_bench_free(s->trial);
    free(s);
    return 0;
}

static void accepted(struct scene *s, const struct offer *offer)
{
    struct error e;
    assert_ok(offer_accept(&s->run, offer, &nine, &e));
}

static void end(struct scene *s, enum offer_step step, enum err err)
{
    struct error e;
    const struct offer_end end = {.err = err, .reason = "why", .target = SLOT_B, .release = nine};
    assert_ok(offer_ended(&s->run, step, &end, &s->facts, &e));
}

static void forget(struct scene *s)
{
    struct error e;
    const struct offer_todo todo = {.step = OFFER_STEP_FORGET};
    end(s, OFFER_STEP_REPORT, OK);
    assert_ok(offer_begin(&s->run, &todo, &e));
}

// --- why it failed -------------------------------------------------------------------------------

static void what_failed_an_install_is_kept_with_the_decision(void **state)
{
    static const enum err codes[] = {ERR_TRUST, ERR_FORMAT, ERR_TOO_LARGE, ERR_NOT_NOW};
    struct scene *s = *state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        accepted(s, &first);
        end(s, OFFER_STEP_INSTALL, codes[i]);
        reopen(s);
        assert_int_equal(s->run.record.outcome, OFFER_FAILURE);
        assert_int_equal(s->run.record.failed_by, codes[i]);
        forget(s);
    }
}

static void what_is_tried_again_has_no_cause_yet(void **state)
{
    struct scene *s = *state;
    accepted(s, &first);
    end(s, OFFER_STEP_INSTALL, ERR_NETWORK);
    reopen(s);
    assert_int_equal(s->run.record.phase, OFFER_ACCEPTED);
    assert_int_equal(s->run.record.failed_by, OK);
}

static void what_failed_a_flip_is_kept_with_the_decision(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct offer_todo todo = {.step = OFFER_STEP_ACTIVATE};
    accepted(s, &first);
    end(s, OFFER_STEP_INSTALL, OK);
    assert_ok(offer_begin(&s->run, &todo, &e));
    s->facts.boot = (struct boot_state){.next = SLOT_A, .trial = SLOT_NONE}; // no flip
    end(s, OFFER_STEP_ACTIVATE, ERR_HEALTH);
    reopen(s);
    assert_int_equal(s->run.record.outcome, OFFER_FAILURE);
    assert_int_equal(s->run.record.failed_by, ERR_HEALTH);
}

static void what_no_step_decided_has_no_cause(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct offer_todo todo = {
        .step = OFFER_STEP_DECIDE, .outcome = OFFER_FAILURE, .reason = "replaced by hand"};
    accepted(s, &first);
    assert_ok(offer_begin(&s->run, &todo, &e));
    reopen(s);
    assert_int_equal(s->run.record.failed_by, OK);
    forget(s);
    accepted(s, &second);
    assert_ok(offer_cancel(&s->run, &s->facts, "cancelled by alice", &e));
    reopen(s);
    assert_int_equal(s->run.record.failed_by, OK);
}

// --- consent -------------------------------------------------------------------------------------

static void consent_is_on_record_once_it_is_given(void **state)
{
    struct scene *s = *state;
    struct error e;
    unsigned replaced;
    accepted(s, &first);
    assert_false(s->run.record.consented);
    assert_ok(offer_consent(&s->run, &e));
    reopen(s);
    assert_true(s->run.record.consented);
    replaced = s->trial->bench->state.replaced;
    assert_ok(offer_consent(&s->run, &e)); // again
    assert_int_equal(s->trial->bench->state.replaced, replaced);
    // It goes with the offer through all of its phases.
    end(s, OFFER_STEP_INSTALL, OK);
    reopen(s);
    assert_int_equal(s->run.record.phase, OFFER_INSTALLED);
    assert_true(s->run.record.consented);
}

static void consent_ends_with_its_offer(void **state)
{
    struct scene *s = *state;
    struct error e;
    assert_fails(ERR_NOT_NOW, "no update that waits for consent", offer_consent(&s->run, &e));
    accepted(s, &first);
    assert_ok(offer_consent(&s->run, &e));
    assert_ok(offer_cancel(&s->run, &s->facts, "cancelled by alice", &e));
    assert_fails(ERR_NOT_NOW, "no update that waits for consent", offer_consent(&s->run, &e));
    forget(s);
    accepted(s, &second);
    reopen(s);
    assert_false(s->run.record.consented);
}

// The gate in front of the reboot asks for it, too.
static void consent_may_come_behind_the_flip(void **state)
{
    struct scene *s = *state;
    struct error e;
    const struct offer_todo todo = {.step = OFFER_STEP_ACTIVATE};
    accepted(s, &first);
    end(s, OFFER_STEP_INSTALL, OK);
    assert_ok(offer_begin(&s->run, &todo, &e));
    end(s, OFFER_STEP_ACTIVATE, OK);
    assert_ok(offer_consent(&s->run, &e));
    reopen(s);
    assert_int_equal(s->run.record.phase, OFFER_ACTIVATED);
    assert_true(s->run.record.consented);
}

static void consent_that_cannot_be_kept_is_not_given(void **state)
{
    struct scene *s = *state;
    struct error e;
    accepted(s, &first);
    s->trial->bench->state.read_only = true;
    assert_int_equal(offer_consent(&s->run, &e), ERR_IO);
    assert_false(s->run.record.consented);
    s->trial->bench->state.read_only = false;
    assert_ok(offer_consent(&s->run, &e));
}

#define kept_test(name) cmocka_unit_test_setup_teardown(name, make, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        kept_test(what_failed_an_install_is_kept_with_the_decision),
        kept_test(what_is_tried_again_has_no_cause_yet),
        kept_test(what_failed_a_flip_is_kept_with_the_decision),
        kept_test(what_no_step_decided_has_no_cause),
        kept_test(consent_is_on_record_once_it_is_given),
        kept_test(consent_ends_with_its_offer),
        kept_test(consent_may_come_behind_the_flip),
        kept_test(consent_that_cannot_be_kept_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
