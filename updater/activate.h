// SPDX-License-Identifier: Apache-2.0
// Making a slot the next to boot, on trial. `install`, `activate`, `rollback` and `mark active` all
// end here.
//
// Invariants
// 1. A slot is made bootable only after every byte of it was read and found equal to its stored
//    chunk table, whose signed head was verified again; else ERR_NOT_NOW, nothing stored.
//    The one exception is rollback to a factory slot that was never written by us
//    (ACTIVATE_FACTORY_ALLOWED): no record, and either the journal knows updates but none of this
//    slot, or nobody knows of any (nor does the environment) and some partition has
//    something where a superblock can stand.
// 2. The flip is one store; the journal names it before.
#ifndef UPDATER_ACTIVATE_H
#define UPDATER_ACTIVATE_H

#include "updater/device.h"

enum activate_mode {
    ACTIVATE_VERIFY,          // read the whole slot first
    ACTIVATE_JUST_READ_BACK,  // the install that calls this has just read every byte back
    ACTIVATE_FACTORY_ALLOWED, // as VERIFY, but a slot without a record that we never wrote is let
                              // by
};

// `slot` must not be the running one. OK, and nothing stored, when it is on trial already, or boots
// next because the running one was given up: another trial would make that one bootable again.
MUST_CHECK enum err activate_slot(struct device *d, int slot, enum activate_mode mode,
                                  struct error *e);

// Reads the whole slot against its stored record; ERR_NOT_NOW when there is none or a byte differs.
// `*ret_release` says what it holds.
MUST_CHECK enum err activate_verify_slot(struct device *d, int slot, struct release_id *ret_release,
                                         struct error *e);

#endif
