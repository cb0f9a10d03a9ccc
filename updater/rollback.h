// SPDX-License-Identifier: Apache-2.0
// Back to the other slot, because a person says so. The release floor does not matter here.
//
// Invariants
// 1. A slot that did not run before this one is booted on trial, after every byte of it was read
//    (activate.h), so that health checks apply to going back as well.
// 2. What is returned as done was read back from the environment. Nothing is rebooted here.
#ifndef UPDATER_ROLLBACK_H
#define UPDATER_ROLLBACK_H

#include "updater/device.h"

enum rollback_outcome {
    ROLLBACK_REJECTED,   // the running slot was on trial: the other one boots next
    ROLLBACK_TAKEN_BACK, // the other slot was on trial: the running one goes on
    ROLLBACK_ACTIVATED,  // nothing was on trial: the other slot boots next, on trial
    ROLLBACK_ALREADY,    // the running slot was given up before: the other one boots next
};

// ERR_NOT_NOW when the other slot does not hold a release that was verified again, and is not as it
// left the factory.
MUST_CHECK enum err rollback_run(struct device *d, enum rollback_outcome *ret_outcome,
                                 struct error *e);

#endif
