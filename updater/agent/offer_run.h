// SPDX-License-Identifier: Apache-2.0
// An offer from its acceptance to the acknowledged report, for whoever does the work: the agent
// with child processes in its event loop, the crash sweep one step after the other.
//
//   offer_open
//   again and again: offer_look, offer_next; unless there is nothing to do but to wait:
//       offer_begin; install, activate, reboot or report, for as long as it takes; offer_ended
//
// DECIDE and FORGET are done by offer_begin() alone; WAIT_VERDICT and NOTHING are not begun.
// A gate that is closed is asked between offer_next() and offer_begin(): nothing is on record then.
//
// Invariants
// 1. What is about to be done is on record when offer_begin() returns OK; if it fails it must not
//    be done.
// 2. Outcome, reason and time of the final report are on record before it is sent and never change
//    afterwards, so that one which is sent again is the same; `reported` is on record only after
//    the source has acknowledged it.
// 3. There is one offer at a time: another one is refused until the report of the first is
//    acknowledged.
// 4. The record in memory is what is on record, also when a save failed (then: what was there
//    before, or what was to be there, and the next one writes it again).
#ifndef UPDATER_AGENT_OFFER_RUN_H
#define UPDATER_AGENT_OFFER_RUN_H

#include "updater/agent/offer_step.h"

// An install or a flip is tried so often while what fails says nothing of the release: the network,
// a process that was killed, a configuration that a person is just writing. The second number is
// for the media of this device, and while it is not even known of which release the image is (a
// head that was damaged on its way, a file that is still being copied), because nobody could say
// then that it does not run already.
enum { OFFER_TRIES_MAX = 10, OFFER_BLIND_MAX = 3 };

struct offer_run {
    struct state_store *state; // borrowed
    const struct clock *clock; // borrowed
    char boot_id[BOOT_ID_SIZE];
    struct offer_record record;
};

// How a step ended.
struct offer_end {
    enum err err;
    const char *reason;        // unless OK: one sentence
    struct release_id release; // of INSTALL, also when it failed; all zeros: it was not known yet
    int target;                // of INSTALL, OK: the slot that has it now, which may be the running
    uint64_t fetched_bytes;    // of INSTALL: for the release, by this one and those before it
};

MUST_CHECK enum err offer_open(struct offer_run *o, struct state_store *state,
                               const struct clock *clock, const char *boot_id, struct error *e);

// What is true of the device now. Reads the environment and the health record; the journal is the
// one of `d`, and stays there.
void offer_look(const struct offer_run *o, struct device *d, struct offer_facts *ret);

// `release`: NULL while it is not known. ERR_AGAIN: another offer is at hand. ERR_FORMAT: a text
// that no report could repeat (too long, not UTF-8, or no id at all). The same offer again is OK
// and changes nothing, however far it is.
MUST_CHECK enum err offer_accept(struct offer_run *o, const struct offer *offer,
                                 const struct release_id *release, struct error *e);

// Decided: cancelled. `f`: what is true now. An install may go on, which flips nothing, and is
// stopped behind this; an activation must not. ERR_NOT_NOW: nothing is to be cancelled, or it is
// past the point of no return, which is the flip, whoever did it.
MUST_CHECK enum err offer_cancel(struct offer_run *o, const struct offer_facts *f,
                                 const char *reason, struct error *e);

// A person agrees to the offer at hand, for good. ERR_NOT_NOW: there is none, or it is decided.
MUST_CHECK enum err offer_consent(struct offer_run *o, struct error *e);

void offer_next(const struct offer_run *o, const struct offer_facts *f, struct offer_todo *ret);

MUST_CHECK enum err offer_begin(struct offer_run *o, const struct offer_todo *todo,
                                struct error *e);

// `f`: what is true behind the step. A busy lock, a reboot command that failed, a report that was
// not acknowledged change nothing: the next step is the same again, and the caller waits before it.
// So it is for as many tries as above where the error is not the release's. Any other error of
// install and activate decides the offer, unless the flip went through all the same.
MUST_CHECK enum err offer_ended(struct offer_run *o, enum offer_step step,
                                const struct offer_end *end, const struct offer_facts *f,
                                struct error *e);

#endif
