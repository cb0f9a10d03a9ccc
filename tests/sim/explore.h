// SPDX-License-Identifier: Apache-2.0
// All that can happen to a life: a cut at each of its moments with each outcome, cuts during the
// recovery and during the recovery from that, lost environments and records, and every call that
// can fail.
//
// A state is a life, a cut in it, what became of each pending piece, and the same of every nested
// cut; or a life and a call that failed. Each is followed by boots, recovery to the end, and the
// invariants.
//
// A state is named by a token, which is all that --replay needs:
//     LIFE:                                        none: what it is like undisturbed
//     LIFE:MOMENT.OUTCOME[/MOMENT.OUTCOME...]      cuts
//     LIFE:!SEAM.CALL.ERRNO.PART.AFTER             a failing call, which did a part of its work or
//                                                  not; then the command again, a cut, a reboot
//     LIFE:!SEAM.CALL.ERRNO.PART.AFTER/MOMENT.OUTCOME...   and a cut in that
#ifndef TESTS_SIM_EXPLORE_H
#define TESTS_SIM_EXPLORE_H

#include "tests/sim/invariants.h"
#include "tests/sim/life.h"

struct tally {
    uint64_t states[STEPS + 1]; // by the numbered step of the cut or failure; 0: between steps
    uint64_t cuts[STEPS + 1];   // moments that were cut
    uint64_t nested[STEPS + 1]; // states with a second or third cut
    uint64_t failures[STEPS + 1];
    uint64_t real_states;  // through the real libubootenv
    uint64_t bytes_states; // with the releases of sim_kit_bytes.h
    uint64_t violations[FINDING_INVARIANTS + 1];
    struct findings findings; // of the subject at hand, and the state it is in
};

struct explore_options {
    uint64_t seed;
    unsigned per_mille;      // of the outcomes that are tried; each moment gets one at least
    unsigned nest_per_mille; // of the states whose recovery is cut again
    unsigned failure_stride; // every so many calls, one is made to fail; 0: none
    unsigned memory_stride;  // of allocations, the same
    unsigned until; // bit i: a subject ends at its first moment or call that violates invariant i
};

struct subject {
    const struct life *life;
    struct world_shape shape;
    const char *shape_name;
    const struct sim_kit *kit;
};

// LIFE in a token: "update-order-512".
void subject_name(const struct subject *s, char *ret, size_t size);
// The whole of one subject. A state that does not end is ended by SIGALRM.
void explore(const struct subject *subject, const struct explore_options *options,
             struct tally *tally);
// One state of it, by the part of its token behind the colon. False: no such state.
bool explore_again(const struct subject *subject, const struct explore_options *options,
                   const char *state, struct tally *tally);

#endif
