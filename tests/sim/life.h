// SPDX-License-Identifier: Apache-2.0
// The lives of simulated devices: what is done to one, what it must come to whatever happens, and
// how it gets there after a cut or a failure.
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include "tests/sim/world.h"

enum life_op {
    OP_END,
    OP_INSTALL, // and activate
    OP_STAGE,   // install without activating
    OP_ACTIVATE,
    OP_BOOT,
    OP_AGENT,   // a run of it; `release`: the enum offer_step whose gate is shut
    OP_PUBLISH, // the second offer
    OP_CANCEL,  // of the offer at hand
    OP_CONFIRM,
    OP_ROLLBACK,
    OP_MARK_GOOD,
    OP_MARK_BAD,
    OP_ROT,     // of the other slot
    OP_REPLACE, // of what is in the running slot, by other means
};

struct life_step {
    enum life_op op;
    int release; // of OP_INSTALL, OP_STAGE
    bool tried;  // it need not go well: the device may refuse
};

enum { LIFE_STEPS_MAX = 12 };

// Of `ends_with`.
#define RUNS(release) (1u << (release))

struct life {
    const char *name;
    struct life_step setup[LIFE_STEPS_MAX]; // before the story begins
    struct life_step steps[LIFE_STEPS_MAX]; // the story: cut at each of its moments
    // What whoever drives the device still wants after a cut, until it has it.
    struct life_step wish;
    // Releases that the server offers to the agent, and whether an operator meddles with its work.
    int offered[SIM_OFFERS];
    bool named; // the agent knows which release it is before it is installed
    bool meddled;
    int sick;           // the release whose services are not healthy; 0: none
    int dead;           // the release whose kernel does not start; 0: none
    bool hangs;         // the sick release never comes to its health checks
    bool recovers;      // it is sick at its first health checks only
    bool polls;         // somebody asks for another release whenever the sick one runs
    unsigned ends_with; // bit i: release i may run in the end
    // It is about the releases of sim_kit_bytes.h; which pack stands beside the patched one.
    bool bytes;
    enum sim_pack_kind pack;
};

extern const struct life lives[];
extern const size_t lives_count;

// The device of the life, at the beginning of its story.
struct world *life_begin(const struct life *l, const struct world_shape *shape,
                         const struct sim_kit *kit, struct findings *findings);
// One step of the story. `must`: it has to go well, else that is violated.
enum err life_step(struct world *w, const struct life_step *s, bool must, struct error *e);
// The story to its end, or to the first step that fails; returns its index, or -1. `must`: none may
// fail, and the end has to be the one that was meant.
int life_tell(struct world *w, const struct life *l, bool must);
// From power on: boots, confirmation, the wish, until all is done; then I5, I9 and I10.
void life_recover(struct world *w, const struct life *l);

#endif
