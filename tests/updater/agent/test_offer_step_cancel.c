// SPDX-License-Identifier: Apache-2.0
// Which offers can still be cancelled: those whose release nothing but a next step would start.
#include "updater/agent/offer_step.h"

#include "tests/support/expect.h"

#include <stdio.h>

// B runs, A is the other slot. Release 1 runs and is confirmed, 2 is offered, 3 is another one.
enum { A, B };

struct row {
    const char *name;
    enum offer_phase phase;
    int a, b; // releases, by the journal
    enum slot_content a_is, b_is;
    enum journal_step step;
    int step_slot;
    // The environment; B boots next, and nothing is on trial.
    bool unreadable;
    bool a_boots;
    bool a_on_trial, b_on_trial;
    bool target_b;
    const char *keeps; // part of the reason; NULL: it can be cancelled
};

#define RUNS_1 .b = 1, .b_is = CONTENT_CONFIRMED
#define HAS_2 .a = 2, .a_is = CONTENT_INSTALLED
#define PENDING .a_boots = true, .a_on_trial = true

// clang-format off
static const struct row rows[] = {
    {"a new offer", OFFER_ACCEPTED, RUNS_1},
    {"a download", OFFER_ACCEPTED, RUNS_1, .a = 2, .a_is = CONTENT_PARTIAL,
     .step = STEP_INSTALLING},
    {"a download, and the environment cannot be read", OFFER_ACCEPTED, RUNS_1, .a = 2,
     .a_is = CONTENT_PARTIAL, .step = STEP_INSTALLING, .unreadable = true},
    {"accepted, and it lies there", OFFER_ACCEPTED, RUNS_1, HAS_2, .step = STEP_INSTALLED},
    {"accepted, and another release was flipped by hand", OFFER_ACCEPTED, RUNS_1, .a = 3,
     .a_is = CONTENT_INSTALLED, .step = STEP_TRIAL, PENDING},
    {"accepted, and another release is on trial", OFFER_ACCEPTED, .b = 3,
     .b_is = CONTENT_INSTALLED, .step = STEP_TRIAL, .step_slot = B, .b_on_trial = true},
    {"accepted, and flipped by hand", OFFER_ACCEPTED, RUNS_1, HAS_2, .step = STEP_TRIAL, PENDING,
     .keeps = "boots next"},
    {"accepted, and flipped by hand, which was cut off", OFFER_ACCEPTED, RUNS_1, HAS_2,
     .step = STEP_ACTIVATING, PENDING, .keeps = "boots next"},
    {"accepted, flipped by hand, tried and back", OFFER_ACCEPTED, RUNS_1, HAS_2,
     .step = STEP_TRIAL, .a_on_trial = true, .keeps = "not on record"},
    {"accepted, and it lies there: may it boot?", OFFER_ACCEPTED, RUNS_1, HAS_2,
     .unreadable = true, .keeps = "cannot be read"},
    {"accepted, something was flipped by hand, and the journal was lost", OFFER_ACCEPTED, PENDING,
     .keeps = "what boots next is not known"},
    {"accepted, something was tried and is back, and the journal was lost", OFFER_ACCEPTED,
     .a_on_trial = true, .keeps = "what boots next is not known"},
    {"accepted, something is on trial, and the journal was lost", OFFER_ACCEPTED,
     .b_on_trial = true, .keeps = "what is on trial is not known"},
    {"accepted, and nothing is known of any slot", OFFER_ACCEPTED, .a = 0},
    {"accepted, nothing is known of any slot, and nothing can be read", OFFER_ACCEPTED,
     .unreadable = true},
    {"accepted, and it runs on trial", OFFER_ACCEPTED, .b = 2, .b_is = CONTENT_INSTALLED,
     .step = STEP_TRIAL, .step_slot = B, .b_on_trial = true, .keeps = "runs already"},
    {"accepted, and it runs", OFFER_ACCEPTED, .b = 2, .b_is = CONTENT_CONFIRMED,
     .keeps = "runs already"},
    {"accepted, and it runs untried", OFFER_ACCEPTED, .b = 2, .b_is = CONTENT_INSTALLED},
    {"accepted, and it was rejected before", OFFER_ACCEPTED, RUNS_1, .a = 2,
     .a_is = CONTENT_REJECTED},

    {"installed", OFFER_INSTALLED, RUNS_1, HAS_2, .step = STEP_INSTALLED},
    {"installed, and the journal was lost", OFFER_INSTALLED, .a = 0},
    {"installed, and flipped by hand", OFFER_INSTALLED, RUNS_1, HAS_2, .step = STEP_TRIAL, PENDING,
     .keeps = "boots next"},
    {"installed, flipped by hand, and the journal was lost", OFFER_INSTALLED, PENDING,
     .keeps = "boots next"},
    {"installed, and the running slot was given up", OFFER_INSTALLED, RUNS_1, HAS_2,
     .a_boots = true, .keeps = "boots next"},
    {"installed, and another one was flipped over it by hand", OFFER_INSTALLED, RUNS_1, .a = 3,
     .a_is = CONTENT_INSTALLED, .step = STEP_TRIAL, PENDING},
    {"installed, booted by hand, and the journal was lost", OFFER_INSTALLED, .target_b = true,
     .b_on_trial = true, .keeps = "runs already"},
    {"installed, and the environment cannot be read", OFFER_INSTALLED, RUNS_1, HAS_2,
     .step = STEP_INSTALLED, .unreadable = true, .keeps = "cannot be read"},

    {"activating, cut before the journal", OFFER_ACTIVATING, RUNS_1, HAS_2, .step = STEP_INSTALLED},
    {"activating, cut before the flip", OFFER_ACTIVATING, RUNS_1, HAS_2, .step = STEP_ACTIVATING},
    {"activating, cut behind the flip", OFFER_ACTIVATING, RUNS_1, HAS_2, .step = STEP_ACTIVATING,
     PENDING, .keeps = "boots next"},
    {"activating, tried and back", OFFER_ACTIVATING, RUNS_1, HAS_2, .step = STEP_ACTIVATING,
     .a_on_trial = true, .keeps = "not on record"},
    {"activating, and the environment forgot the flip", OFFER_ACTIVATING, RUNS_1, HAS_2,
     .step = STEP_TRIAL, .keeps = "not on record"},
    {"activating, and the environment cannot be read", OFFER_ACTIVATING, RUNS_1, HAS_2,
     .step = STEP_ACTIVATING, .unreadable = true, .keeps = "cannot be read"},

    {"activated", OFFER_ACTIVATED, RUNS_1, HAS_2, .step = STEP_TRIAL, PENDING, .keeps = "was told"},
    {"activated, and taken back", OFFER_ACTIVATED, RUNS_1, HAS_2, .keeps = "was told"},
    {"rebooting", OFFER_REBOOTING, RUNS_1, HAS_2, .step = STEP_TRIAL, PENDING, .keeps = "was told"},
};
// clang-format on

