// SPDX-License-Identifier: Apache-2.0
// The invariants of docs/crash-safety.md on the card of a board that is off, by the numbers of
// tests/sim/invariants.h:
//
//   I1  by the model of the boot script a slot boots, and it holds a whole release
//   I2  a slot with a superblock, or one that the environment names, holds a whole release; and
//       something whole boots with both copies of the environment lost
//   I3  the environment has a valid copy; its variables are those that a whole store left; those of
//       the board keep every byte, and there are no others
//   I4  the journal can be read, and does not vanish; it claims chunks only that are there, and
//       whole slots only that are
//   I6  no floor is above that of what was confirmed; in the environment none is below it, and none
//       is below that of the store before
//   I7  nothing changes but target slot, environment and data partition
//
// The real parts read: env_image.c, boot_state.c, boot_model.c, journal.c, the chunk table. I5, I8,
// I9 and I10 are about what runs, not about what lies there.
#ifndef TESTS_BOARD_CARD_CHECK_H
#define TESTS_BOARD_CARD_CHECK_H

#include "bootloader/env_vars.h"
#include "tests/board/card.h"
#include "tests/board/ext4_view.h"
#include "tests/sim/invariants.h"
#include "updater/journal.h"

enum { KNOWN_STORES_MAX = 64 };

struct card_check {
    struct card *card;
    const char *name; // of a recording that is kept and can be looked at again; NULL: it is not
    char state[64];   // the name of the state at hand
    int step;         // of docs/crash-safety.md
    bool verbose;
    uint64_t states, violations[FINDING_INVARIANTS + 1];
    unsigned shown;

    // What the environment and the data partition say, read again when they have changed.
    uint64_t env_seen, data_seen;
    struct env_vars env;
    bool env_valid;
    struct boot_state boot;
    int boots; // by the model, for this environment and these slots
    unsigned mountable_seen;
    struct ext4_view view;
    struct journal journal;
    bool journal_read; // or there is none, which is an idle one
    bool journal_there;
    bool journal_wanted; // in this state, by the caller: it was on the medium before
    struct error journal_error;

    struct env_vars board; // variables that are nobody's but the board's
    struct env_vars known[KNOWN_STORES_MAX];
    size_t known_count;
    uint64_t floor_seen; // the highest that any of them left
};

// `c->card` is set, and `c->name` if there is one. Takes note of the board's own variables.
MUST_CHECK enum err card_check_begin(struct card_check *c, struct error *e);
void card_check_end(struct card_check *c);
// The environment, as it is now, is what a whole store has left.
MUST_CHECK enum err card_check_known(struct card_check *c, struct error *e);

// The state at hand, which has this name: all of the above but I7.
MUST_CHECK enum err card_check_state(struct card_check *c, const char *name, struct error *e);
// A write of the recording, made when the step at hand was the last one begun: I7.
void card_check_write(struct card_check *c, uint64_t off, uint64_t len);
// Reads environment and journal.
MUST_CHECK enum err card_check_look(struct card_check *c, struct error *e);

#endif
