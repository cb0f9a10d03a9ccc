// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/offer_step.h"

#include "tests/support/expect.h"

#include <stdio.h>

// The running slot is B, the other one A, unless a row says otherwise. Release 1 runs and is
// confirmed, 2 is offered, 3 is another one; 0: none.
enum { A, B };

// What is in the environment.
enum env {
    SETTLED,  // R boots next, nothing is on trial; the other is there to fall back to
    ALONE,    // the same, and nothing else would boot
    GIVEN_UP, // the other slot boots next, R is not named any more
    WORN_OUT, // the other slot boots next, R has no attempts left
    ON_TRIAL, // R is
    PENDING,  // the other slot is on trial and was not started yet
    TRIED,    // the other slot is on trial, was started, and R runs again
    SPENT,    // the same, and it has no attempts left: R boots next
    UNREADABLE,
};

struct row {
    const char *name;
    // The record. Target A, boot "this", if the phase has that.
    enum offer_phase phase;
    enum env env;
    int a, b; // releases, by the journal
    enum slot_content a_is, b_is;
    enum journal_step step;
    int step_slot;
    enum journal_outcome last;
    int last_release;
    bool runs_a;     // R is A
    bool other_boot; // it is not the boot of the record
    bool unknown;    // the record does not know the release of the offer
    bool target_b;   // the record's target is B
    enum offer_outcome done;
    bool reported;
    // Expected.
    enum offer_step next;
    enum offer_outcome outcome;
    const char *reason;
};

#define CONFIRMED_1 .b = 1, .b_is = CONTENT_CONFIRMED
#define HAS_2 .a = 2, .a_is = CONTENT_INSTALLED
#define A_TRIAL .step = STEP_TRIAL, .step_slot = A
#define WAITS_FOR(what) .next = OFFER_STEP_WAIT_VERDICT, .reason = "waiting for " what
#define WAITS WAITS_FOR("'confirm': how the last trial ended is not on record yet")
#define WAITS_ON_TRIAL WAITS_FOR("what 'confirm' decides about the system on trial")
#define WAITS_TO_BOOT WAITS_FOR("a reboot: the other slot was activated by hand")
#define WAITS_GIVEN_UP WAITS_FOR("a reboot: the running slot was given up")
#define WAITS_WORN_OUT WAITS_FOR("'confirm': the running slot has no attempts")
#define WAITS_TO_READ WAITS_FOR("the boot environment, which cannot be read")
#define SUCCEEDS .next = OFFER_STEP_DECIDE, .outcome = OFFER_SUCCESS
#define FAILS .next = OFFER_STEP_DECIDE, .outcome = OFFER_FAILURE
#define BY_HAND FAILS, .reason = "replaced by hand"

