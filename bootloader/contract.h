// SPDX-License-Identifier: Apache-2.0
// What the two variable contracts do differently; private to the files that implement boot_state.h
// and boot_model.h.
//
// Invariants
// 1. A contract reads and sets variables of a loaded environment; it never loads or commits.
// 2. vv_trial and vv_floor belong to boot_state.c; a contract touches its own variables only.
#ifndef BOOTLOADER_CONTRACT_H
#define BOOTLOADER_CONTRACT_H

#include "bootloader/boot_state.h"

#include <stddef.h>

struct contract_ops {
    // Fills `next` and `slots` of `state`; `trial` is there already.
    MUST_CHECK enum err (*read)(const struct boot_setup *setup, const struct bootenv *env,
                                struct boot_state *state, struct error *e);
    // The slot `kept` boots from now on and no other: invalidate and reject.
    MUST_CHECK enum err (*keep_only)(const struct boot_setup *setup, struct bootenv *env, int kept,
                                     struct error *e);
    MUST_CHECK enum err (*activate)(const struct boot_setup *setup, struct bootenv *env, int slot,
                                    struct error *e);
    MUST_CHECK enum err (*confirm)(const struct boot_setup *setup, struct bootenv *env, int slot,
                                   bool on_trial, struct error *e);
    MUST_CHECK enum err (*settle)(const struct boot_setup *setup, struct bootenv *env, int slot,
                                  struct error *e);
};

extern const struct contract_ops contract_order;
extern const struct contract_ops contract_bootcount;

// The slot called `name` (our name, as in vv_trial); SLOT_NONE for NULL or a foreign name.
int contract_slot_named(const struct boot_setup *setup, const char *name);

static inline int contract_other(int slot)
{
    return SLOT_COUNT - 1 - slot;
}

// simple_strtoul() of U-Boot (lib/strto.c): leading digits, wrapping around; 0x in front means
// base 16 whatever `base` says.
uint64_t contract_number(const char *text, unsigned base);

// --- contract order ---

// "BOOT_A_LEFT" for slot a.
enum { ORDER_VARIABLE_SIZE = 96 };
void order_left_name(const struct boot_setup *setup, int slot, char ret[ORDER_VARIABLE_SIZE]);

// The attempts the script sees: `test 0x${BOOT_A_LEFT} -gt 0`, so leading hexadecimal digits as a
// signed 64-bit number; nothing but a positive one is an attempt. Absent: N.
int64_t order_attempts(const struct boot_setup *setup, const struct bootenv *env, int slot);

// Walks BOOT_ORDER as the shell of U-Boot cuts it into words. False at its end.
bool order_next_word(const char **text, const char **ret_word, size_t *ret_len);

// The slot a word of BOOT_ORDER names; SLOT_NONE when it is none of ours.
int order_slot_of(const struct boot_setup *setup, const char *word, size_t len);

// BOOT_ORDER as the script sees it: absent means every slot. malloced; NULL when out of memory.
char *order_text(const struct boot_setup *setup, const struct bootenv *env);

// --- contract bootcount ---

// env_get_ulong(name, 10, 0) of U-Boot; 0 when absent.
uint64_t bootcount_number(const struct bootenv *env, const char *name);

// U-Boot counts boots: upgrade_available is a number other than 0. U-Boot keeps it in an int, so of
// one that is larger only the lower 32 bits.
bool bootcount_counting(const struct bootenv *env);

// The slot whose value the slot variable has; SLOT_NONE when it is absent or foreign.
int bootcount_named(const struct boot_setup *setup, const struct bootenv *env);

// The slot the script starts first: the named one, else the first of all. `*ret_both` says whether
// the script goes on to the other one when that cannot start: when the variable names no slot (a
// lost environment must not make a whole slot unreachable) and when the first one is on trial.
int bootcount_chosen(const struct boot_setup *setup, const struct bootenv *env, int trial,
                     bool *ret_both);

// U-Boot would run altbootcmd instead of bootcmd when it counted `count` boots.
bool bootcount_exceeded(const struct bootenv *env, uint64_t count);

#endif
