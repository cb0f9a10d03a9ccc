// SPDX-License-Identifier: Apache-2.0
// What a person says about a slot, against what the checks say: good, bad, or the one to boot next.
//
// Rules
// 1. Good: the running slot only. On trial it is confirmed, without health checks.
// 2. Bad: the slot does not boot any more, unless it is the last one that would. For the running
//    slot the other one has to be known to boot: it is the one that ran before this trial, or it
//    was confirmed once and every byte of it is right.
// 3. Active: the slot boots next, on trial; of the running slot: a trial that waits is taken back.
// 4. What is returned as done was read back from the environment.
#ifndef UPDATER_MARK_H
#define UPDATER_MARK_H

#include "updater/device.h"

enum mark_word { MARK_GOOD, MARK_BAD, MARK_ACTIVE };

// ERR_USAGE for anything but "good", "bad" and "active".
MUST_CHECK enum err mark_word_parse(const char *text, enum mark_word *ret, struct error *e);
// The slot that is meant. NULL: the running one, for MARK_ACTIVE the other. ERR_USAGE when there is
// no slot of this name.
MUST_CHECK enum err mark_slot_parse(const struct device *d, enum mark_word word, const char *name,
                                    int *ret_slot, struct error *e);

// ERR_NOT_NOW when a rule above says no; nothing is stored then.
MUST_CHECK enum err mark_run(struct device *d, enum mark_word word, int slot, struct error *e);

#endif
