// SPDX-License-Identifier: Apache-2.0
// How a trial ends, for whoever decides it (confirm, rollback, mark): kept, rejected, or taken back
// before it began. Each is one store of the environment and one record of the journal.
//
// Invariants
// 1. Kept: the environment first, then the journal. A restart in between finds a journal that is
//    behind; confirm.c says how it is put right.
// 2. Rejected and taken back: the journal first, so that the old system can tell why; a journal
//    that cannot be written is warned about and does not keep a bad system running.
// 3. The release floors are raised by keeping only, to what the signed head in the slot's record
//    says; what one of their two places has lost comes back from the other. Certificate expiry does
//    not matter there. The time floor is raised to the release's
//    `created`, never past the end of a certificate that signed it (docs/trust.md, "Clocks").
// 4. The journal is a hint: that a slot is only partly written is believed once its bytes differ
//    from its record, and never of the slot that runs.
#ifndef UPDATER_TRIAL_H
#define UPDATER_TRIAL_H

#include "updater/device.h"

// What slot `slot` holds, by the journal, else by the slot's record; all zeros when unknown or when
// it is partly written.
struct release_id trial_release(struct device *d, int slot);

// "release 2.0 in slot b", or "slot b".
enum { TRIAL_TEXT_SIZE = 2 * NAME_MAX_LEN + 24 };
const char *trial_text(struct device *d, int slot, char buf[TRIAL_TEXT_SIZE]);

// The attempts the slot on trial began with, by the journal, else as configured now.
unsigned trial_attempts(const struct device *d, const struct boot_state *boot);

// The slot on trial boots next and was never started: all its attempts are left.
bool trial_is_pending(const struct device *d, const struct boot_state *boot);

// By the journal the running slot is about to be tried: its trial, when there is none any more,
// ended without a record.
bool trial_end_is_unrecorded(const struct device *d);

// The environment has lost that the running slot is on trial, or that it was rejected: the journal
// says so still, and vv_floor, which every confirmation leaves, is not there. A rejection does not
// count when the boot loader came back because the other slot does not boot any more.
bool trial_was_forgotten(const struct device *d, const struct boot_state *boot);

// A running slot that the journal takes for partly written: the journal is put right, from its
// record if every byte agrees with it, else to "unknown". Only warned about when it cannot be
// saved.
void trial_correct_running(struct device *d);

// The running slot is good from now on. One that was never written by us (no record, unknown to the
// journal) stays a factory slot.
MUST_CHECK enum err trial_keep(struct device *d, struct error *e);

// Nothing is decided about the running slot: it gets its attempts back. While it is a confirmed
// one, what was lost of the release floor comes back too, and in the same store the other slot is
// given up when the journal has it rejected or partly written.
MUST_CHECK enum err trial_settle(struct device *d, struct error *e);

// `slot` does not boot any more. ERR_NOT_NOW, and nothing stored, when the other slot is partly
// written, see trial_check_other(): then nothing would boot.
MUST_CHECK enum err trial_reject(struct device *d, int slot, const char *reason, struct error *e);
// The check alone. What the journal calls partly written is read whole; if it agrees with its
// record it is whole, and the journal in memory says so from then on. Any other error than
// ERR_NOT_NOW: it could not be found out.
MUST_CHECK enum err trial_check_other(struct device *d, int slot, struct error *e);
// trial_reject() of `slot` got as far as the journal, at least.
bool trial_is_rejected(const struct device *d, int slot);

// The running slot is not healthy, and nothing else would boot: it alone boots from now on, and is
// not on trial, because the boot loader takes a slot out whose trial has used up its attempts. The
// journal has it as rejected, so that it never counts as confirmed.
MUST_CHECK enum err trial_go_on_alone(struct device *d, const char *reason, struct error *e);

// Ends the trial of the other slot, as reject. What it holds is as good as it was before if it was
// never started, else bad.
MUST_CHECK enum err trial_take_back(struct device *d, const struct boot_state *boot,
                                    struct error *e);

#endif