// clang-format off
static const struct row rows[] = {
    // --- no offer, and one that is done
    {.name = "no offer", .phase = OFFER_NONE, CONFIRMED_1, .next = OFFER_STEP_NOTHING},
    {.name = "no offer, and a trial", .phase = OFFER_NONE, .env = ON_TRIAL, CONFIRMED_1},
    {.name = "done", .phase = OFFER_DONE, .done = OFFER_SUCCESS, .next = OFFER_STEP_REPORT},
    {.name = "done, whatever runs by now", .phase = OFFER_DONE, .done = OFFER_SUCCESS,
     .env = ON_TRIAL, CONFIRMED_1, .next = OFFER_STEP_REPORT},
    {.name = "cancelled", .phase = OFFER_DONE, .done = OFFER_CANCELLED, .env = UNREADABLE,
     .next = OFFER_STEP_REPORT},
    {.name = "reported", .phase = OFFER_DONE, .done = OFFER_FAILURE, .reported = true,
     .next = OFFER_STEP_FORGET},

    // --- accepted
    {.name = "a new offer", .phase = OFFER_ACCEPTED, .unknown = true, CONFIRMED_1,
     .next = OFFER_STEP_INSTALL},
    {.name = "a new offer, of a known release", .phase = OFFER_ACCEPTED, CONFIRMED_1,
     .next = OFFER_STEP_INSTALL},
    {.name = "an install that was cut off", .phase = OFFER_ACCEPTED, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_PARTIAL, .step = STEP_INSTALLING, .step_slot = A, .next = OFFER_STEP_INSTALL},
    {.name = "an install that was through, and the record cut", .phase = OFFER_ACCEPTED,
     CONFIRMED_1, HAS_2, .step = STEP_INSTALLED, .step_slot = A, .next = OFFER_STEP_INSTALL},
    {.name = "a factory device", .phase = OFFER_ACCEPTED, .next = OFFER_STEP_INSTALL},
    {.name = "the environment cannot be read: install says why", .phase = OFFER_ACCEPTED,
     .env = UNREADABLE, CONFIRMED_1, .next = OFFER_STEP_INSTALL},
    {.name = "it runs already", .phase = OFFER_ACCEPTED, .b = 2, .b_is = CONTENT_CONFIRMED,
     SUCCEEDS, .reason = "already installed"},
    {.name = "it runs already, and the environment cannot be read", .phase = OFFER_ACCEPTED,
     .env = UNREADABLE, .b = 2, .b_is = CONTENT_CONFIRMED, WAITS_TO_READ},
    {.name = "it runs already, as a trial of somebody", .phase = OFFER_ACCEPTED, .env = ON_TRIAL,
     .b = 2, .b_is = CONTENT_INSTALLED, .step = STEP_TRIAL, .step_slot = B, WAITS_ON_TRIAL},
    {.name = "another release is on trial", .phase = OFFER_ACCEPTED, .env = ON_TRIAL, .b = 3,
     .b_is = CONTENT_INSTALLED, .step = STEP_TRIAL, .step_slot = B, WAITS_ON_TRIAL},
    {.name = "another release was confirmed, the journal is behind", .phase = OFFER_ACCEPTED,
     .b = 3, .b_is = CONTENT_INSTALLED, .step = STEP_TRIAL, .step_slot = B, WAITS},
    {.name = "another release boots next, on trial", .phase = OFFER_ACCEPTED, .env = PENDING,
     CONFIRMED_1, .a = 3, .a_is = CONTENT_INSTALLED, A_TRIAL, WAITS_TO_BOOT},
    {.name = "it boots next already, on trial", .phase = OFFER_ACCEPTED, .env = PENDING,
     CONFIRMED_1, HAS_2, A_TRIAL, .next = OFFER_STEP_REBOOT},
    {.name = "it may be what boots next: nobody knows", .phase = OFFER_ACCEPTED, .unknown = true,
     .env = PENDING, CONFIRMED_1, HAS_2, A_TRIAL, WAITS_TO_BOOT},
    {.name = "another release fell back, not recorded", .phase = OFFER_ACCEPTED, .env = SPENT,
     CONFIRMED_1, .a = 3, .a_is = CONTENT_INSTALLED, A_TRIAL, WAITS},
    {.name = "the environment forgot another trial", .phase = OFFER_ACCEPTED, CONFIRMED_1, .a = 3,
     .a_is = CONTENT_INSTALLED, A_TRIAL, WAITS},
    {.name = "the running slot was given up", .phase = OFFER_ACCEPTED, .env = GIVEN_UP, .b = 1,
     .b_is = CONTENT_REJECTED, WAITS_GIVEN_UP},
    {.name = "the running slot has no attempts left", .phase = OFFER_ACCEPTED, .env = WORN_OUT,
     CONFIRMED_1, WAITS_WORN_OUT},
    {.name = "it failed here before", .phase = OFFER_ACCEPTED, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK, .last_release = 2,
     .next = OFFER_STEP_INSTALL},

    // --- installed
    {.name = "installed", .phase = OFFER_INSTALLED, CONFIRMED_1, HAS_2, .step = STEP_INSTALLED,
     .step_slot = A, .next = OFFER_STEP_ACTIVATE},
    {.name = "installed: it was there, the journal has had nothing to say",
     .phase = OFFER_INSTALLED, CONFIRMED_1, HAS_2, .last = OUTCOME_ROLLED_BACK, .last_release = 2,
     .next = OFFER_STEP_ACTIVATE},
    {.name = "installed: and confirmed in that slot long ago", .phase = OFFER_INSTALLED,
     CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED, .next = OFFER_STEP_ACTIVATE},
    {.name = "installed, and found to be what runs", .phase = OFFER_INSTALLED, .target_b = true,
     .b = 2, .b_is = CONTENT_CONFIRMED, SUCCEEDS, .reason = "already installed"},
    {.name = "installed, and activated by hand", .phase = OFFER_INSTALLED, .env = PENDING,
     CONFIRMED_1, HAS_2, A_TRIAL, .next = OFFER_STEP_ACTIVATE},
    {.name = "installed, activated and booted by hand", .phase = OFFER_INSTALLED, .runs_a = true,
     .env = ON_TRIAL, CONFIRMED_1, HAS_2, A_TRIAL, WAITS_ON_TRIAL},
    {.name = "installed, and another one is being installed over it", .phase = OFFER_INSTALLED,
     CONFIRMED_1, .a = 3, .a_is = CONTENT_PARTIAL, .step = STEP_INSTALLING, .step_slot = A,
     BY_HAND},
    {.name = "installed, and begun again by hand", .phase = OFFER_INSTALLED, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_PARTIAL, .step = STEP_INSTALLING, .step_slot = A, .next = OFFER_STEP_INSTALL},
    {.name = "installed, and the journal was lost", .phase = OFFER_INSTALLED,
     .next = OFFER_STEP_INSTALL},
    {.name = "installed, and marked bad by hand", .phase = OFFER_INSTALLED, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_REJECTED, FAILS, .reason = "the reason was not kept"},
    {.name = "installed, the environment cannot be read", .phase = OFFER_INSTALLED,
     .env = UNREADABLE, CONFIRMED_1, HAS_2, WAITS_TO_READ},

    // --- activating
    {.name = "cut before the flip", .phase = OFFER_ACTIVATING, CONFIRMED_1, HAS_2,
     .step = STEP_INSTALLED, .step_slot = A, .next = OFFER_STEP_ACTIVATE},
    {.name = "cut between journal and flip", .phase = OFFER_ACTIVATING, CONFIRMED_1, HAS_2,
     .step = STEP_ACTIVATING, .step_slot = A, .other_boot = true, .next = OFFER_STEP_ACTIVATE},
    {.name = "cut behind the flip, which did not boot", .phase = OFFER_ACTIVATING, .env = PENDING,
     CONFIRMED_1, HAS_2, .step = STEP_ACTIVATING, .step_slot = A, .next = OFFER_STEP_ACTIVATE},
    {.name = "cut behind the flip, and it runs", .phase = OFFER_ACTIVATING, .env = ON_TRIAL,
     .runs_a = true, CONFIRMED_1, HAS_2, .step = STEP_ACTIVATING, .step_slot = A,
     .other_boot = true, WAITS_ON_TRIAL},
    {.name = "cut behind the flip, and it came back", .phase = OFFER_ACTIVATING, .env = TRIED,
     CONFIRMED_1, HAS_2, .step = STEP_ACTIVATING, .step_slot = A, .other_boot = true, WAITS},
    {.name = "activating, the environment cannot be read", .phase = OFFER_ACTIVATING,
     .env = UNREADABLE, CONFIRMED_1, HAS_2, WAITS_TO_READ},

    // --- activated
    {.name = "activated", .phase = OFFER_ACTIVATED, .env = PENDING, CONFIRMED_1, HAS_2, A_TRIAL,
     .next = OFFER_STEP_REBOOT},
    {.name = "activated, and the environment forgot it in the same boot", .phase = OFFER_ACTIVATED,
     CONFIRMED_1, HAS_2, A_TRIAL, .next = OFFER_STEP_ACTIVATE},
    {.name = "activated, and the environment forgot it", .phase = OFFER_ACTIVATED, CONFIRMED_1,
     HAS_2, A_TRIAL, .other_boot = true, WAITS},
    {.name = "activated, and taken back by hand", .phase = OFFER_ACTIVATED, CONFIRMED_1, HAS_2,
     .last = OUTCOME_ROLLED_BACK, .last_release = 2, FAILS, .reason = "reason of the journal"},
    {.name = "activated, and replaced by hand", .phase = OFFER_ACTIVATED, .env = PENDING,
     CONFIRMED_1, .a = 3, .a_is = CONTENT_INSTALLED, A_TRIAL, BY_HAND},
    {.name = "activated, and undone by nobody knows whom", .phase = OFFER_ACTIVATED, CONFIRMED_1,
     HAS_2, .last = OUTCOME_FAILED, .last_release = 3, BY_HAND},
    {.name = "activated, and the running slot was given up", .phase = OFFER_ACTIVATED,
     .env = GIVEN_UP, .b = 1, .b_is = CONTENT_REJECTED, HAS_2, .next = OFFER_STEP_REBOOT},

    // --- rebooting
    {.name = "the reboot has not come yet", .phase = OFFER_REBOOTING, .env = PENDING, CONFIRMED_1,
     HAS_2, A_TRIAL, .next = OFFER_STEP_REBOOT},
    {.name = "a reboot that did not go through the boot loader", .phase = OFFER_REBOOTING,
     .env = PENDING, CONFIRMED_1, HAS_2, A_TRIAL, .other_boot = true, .next = OFFER_STEP_REBOOT},
    {.name = "the trial runs", .phase = OFFER_REBOOTING, .env = ON_TRIAL, .runs_a = true,
     CONFIRMED_1, HAS_2, A_TRIAL, .other_boot = true, WAITS_ON_TRIAL},
    {.name = "the trial of what was confirmed before runs", .phase = OFFER_REBOOTING,
     .env = ON_TRIAL, .runs_a = true, CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED, A_TRIAL,
     .other_boot = true, WAITS_ON_TRIAL},
    {.name = "confirmed", .phase = OFFER_REBOOTING, .runs_a = true, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_CONFIRMED, .last = OUTCOME_CONFIRMED, .last_release = 2, .other_boot = true,
     SUCCEEDS, .reason = ""},
    {.name = "confirmed, and the journal is behind", .phase = OFFER_REBOOTING, .runs_a = true,
     CONFIRMED_1, HAS_2, A_TRIAL, .other_boot = true, WAITS},
    {.name = "confirmed long ago and now again, and the journal is behind",
     .phase = OFFER_REBOOTING, .runs_a = true, CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED,
     A_TRIAL, .other_boot = true, WAITS},
    {.name = "confirmed, and the environment cannot be read", .phase = OFFER_REBOOTING,
     .runs_a = true, .env = UNREADABLE, CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED,
     WAITS_TO_READ},
    {.name = "rejected, not in the environment yet", .phase = OFFER_REBOOTING, .runs_a = true,
     .env = ON_TRIAL, CONFIRMED_1, .a = 2, .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK,
     .last_release = 2, .other_boot = true, WAITS_ON_TRIAL},
    {.name = "rejected, and it still runs", .phase = OFFER_REBOOTING, .runs_a = true,
     .env = GIVEN_UP, CONFIRMED_1, .a = 2, .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK,
     .last_release = 2, .other_boot = true, WAITS_GIVEN_UP},
    {.name = "rejected, and the old system runs", .phase = OFFER_REBOOTING, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK, .last_release = 2, .other_boot = true,
     FAILS, .reason = "reason of the journal"},
    {.name = "rejected, and something else is the last that is on record", .phase = OFFER_REBOOTING,
     CONFIRMED_1, .a = 2, .a_is = CONTENT_REJECTED, .last = OUTCOME_FAILED, .last_release = 3,
     .other_boot = true, FAILS, .reason = "the reason was not kept"},
    {.name = "not healthy, and nothing else would boot", .phase = OFFER_REBOOTING, .runs_a = true,
     .env = ALONE, .b = 1, .b_is = CONTENT_PARTIAL, .a = 2, .a_is = CONTENT_REJECTED,
     .last = OUTCOME_FAILED, .last_release = 2, .other_boot = true, FAILS,
     .reason = "reason of the journal"},
    {.name = "its rejection was forgotten by the environment", .phase = OFFER_REBOOTING,
     .runs_a = true, CONFIRMED_1, .a = 2, .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK,
     .last_release = 2, .other_boot = true, WAITS},
    {.name = "it did not start, not recorded", .phase = OFFER_REBOOTING, .env = TRIED, CONFIRMED_1,
     HAS_2, A_TRIAL, .other_boot = true, WAITS},
    {.name = "it used up its attempts, not recorded", .phase = OFFER_REBOOTING, .env = SPENT,
     CONFIRMED_1, HAS_2, A_TRIAL, .other_boot = true, WAITS},
    {.name = "the fallback is on record, not in the environment", .phase = OFFER_REBOOTING,
     .env = SPENT, CONFIRMED_1, .a = 2, .a_is = CONTENT_REJECTED, .last = OUTCOME_ROLLED_BACK,
     .last_release = 2, .other_boot = true, WAITS},
    {.name = "the environment forgot the trial", .phase = OFFER_REBOOTING, CONFIRMED_1, HAS_2,
     A_TRIAL, .other_boot = true, WAITS},
    {.name = "the flip was lost with what the disk had said", .phase = OFFER_REBOOTING, CONFIRMED_1,
     HAS_2, .step = STEP_ACTIVATING, .step_slot = A, .other_boot = true,
     .next = OFFER_STEP_ACTIVATE},
    {.name = "the environment was lost, and it runs untried", .phase = OFFER_REBOOTING,
     .runs_a = true, CONFIRMED_1, HAS_2, .other_boot = true, .next = OFFER_STEP_INSTALL},
    {.name = "it runs untried, and was installed beside itself", .phase = OFFER_INSTALLED,
     .target_b = true, .runs_a = true, HAS_2, .b = 2, .b_is = CONTENT_INSTALLED,
     .step = STEP_INSTALLED, .step_slot = B, .next = OFFER_STEP_ACTIVATE},
    {.name = "journal lost, the trial runs", .phase = OFFER_REBOOTING, .runs_a = true,
     .env = ON_TRIAL, .other_boot = true, WAITS_ON_TRIAL},
    {.name = "journal lost, and nothing is known of what runs", .phase = OFFER_REBOOTING,
     .runs_a = true, .other_boot = true, .next = OFFER_STEP_INSTALL},
    {.name = "journal lost, and it fell back", .phase = OFFER_REBOOTING, .env = SPENT,
     .other_boot = true, WAITS},
    {.name = "it runs, and the journal takes it for partly written", .phase = OFFER_REBOOTING,
     .runs_a = true, CONFIRMED_1, .a = 2, .a_is = CONTENT_PARTIAL, .other_boot = true, WAITS},
    {.name = "another release was installed and booted by hand", .phase = OFFER_REBOOTING,
     .runs_a = true, CONFIRMED_1, .a = 3, .a_is = CONTENT_CONFIRMED, .other_boot = true, BY_HAND},
    {.name = "another release was booted by hand and is on trial", .phase = OFFER_REBOOTING,
     .runs_a = true, .env = ON_TRIAL, CONFIRMED_1, .a = 3, .a_is = CONTENT_INSTALLED, A_TRIAL,
     .other_boot = true, WAITS_ON_TRIAL},
    {.name = "confirmed, and rolled back by hand, on trial", .phase = OFFER_REBOOTING,
     .env = ON_TRIAL, CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED, .step = STEP_TRIAL,
     .step_slot = B, .other_boot = true, WAITS_ON_TRIAL},
    {.name = "confirmed, and rolled back by hand", .phase = OFFER_REBOOTING, CONFIRMED_1, .a = 2,
     .a_is = CONTENT_CONFIRMED, .last = OUTCOME_CONFIRMED, .last_release = 1, .other_boot = true,
     BY_HAND},
    {.name = "confirmed, and about to be rolled back by hand", .phase = OFFER_REBOOTING,
     .runs_a = true, .env = PENDING, CONFIRMED_1, .a = 2, .a_is = CONTENT_CONFIRMED,
     .step = STEP_TRIAL, .step_slot = B, .other_boot = true, SUCCEEDS, .reason = ""},
    {.name = "rebooting, the environment cannot be read", .phase = OFFER_REBOOTING,
     .env = UNREADABLE, CONFIRMED_1, HAS_2, A_TRIAL, .other_boot = true, WAITS_TO_READ},
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

static struct boot_state boot_of(enum env env, int running)
{
    int other = other_slot(running);
    struct boot_state b = {.next = running, .trial = SLOT_NONE};
    for (int i = 0; i < SLOT_COUNT; i++) {
        b.slots[i].listed = b.slots[i].bootable = true;
        b.slots[i].attempts_left = 3;
    }
    switch (env) {
    case SETTLED:
        break;
    case ALONE:
        b.slots[other].listed = b.slots[other].bootable = false;
        break;
    case GIVEN_UP:
        b.next = other;
        b.slots[running].listed = b.slots[running].bootable = false;
        break;
    case WORN_OUT:
        b.next = other;
        b.slots[running].bootable = false;
        b.slots[running].attempts_left = 0;
        break;
    case ON_TRIAL:
        b.trial = running;
        b.slots[running].attempts_left = 2;
        break;
    case PENDING:
        b.trial = b.next = other;
        break;
    case TRIED:
        b.trial = b.next = other;
        b.slots[other].attempts_left = 2;
        break;
    case SPENT:
        b.trial = other;
        b.slots[other].bootable = false;
        b.slots[other].attempts_left = 0;
        break;
    case UNREADABLE:
        b.next = SLOT_NONE;
        break;
    }
    return b;
}

static struct journal journal_of(const struct row *w)
{
    struct journal j = {.step = w->step, .slot = w->step_slot};
    j.slots[A].content = w->a_is;
    j.slots[A].release = release(w->a);
    j.slots[B].content = w->b_is;
    j.slots[B].release = release(w->b);
    j.last.outcome = w->last;
    j.last.release = release(w->last_release);
    snprintf(j.last.reason, sizeof j.last.reason, "%s",
             w->last == OUTCOME_ROLLED_BACK || w->last == OUTCOME_FAILED ? "reason of the journal"
                                                                         : "");
    return j;
}

static struct offer_record record_of(const struct row *w)
{
    struct offer_record r = offer_record_none();
    r.phase = w->phase;
    r.outcome = w->done;
    r.reported = w->reported;
    r.release_known = !w->unknown;
    r.release = release(w->unknown ? 0 : 2);
    r.target = w->phase > OFFER_ACCEPTED ? (w->target_b ? B : A) : SLOT_NONE;
    snprintf(r.boot_id, sizeof r.boot_id, "%s", w->other_boot ? "before" : "this");
    return r;
}

static struct offer_todo next_of(const struct row *w)
{
    struct journal j = journal_of(w);
    struct offer_record r = record_of(w);
    int running = w->runs_a ? A : B;
    struct offer_facts f = {
        .journal = &j,
        .running = running,
        .boot_known = w->env != UNREADABLE,
        .boot = boot_of(w->env, running),
        .pending = w->env == PENDING,
        .boot_id = "this",
        .failed_checks = "tv_api: HTTP 500",
        .checked_reason = "reason of the journal",
    };
    struct offer_todo todo;
    memset(&todo, 0x5a, sizeof todo);
    offer_step_next(&r, &f, &todo);
    return todo;
}

static void each_row_of_the_table_leads_to_its_step(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *w = &rows[i];
        struct offer_todo todo = next_of(w);
        const char *reason = w->reason != NULL ? w->reason : "";
        bool same =
            todo.step == w->next && todo.outcome == w->outcome &&
            (reason[0] == '\0' ? todo.reason[0] == '\0' : strstr(todo.reason, reason) != NULL);
        if (!same) {
            wrong++;
            print_error("%s (%s):\n  expected %s, %s, '%s'\n       got %s, %s, '%s'\n", w->name,
                        offer_phase_name(w->phase), offer_step_name(w->next),
                        offer_outcome_name(w->outcome), reason, offer_step_name(todo.step),
                        offer_outcome_name(todo.outcome), todo.reason);
        }
    }
    print_message("%zu rows\n", sizeof rows / sizeof rows[0]);
    assert_int_equal(wrong, 0);
}

