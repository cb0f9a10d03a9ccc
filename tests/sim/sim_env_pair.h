// SPDX-License-Identifier: Apache-2.0
// The simulated and the real back end side by side: each on a disk of its own, given the same
// calls, and held equal after each. What differs fails the running test.
#ifndef TESTS_SIM_SIM_ENV_PAIR_H
#define TESTS_SIM_SIM_ENV_PAIR_H

#include "tests/sim/sim_env.h"
#include "tests/sim/sim_env_real.h"

// One device twice: side 0 has the simulated back end, side 1 the real one.
struct env_side {
    struct sim sim;
    struct sim_disk disk;
    struct bootenv *env;
    struct sim_disk torn; // the disk as it was with a store pending
    bool was_torn;
};

struct env_pair {
    struct env_side sides[2];
    struct sim_env sim_env;
    struct sim_env_real real;
};

// Names to set and ask for: ours, foreign ones and ones that are nowhere.
enum { ENV_PAIR_NAMES = 13 };
extern const char *const env_pair_names[];

// Set-up and tear-down of a test, whose state is then the pair.
int env_pair_make(void **state);
int env_pair_remove(void **state);

// Fresh disks with sim_env_foreign on them; nothing is loaded.
void env_pair_format(struct env_pair *p, uint32_t sector_bytes);
// On both disks.
void env_pair_destroy(struct env_pair *p, unsigned copies);

// The seam. What both say alike is returned.
MUST_CHECK enum err env_pair_load(struct env_pair *p);
MUST_CHECK enum err env_pair_set(struct env_pair *p, const char *name, const char *value);
MUST_CHECK enum err env_pair_commit(struct env_pair *p, bool *ret_stored);

// The variables of the current copy, of which there must be one, into an empty list.
void env_pair_parse(const uint8_t *medium, struct env_vars *ret);
// True when `env` says of all `names` what `vars` has.
bool env_pair_says(const struct bootenv *env, const struct env_vars *names,
                   const struct env_vars *vars);

void env_pair_assert_equal_media(const struct env_pair *p);
// Both loaded: of everything that is on the medium they say what is there.
void env_pair_assert_says_what_is_there(const struct env_pair *p);
// Both loaded: one more store makes both copies whole.
void env_pair_assert_next_store_repairs(struct env_pair *p);

#endif
