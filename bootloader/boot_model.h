// SPDX-License-Identifier: Apache-2.0
// The boot scripts (boot-order.cmd, boot-bootcount.cmd) as a C function: what the boot loader does
// with the environment at one power-on. It exists so that thousands of boots can be simulated; a
// test on the virtual board holds it equal to the scripts.
//
// Invariants
// 1. One call is one power-on to the start of a kernel, resets by the script included; at most
//    three of them, then it gives up as the script does.
// 2. Every change of the environment goes through one commit per saveenv of the script.
#ifndef BOOTLOADER_BOOT_MODEL_H
#define BOOTLOADER_BOOT_MODEL_H

#include "base/error.h"
#include "bootloader/boot_state.h"

struct boot_outcome {
    int slot; // index, or SLOT_NONE: the script stopped at the prompt
    char cmdline
        [256]; // "root=... vv.slot=a rauc.slot=A vv.trial": what the script adds for the kernel
    unsigned resets;
    char reason[128]; // why nothing was booted
};

// `can_start` (may be NULL: every slot can) says whether the kernel of a slot could be loaded: a
// half-written slot has no file system and cannot.
MUST_CHECK enum err boot_model_run(const struct boot_setup *setup, struct bootenv *env,
                                   bool (*can_start)(void *context, int slot), void *context,
                                   struct boot_outcome *ret, struct error *e);

#endif
