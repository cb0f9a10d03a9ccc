// SPDX-License-Identifier: Apache-2.0
// The real back end, bootenv_uboot.c with libubootenv, on the boot environment of a simulated disk:
// torn copies pass through the real library, and its stores can be cut in two.
//
// Each copy is a file. Before the real code reads, the files are made what the disk's view is, and
// a copy that the disk fails to read is cut short, which the real code cannot read either. When the
// real code syncs a file, what its store has changed there is written to the disk and synced, and
// the files become what a read of the disk gives then: so that it is the real code that finds a
// store which failed, was lost, or was stored wrongly.
//
// Invariants
// 1. The calls of SIM_ENV are those of sim_env.h, but every commit() of a loaded environment begins
//    with the two reads: whether anything differs is known to the real code only.
// 2. A store that the disk fails leaves the disk as the disk has it: never as the file is.
// 3. The tail that libubootenv leaves to chance is replaced by that of sim_env_seal(), so that a
//    trace can be played again.
#ifndef TESTS_SIM_SIM_ENV_REAL_H
#define TESTS_SIM_SIM_ENV_REAL_H

#include "tests/sim/sim_env.h"

enum { SIM_ENV_PATH_SIZE = 200 };

struct sim_env_real {
    struct bootenv base;         // first: the ops get this pointer
    struct sim_disk *disk;       // another one may be put here before a load
    unsigned stores;             // begun; the driver sets it to 0
    struct bootenv *inner;       // the real one; NULL: nothing is loaded
    char dir[SIM_ENV_PATH_SIZE]; // with the files below
    char config[SIM_ENV_PATH_SIZE];
    struct {
        char path[SIM_ENV_PATH_SIZE];
        int fd;
        bool readable; // false: cut short
        uint8_t holds[SIM_ENV_SIZE];
    } files[SIM_ENV_COPIES];
};

// Makes a directory of its own in `dir`, best in /dev/shm: the library syncs. `*s` needs
// sim_env_real_free(), which removes it, after a failure too.
MUST_CHECK enum err sim_env_real_make(struct sim_env_real *s, const char *dir, struct sim_disk *d,
                                      struct error *e);
void sim_env_real_free(struct sim_env_real *s);

#endif