static struct release_id release(int n)
{
    struct release_id r = {.release_index = (uint64_t)n};
    if (n > 0) {
        memset(r.manifest_sha256, n, sizeof r.manifest_sha256);
        snprintf(r.version, sizeof r.version, "%d.0", n);
    }
    return r;
}

static struct boot_state boot_of(const struct row *w)
{
    struct boot_state b = {.next = w->a_boots ? A : B, .trial = SLOT_NONE};
    b.trial = w->a_on_trial ? A : w->b_on_trial ? B : SLOT_NONE;
    for (int i = 0; i < SLOT_COUNT; i++) {
        b.slots[i].listed = b.slots[i].bootable = true;
        b.slots[i].attempts_left = 3;
    }
    return b;
}

static const char *keeps(const struct row *w)
{
    struct journal j = {.step = w->step, .slot = w->step_slot};
    j.slots[A].content = w->a_is;
    j.slots[A].release = release(w->a);
    j.slots[B].content = w->b_is;
    j.slots[B].release = release(w->b);
    struct offer_record r = offer_record_none();
    r.phase = w->phase;
    r.release_known = true;
    r.release = release(2);
    r.target = w->phase == OFFER_ACCEPTED ? SLOT_NONE : w->target_b ? B : A;
    const struct offer_facts f = {.journal = &j,
                                  .running = B,
                                  .boot_known = !w->unreadable,
                                  .boot = boot_of(w),
                                  .pending = w->a_boots && w->a_on_trial};
    return offer_step_keeps(&r, &f);
}

static void an_offer_can_be_cancelled_until_the_device_boots_its_release_by_itself(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = keeps(&rows[i]);
        const char *want = rows[i].keeps;
        if ((got == NULL) != (want == NULL) || (got != NULL && strstr(got, want) == NULL)) {
            wrong++;
            print_error("%s (%s): expected '%s', got '%s'\n", rows[i].name,
                        offer_phase_name(rows[i].phase), want != NULL ? want : "",
                        got != NULL ? got : "");
        }
    }
    print_message("%zu rows\n", sizeof rows / sizeof rows[0]);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_can_be_cancelled_until_the_device_boots_its_release_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