// Whatever the rest is, in all that the rows have and all that can be made of them.
static void success_is_only_what_runs_and_is_confirmed(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int env = SETTLED; env <= UNREADABLE; env++) {
            for (int flags = 0; flags < 16; flags++) {
                struct row w = rows[i];
                w.env = (enum env)env;
                w.runs_a = (flags & 1) != 0;
                w.other_boot = (flags & 2) != 0;
                w.a_is = (flags & 4) != 0 ? CONTENT_CONFIRMED : w.a_is;
                w.phase = (flags & 8) != 0 && !w.reported ? OFFER_REBOOTING : w.phase;
                struct offer_todo todo = next_of(&w);
                int release = w.runs_a ? w.a : w.b;
                enum slot_content is = w.runs_a ? w.a_is : w.b_is;
                bool runs =
                    release == 2 && is == CONTENT_CONFIRMED && env != ON_TRIAL && env != UNREADABLE;
                if (todo.step == OFFER_STEP_DECIDE && (todo.outcome == OFFER_SUCCESS) != runs) {
                    fail_msg("%s: %s is decided while release %d runs", w.name,
                             offer_outcome_name(todo.outcome), release);
                }
                if (todo.step == OFFER_STEP_WAIT_VERDICT && todo.reason[0] == '\0') {
                    fail_msg("%s: waits, and does not say for what", w.name);
                }
                if ((todo.step == OFFER_STEP_ACTIVATE || todo.step == OFFER_STEP_REBOOT) &&
                    todo.target != (w.runs_a ? B : A) && todo.target != (w.target_b ? B : A)) {
                    fail_msg("%s: %s of slot %d", w.name, offer_step_name(todo.step), todo.target);
                }
                seen += todo.step == OFFER_STEP_DECIDE;
            }
        }
    }
    print_message("%u decisions\n", seen);
    assert_true(seen > 1000);
}

