// SPDX-License-Identifier: Apache-2.0
// The invariants of docs/crash-safety.md, by their numbers, in the one place that checks them.
//
//   I1  some slot boots whose content is a whole release
//   I2  no slot that can boot holds anything else, even with both copies of the environment lost
//   I3  the environment has a valid copy, all of it from one store, one store a decision, and
//       variables that are not ours keep every byte
//   I4  a resume mark never claims a chunk whose bytes differ
//   I5  without confirm the old slot runs in the end, with confirm the new one; no third outcome
//   I6  no floor is above that of the newest release that was confirmed
//   I7  nothing changes but the target slot, the environment and the state directory
//   I8  what is made bootable was read back from the medium, every byte, since it was written
//   I9  the same command again ends in the same state, and does nothing when all is done
//   I10 what is in place is not written again after a cut (test_resume.py counts what is fetched)
//   I11 of each offer there is exactly one final report, and it says what runs (offers.h)
#ifndef TESTS_SIM_INVARIANTS_H
#define TESTS_SIM_INVARIANTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;

enum { FINDING_TOKEN_SIZE = 160, FINDINGS_SHOWN = 40, FINDING_INVARIANTS = 11 };

struct findings {
    uint64_t seed;
    char subject[64];
    char token[FINDING_TOKEN_SIZE]; // of the state at hand, see explore.h
    unsigned found;                 // bit i: a violation of invariant i
    uint64_t violations[FINDING_INVARIANTS + 1];
    unsigned shown;
    bool verbose;
};

void violated(struct world *w, int invariant, const char *fmt, ...) PRINTF_LIKE(3, 4);

// What happens, for who replays a state.
void narrate(const struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

// After a cut, when nothing runs yet: I2, I3, I4, I6.
void check_media(struct world *w);
// When the boot loader has started a slot, or none: I1.
void check_boot(struct world *w);
// Before the store that makes `slot` the next to boot: I8.
void check_flip(struct world *w, int slot);
// After a process, which was an install or something that leaves the slots alone: I7, and of I3
// that it stored `decisions` times at most.
void check_process(struct world *w, unsigned decisions, bool installs);
// After an install: I10, as far as a small slot can show it. `needed`: bytes behind the heads that
// were not in place before. `whole`: the slot was, and nothing of it may be written, heads neither.
void check_work(struct world *w, uint64_t needed, bool whole);

#endif
