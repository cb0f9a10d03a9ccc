// SPDX-License-Identifier: Apache-2.0
// After a boot: keeps a trial that is healthy, rejects one that is not, notices that the boot
// loader fell back, and otherwise puts the attempts right.
//
// What is found after a restart, and what is done (R: the running slot, K: the other one):
//
//   environment   | journal                     | done
//   --------------+-----------------------------+------------------------------------------------
//   R on trial    | R rejected (not stored yet) | the rejection is stored, the reboot command run
//   R on trial    | anything else               | health checks decide
//   K on trial    | anything; K never tried     | nothing
//   K on trial    | anything; K tried           | K is rejected: the boot loader fell back
//   no trial,     | R rejected, or about to     | the reboot command is run (again)
//   K boots next  |   try R                     |
//   no trial      | about to try R              | R was confirmed and the journal is behind:
//                 |                             |   confirmed again (stores nothing new)
//   no trial, no  | about to try R              | the environment was lost, and with it the trial:
//   vv_floor      |                             |   health checks decide
//   no trial, no  | R rejected                  | the environment was lost, and with it the
//   vv_floor, K   |                             |   rejection: it is stored, the reboot command run
//   boots as well |                             |   (contract bootcount: K is taken to boot)
//   no trial      | K on trial                  | the environment forgot the trial of K, or its end
//                 |                             |   was not recorded: K is rejected, saying so
//   no trial      | activating K                | the flip was never stored: attempts put right
//   no trial,     | R rejected                  | R was the last bootable slot and went on, or the
//   only R boots  |                             |   boot loader came back from K: health checks
//                 |                             |   decide again; bad: R goes on, no reboot
//   no trial      | anything else               | attempts put right, and a floor that was lost
//
// Before all of that: that R is partly written, which the journal may say, is put right.
//
// Invariants
// 1. What is printed or returned as done was read back from the environment.
// 2. The result and its reason are in the journal before the environment is changed to "reject", so
//    that the old system can tell.
// 3. Running it again ends in the same state.
// 4. A trial is never rejected when the other slot is partly written: the journal says so and its
//    bytes are not those of its record. The running slot goes on alone instead, not on trial, so
//    that another release can be installed; the other slot is not made bootable.
#ifndef UPDATER_CONFIRM_H
#define UPDATER_CONFIRM_H

#include "updater/device.h"
#include "updater/health.h"

enum confirm_outcome {
    CONFIRM_CONFIRMED,     // the trial was healthy and is kept
    CONFIRM_REJECTED,      // the trial was not healthy; the reboot command was run
    CONFIRM_FELL_BACK,     // the boot loader had given the trial up; recorded
    CONFIRM_NOT_ON_TRIAL,  // nothing to decide; attempts put right if they differed
    CONFIRM_TRIAL_PENDING, // the other slot is on trial and was not tried yet
    CONFIRM_LAST_SLOT,     // not healthy, and nothing else would boot: goes on, no reboot
};

// ERR_HEALTH with CONFIRM_REJECTED and CONFIRM_LAST_SLOT, which are set then too; ERR_IO with
// CONFIRM_REJECTED when the reboot command failed: whoever ran this has to. Every other outcome is
// OK.
MUST_CHECK enum err confirm_run(struct device *d, enum confirm_outcome *ret_outcome,
                                struct error *e);

#endif