static void failed_checks_are_told_of_the_trial_that_they_ended(void **state)
{
    (void)state;
    struct row w = {.phase = OFFER_REBOOTING,
                    CONFIRMED_1,
                    .a = 2,
                    .a_is = CONTENT_REJECTED,
                    .last = OUTCOME_ROLLED_BACK,
                    .last_release = 2,
                    .other_boot = true};
    struct offer_todo todo = next_of(&w);
    assert_string_equal(todo.failed_checks, "tv_api: HTTP 500");
    w.last_release = 3; // the checks may be of that one
    todo = next_of(&w);
    assert_string_equal(todo.failed_checks, "");
    w = (struct row){.phase = OFFER_INSTALLED, CONFIRMED_1, .a = 3, .a_is = CONTENT_INSTALLED};
    todo = next_of(&w);
    assert_int_equal(todo.outcome, OFFER_FAILURE);
    assert_string_equal(todo.failed_checks, "");
}

static void a_flip_is_in_the_environment(void **state)
{
    (void)state;
    static const struct {
        enum env env;
        bool flipped;
    } flips[] = {{SETTLED, false},  {ALONE, false},    {GIVEN_UP, true},
                 {WORN_OUT, false}, {ON_TRIAL, false}, {PENDING, true},
                 {TRIED, true},     {SPENT, false},    {UNREADABLE, false}};
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        struct row w = {.phase = OFFER_ACTIVATING};
        struct offer_record r = record_of(&w);
        struct offer_facts f = {.running = B,
                                .boot_known = flips[i].env != UNREADABLE,
                                .boot = boot_of(flips[i].env, B)};
        if (offer_is_flipped(&r, &f) != flips[i].flipped) {
            fail_msg("environment %d: expected %d", (int)flips[i].env, flips[i].flipped);
        }
        r.target = SLOT_NONE;
        assert_false(offer_is_flipped(&r, &f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_table_leads_to_its_step),
        cmocka_unit_test(success_is_only_what_runs_and_is_confirmed),
        cmocka_unit_test(failed_checks_are_told_of_the_trial_that_they_ended),
        cmocka_unit_test(a_flip_is_in_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
