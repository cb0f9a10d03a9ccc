// SPDX-License-Identifier: Apache-2.0
// What runs, what each slot holds and what happens next, from the boot environment, the journal and
// the running slot.
//
// Invariants
// 1. Nothing is changed, and no lock is held.
// 2. What cannot be told is "unknown", never a guess; an unreadable environment does not hide what
//    the journal knows.
//
//   state      | the rule, first line that fits
//   -----------+---------------------------------------------------------------------------------
//   trial      | vv_trial names it, and the boot loader has not given it up
//   bad        | it was given up, or failed its health checks
//   good/bad   | the running slot: good, but with contract order bad when BOOT_ORDER leaves it out
//   bad        | an install into it began and did not end
//   installed  | whole, never confirmed
//   unknown    | never written by us: whether it boots, and what, nobody has seen
//   good/bad   | was confirmed: good, but with contract order bad when BOOT_ORDER leaves it out
#ifndef UPDATER_STATUS_H
#define UPDATER_STATUS_H

#include "updater/device.h"

enum slot_state {
    SLOT_STATE_UNKNOWN,
    SLOT_STATE_GOOD,
    SLOT_STATE_BAD,
    SLOT_STATE_TRIAL,
    SLOT_STATE_INSTALLED,
};

enum { STATUS_WARNINGS_MAX = 8 };

struct status {
    bool boot_known;         // the boot environment could be read
    struct boot_state boot;  // only then
    struct error boot_error; // only else
    unsigned copies_total, copies_good;
    enum slot_state slots[SLOT_COUNT];
    bool fell_back; // the boot loader gave the trial up and started this slot
    bool under_way; // another process changes a slot right now
    int percent;    // of an install, -1: not known
    uint64_t floor; // the one in force
    char summary[1024];
    size_t warning_count;
    const char *warnings[STATUS_WARNINGS_MAX];
};

const char *slot_state_name(enum slot_state state);

// The rule above. `running` may not be SLOT_NONE.
enum slot_state status_slot_state(const struct boot_setup *setup, const struct boot_state *boot,
                                  const struct journal *journal, int running, int slot);

// The slot on trial is not the running one, and has no attempts left.
bool status_fell_back(const struct boot_state *boot, int running);

// Reads everything; an environment that cannot be read is in the status, not an error.
void status_read(struct device *d, struct status *ret);

#endif
