// SPDX-License-Identifier: Apache-2.0
// A boot environment in memory, with counters and failures to order: the simulated back end of the
// seam in bootloader/bootenv.h.
//
//     struct env_sim sim;
//     env_sim_init(&sim);
//     boot_decide(&setup, &sim.base, ...);
//     env_sim_free(&sim);
#ifndef TESTS_SUPPORT_ENV_SIM_H
#define TESTS_SUPPORT_ENV_SIM_H

#include "bootloader/bootenv.h"
#include "bootloader/env_vars.h"

enum env_sim_cut {
    ENV_SIM_CUT_BEFORE, // the failing commit() left the old variables on the medium
    ENV_SIM_CUT_AFTER,  // it stored the new ones, and failed then
};

struct env_sim {
    struct bootenv base;
    struct env_vars medium; // survives close, as a medium does
    struct env_vars older;  // what the copy that is not in force says
    struct env_vars meant;
    bool loaded;
    bool lost; // both copies are damaged: load() fails

    unsigned loads;
    unsigned stores;
    unsigned calls;   // of load(), set() and commit()
    unsigned fail_at; // the call with this number (from 1) fails with ERR_IO; 0: none
    enum env_sim_cut cut;
};

void env_sim_init(struct env_sim *sim);
void env_sim_free(struct env_sim *sim);

// Straight to and from the medium, uncounted; NULL deletes, NULL means absent. Put into both
// copies.
void env_sim_put(struct env_sim *sim, const char *name, const char *value);
const char *env_sim_stored(const struct env_sim *sim, const char *name);

#endif
