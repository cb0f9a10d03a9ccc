// SPDX-License-Identifier: Apache-2.0
// A state directory on a file system that a test fills up: reads go to the store below, and writes
// as long as there is room.
#ifndef TESTS_SUPPORT_FULL_STATE_H
#define TESTS_SUPPORT_FULL_STATE_H

#include "updater/state_dir.h"

struct full_state {
    struct state_store base;
    struct state_store *below; // closed with this one
    const char *full_for;      // a record that has no room; "": none has. NULL: all have
    unsigned refused;          // writes, since it was made
};

struct full_state full_state_make(struct state_store *below);

#endif
