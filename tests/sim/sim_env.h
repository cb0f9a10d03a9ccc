// SPDX-License-Identifier: Apache-2.0
// A redundant U-Boot environment on a simulated disk, and a back end of the seam in
// bootloader/bootenv.h that does with it what bootenv_uboot.c and libubootenv 0.3.2 do, without a
// system call.
//
//     struct sim_env env;
//     sim_env_format(&disk, sim_env_foreign);
//     sim_env_init(&env, &disk);
//     boot_decide(&setup, &env.base, ...);
//     sim_env_free(&env);
//
// Invariants
// 1. A store has the bytes of libubootenv (uboot_env.c, libuboot_env_store): the variables by name,
//    the flag of the current copy plus one, in the copy that is not current. The tail behind the
//    variables, which libubootenv leaves to chance (hazard 9) and counts into the CRC, is garbage
//    made from the rest, so that equal stores have equal bytes.
// 2. The calls of SIM_ENV: load() makes two reads; a commit() that stores makes two reads, a write,
//    a sync and two reads; nothing else makes any.
// 3. A copy that cannot be read is a finding, no error: the other one counts, and nothing is
//    stored.
#ifndef TESTS_SIM_SIM_ENV_H
#define TESTS_SIM_SIM_ENV_H

#include "bootloader/bootenv.h"
#include "bootloader/env_copies.h"
#include "bootloader/env_vars.h"
#include "tests/sim/sim_disk.h"

enum {
    SIM_ENV_COPIES = FW_ENV_COPIES,
    SIM_ENV_SIZE = 1024,                                  // of one copy
    SIM_ENV_STRIDE = 4096,                                // no sector holds parts of both
    SIM_ENV_MEDIUM_SIZE = SIM_ENV_COPIES * SIM_ENV_STRIDE // of the disk; copy i at i * stride
};

// --- the medium ----------------------------------------------------------------------------------

// Variables of others, for sim_env_format(): bootcmd, odd names, values with blanks, `=`, bytes
// that are no text, and none. With them the variables of both contracts lie in both sectors of a
// copy.
extern const char *const sim_env_foreign[];

// Everything here is durable at once and makes no calls; nothing may be pending.

// Both copies whole, with these variables ("name=value", ends with NULL); copy 0 is current.
void sim_env_format(struct sim_disk *d, const char *const *vars);
// Bit i of `copies`: copy i becomes garbage.
void sim_env_destroy(struct sim_disk *d, unsigned copies);
// U-Boot found both copies bad, took its built-in environment and saved it once. The flag starts at
// 0 and is counted up by env_export() (env/common.c). env_mmc_save() (env/mmc.c) takes copy 0,
// since env_check_redund() says ENV_INVALID (U-Boot 2023.10; before, it was copy 1). The other
// stays bad.
void sim_env_uboot_defaults(struct sim_disk *d, const char *const *default_vars);

// Of a medium or a view of SIM_ENV_MEDIUM_SIZE bytes.
const uint8_t *sim_env_copy(const uint8_t *medium, int copy);
size_t sim_env_whole_copies(const uint8_t *medium);
bool sim_env_lost(const uint8_t *medium);
// The copy U-Boot and libubootenv take; -1: none.
int sim_env_current(const uint8_t *medium);

// --- what both back ends do to it ----------------------------------------------------------------

// As env_copies_read() does, from the medium and not from the page cache. 0 or an errno.
int sim_env_read_copy(struct sim_disk *d, int copy, uint8_t *ret_image);
// Writes and syncs. libubootenv syncs after a failed write too (filewrite) and does not look at
// what that says; bootenv_uboot.c finds out. 0 or an errno.
int sim_env_store_copy(struct sim_disk *d, int copy, const uint8_t *image);
// Invariant 1: the tail of an image with variables and flag, then its CRC.
void sim_env_seal(uint8_t *image);

// --- the simulated back end ----------------------------------------------------------------------

struct sim_env_reading {
    struct env_copies copies; // points into `images`: never to be cleared
    uint8_t images[SIM_ENV_COPIES][SIM_ENV_SIZE];
};

struct sim_env {
    struct bootenv base;   // first: the ops get this pointer
    struct sim_disk *disk; // another one may be put here before a load
    unsigned stores;       // begun; the driver sets it to 0
    bool loaded;           // the three below are what the medium holds
    unsigned held;         // index of the reading that was taken over; the other is for the next
    struct sim_env_reading readings[2];
    struct env_vars found;
    struct env_vars meant; // `found` with what was set since
};

void sim_env_init(struct sim_env *s, struct sim_disk *d);
// The same as bootenv_close(), after which it can be loaded again.
void sim_env_free(struct sim_env *s);

#endif
