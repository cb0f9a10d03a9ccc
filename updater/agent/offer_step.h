// SPDX-License-Identifier: Apache-2.0
// What to do next about an offer: from its record and from what is true of the device. Pure.
//
// R: the running slot, T: the other one. "Has it": by the journal the slot holds the release of the
// offer, as a whole. The first line that fits:
//
//   phase      | the device                                   | next
//   -----------+----------------------------------------------+-----------------------------------
//   none       |                                              | nothing
//   done       | reported / not reported                      | forget / report
//   any        | R has it, and is on trial, or its verdict is | wait
//              |   not on record, or R was given up           |
//   any        | R has it, confirmed                          | decide: success
//   any        | R has it, rejected, and nothing else boots   | decide: failure
//   any        | R has it, and was never tried: the           | install (into T, with a trial),
//              |   environment was lost                       |   then as if R had another release
//   accepted   | T pending, and has it                        | reboot
//              | some other trial, or its end not on record   | wait
//              | anything else                                | install
//   > accepted | R on trial, or its verdict not on record     | wait
//              | R has another release, and was the target    | decide: failure, replaced by hand
//              | T has another release                        | decide: failure, replaced by hand
//   installed, | T pending (never tried), or R was given up   | activate (stores nothing new)
//   activating |                                              |
//   > activa-  | T pending (never tried), or R was given up   | reboot
//   ting       |                                              |
//   > accepted | T tried, and `confirm` has not recorded it   | wait
//              | T unknown (journal lost) or partly written   | install
//              | T has it, rejected                           | decide: failure, and why
//   installed, | T has it                                     | activate
//   activating |                                              |
//   > activa-  | T has it, the flip is gone from the          | activate in the boot in which it
//   ting       |   environment, not from the journal          |   was done, else wait for `confirm`
//              | T has it, the flip never came to be          | activate
//              | T has it, taken back by the operator         | decide: failure, and why
//              | T has it, and R was made the good one        | decide: failure, replaced by hand
//
// While the environment cannot be read, whatever may depend on it is waited for. Each wait says for
// what.
//
// Invariants
// 1. Success is decided only while the release of the offer runs and is confirmed.
// 2. Failure is decided only when nothing is left that would make the device run it by itself.
// 3. The same facts give the same step; each step, done, changes the record or the facts.
#ifndef UPDATER_AGENT_OFFER_STEP_H
#define UPDATER_AGENT_OFFER_STEP_H

#include "updater/agent/offer_record.h"
#include "updater/device.h"

struct offer_facts {
    const struct journal *journal;
    int running;
    bool boot_known;         // the environment could be read
    struct error boot_error; // why it could not, else
    struct boot_state boot;
    bool pending; // T is on trial, boots next and was never started: trial_is_pending()
    char boot_id[BOOT_ID_SIZE];
    // Of the health checks that were asked last, those that failed a trial, and the reason they
    // were told to be: the journal has the same one if it was this trial.
    char failed_checks[OFFER_CHECKS_SIZE];
    char checked_reason[OFFER_REASON_SIZE];
};

enum offer_step {
    OFFER_STEP_NOTHING,
    OFFER_STEP_INSTALL,
    OFFER_STEP_ACTIVATE,
    OFFER_STEP_REBOOT,
    OFFER_STEP_WAIT_VERDICT, // of `confirm`, a reboot by hand, an environment that can be read
    OFFER_STEP_DECIDE,
    OFFER_STEP_REPORT,
    OFFER_STEP_FORGET,
};

struct offer_todo {
    enum offer_step step;
    int target;                     // of ACTIVATE and REBOOT: the slot that is to be tried
    enum offer_outcome outcome;     // of DECIDE
    char reason[OFFER_REASON_SIZE]; // of DECIDE; of WAIT_VERDICT: for what, a sentence
    char failed_checks[OFFER_CHECKS_SIZE];
};

void offer_step_next(const struct offer_record *r, const struct offer_facts *f,
                     struct offer_todo *ret);

// The running slot is not on trial: its verdict is in the environment and in the journal.
bool offer_is_settled(const struct offer_facts *f);
// What is reported as a success.
bool offer_runs_confirmed(const struct offer_record *r, const struct offer_facts *f);
// Why a release that is accepted or further cannot be called off: the device would run it all the
// same, or does, or did. NULL: it can be, nothing but a next step would make the device run it.
const char *offer_step_keeps(const struct offer_record *r, const struct offer_facts *f);
// The flip is in the environment: the target boots next.
bool offer_is_flipped(const struct offer_record *r, const struct offer_facts *f);

const char *offer_step_name(enum offer_step step);

#endif
