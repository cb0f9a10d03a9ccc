// SPDX-License-Identifier: Apache-2.0
// The slot state machine: what the boot environment says, and what each decision stores.
// One table for both variable contracts; docs/bootloader.md has it in words.
//
//   decision     | contract order                              | contract bootcount
//   -------------+---------------------------------------------+---------------------------------
//   invalidate T | BOOT_ORDER=K  T_LEFT=0 K_LEFT=N  -vv_trial   | slot_var=K upgrade_available=0
//                |                                             |   bootcount=0 -vv_trial
//   activate T   | BOOT_ORDER=T K T_LEFT=N K_LEFT=N vv_trial=T  | slot_var=T upgrade_available=1
//                |                                             |   bootcount=0 bootlimit=N
//                vv_trial=T
//   confirm T    | BOOT_ORDER=T K T_LEFT=N -vv_trial vv_floor   | slot_var=T upgrade_available=0
//                |                                             |   bootcount=0 -vv_trial vv_floor
//   reject T     | as invalidate T, but see below              | as invalidate T
//   settle K     | K_LEFT=N, only if different                 | nothing
//
// (T: the slot the decision is about; K: the other one, which is kept; N: attempts.)
//
// invalidate also stores when all of this is so already, but the copy of the environment that is
// not in force says something else: T is about to be overwritten, and losing the newer copy must
// not bring back the word of a time when T was the good one.
//
// confirm is about the slot that runs. When that slot is not on trial (confirmed before, or the
// environment was lost), K stays in BOOT_ORDER only if it was there: what K holds is not known
// then. settle of a slot on trial stores nothing: its attempts must run down. Names in BOOT_ORDER
// that are no slot of ours (a recovery system) stay, behind ours; their attempts are not touched.
//
// Invariants
// 1. Each decision is one load and at most one store, and reads back what it stored.
// 2. No decision leaves the environment without a bootable slot.
// 3. BOOT_x_LEFT and bootcount stay within 0..9, where hexadecimal (RAUC's script) and decimal
//    (U-Boot's RAUC boot method) agree.
// 4. vv_floor is raised by confirm, and by reject and settle to what a confirm had raised it to; it
//    is never lowered. Every confirm leaves one, if only 0: that it is gone says that the
//    environment was lost since.
#ifndef BOOTLOADER_BOOT_STATE_H
#define BOOTLOADER_BOOT_STATE_H

#include "base/error.h"
#include "bootloader/bootenv.h"

#include <stdint.h>

enum { SLOT_COUNT = 2, ATTEMPTS_MAX = 9, SLOT_NONE = -1 };

enum contract { CONTRACT_ORDER, CONTRACT_BOOTCOUNT };

struct boot_slot {
    const char *name;      // "a": ours, in vv.slot= and vv_trial
    const char *bootname;  // "A": in BOOT_ORDER and BOOT_A_LEFT (contract order)
    const char *bootvalue; // "2": the slot variable's value (contract bootcount)
};

struct boot_setup {
    enum contract contract;
    const char *slot_var; // contract bootcount, e.g. "rpipart"
    unsigned attempts;    // N: 1..ATTEMPTS_MAX
    struct boot_slot slots[SLOT_COUNT];
};

struct boot_state {
    int next;  // index of the slot that boots next; SLOT_NONE: none is bootable
    int trial; // index of the slot on trial, or SLOT_NONE
    struct {
        bool listed;            // contract order: BOOT_ORDER names it; bootcount: as bootable
        bool bootable;          // the boot loader would try it, now or when `next` cannot start
        unsigned attempts_left; // 0..ATTEMPTS_MAX
    } slots[SLOT_COUNT];
    uint64_t floor;     // vv_floor; 0 when absent
    bool floor_stored;  // vv_floor is there: every confirmation leaves one
    bool floor_damaged; // vv_floor is there but is no number
};

// Nothing is on trial and the other slot boots next. Given up: `slot` is not even named, as reject
// and invalidate leave it; it boots never again by itself. Worn out: it is named and has merely no
// attempts left, which settle gives back.
bool boot_given_up(const struct boot_state *boot, int slot);
bool boot_worn_out(const struct boot_state *boot, int slot);

enum decision { DECIDE_INVALIDATE, DECIDE_ACTIVATE, DECIDE_CONFIRM, DECIDE_REJECT, DECIDE_SETTLE };

// Loads the environment and reads it. A missing BOOT_ORDER means what the script makes of it:
// every slot, in order, N attempts each. Odd values (letters, over 9) are read as the script does.
MUST_CHECK enum err boot_state_read(const struct boot_setup *setup, struct bootenv *env,
                                    struct boot_state *ret, struct error *e);

// Carries out one decision about `slot` (the index of T; for settle: of the running slot K).
// `floor` is for confirm, reject and settle: vv_floor becomes the larger of it and what is there. 0
// leaves it alone, but for confirm.
MUST_CHECK enum err boot_decide(const struct boot_setup *setup, struct bootenv *env,
                                enum decision decision, int slot, uint64_t floor, bool *ret_stored,
                                struct error *e);

#endif
