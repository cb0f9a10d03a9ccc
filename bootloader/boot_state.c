// SPDX-License-Identifier: Apache-2.0
#include "bootloader/boot_state.h"

#include "base/parse.h"
#include "bootloader/contract.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

static const struct contract_ops *ops_of(const struct boot_setup *setup)
{
    return setup->contract == CONTRACT_ORDER ? &contract_order : &contract_bootcount;
}

int contract_slot_named(const struct boot_setup *setup, const char *name)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (name != NULL && strcmp(name, setup->slots[i].name) == 0) {
            return i;
        }
    }
    return SLOT_NONE;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (unsigned)(c - 'a') + 10;
    }
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : UINT_MAX;
}

uint64_t contract_number(const char *text, unsigned base)
{
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    uint64_t value = 0;
    for (; digit_value(*text) < base; text++) {
        value = value * base + digit_value(*text);
    }
    return value;
}

// Invariant 3: more than one digit would be two numbers to the boot loaders there are.
static enum err check_setup(const struct boot_setup *setup, int slot, struct error *e)
{
    if (setup->attempts < 1 || setup->attempts > ATTEMPTS_MAX) {
        return fail(e, ERR_INTERNAL, 0, "%u boot attempts: 1 to %d are possible", setup->attempts,
                    ATTEMPTS_MAX);
    }
    if (slot < 0 || slot >= SLOT_COUNT) {
        return fail(e, ERR_INTERNAL, 0, "there is no slot number %d", slot);
    }
    return OK;
}

static void read_floor(const struct bootenv *env, struct boot_state *state)
{
    const char *text = bootenv_get(env, "vv_floor");
    state->floor_stored = text != NULL;
    state->floor_damaged = text != NULL && !parse_u64(text, &state->floor);
}

// Everything from what is loaded already.
static enum err read_state(const struct boot_setup *setup, const struct bootenv *env,
                           struct boot_state *ret, struct error *e)
{
    struct boot_state state = {.next = SLOT_NONE};
    state.trial = contract_slot_named(setup, bootenv_get(env, "vv_trial"));
    read_floor(env, &state);
    enum err r = ops_of(setup)->read(setup, env, &state, e);
    if (r == OK) {
        *ret = state;
    }
    return r;
}

enum err boot_state_read(const struct boot_setup *setup, struct bootenv *env,
                         struct boot_state *ret, struct error *e)
{
    enum err r = check_setup(setup, 0, e);
    if (r == OK) {
        r = bootenv_load(env, e);
    }
    return r != OK ? r : read_state(setup, env, ret, e);
}

static bool other_is_next(const struct boot_state *boot, int slot)
{
    return boot->trial == SLOT_NONE && boot->next == contract_other(slot);
}

bool boot_given_up(const struct boot_state *boot, int slot)
{
    return other_is_next(boot, slot) && !boot->slots[slot].listed;
}

bool boot_worn_out(const struct boot_state *boot, int slot)
{
    return other_is_next(boot, slot) && boot->slots[slot].listed && !boot->slots[slot].bootable;
}

// Raised, never lowered. One that is damaged says nothing, so that of the confirmed release counts.
static enum err raise_floor(struct bootenv *env, const struct boot_state *state, uint64_t floor,
                            struct error *e)
{
    if (state->floor_stored && !state->floor_damaged && floor <= state->floor) {
        return OK;
    }
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, floor);
    return bootenv_set(env, "vv_floor", text, e);
}

static enum err end_trial(struct bootenv *env, struct error *e)
{
    return bootenv_set(env, "vv_trial", NULL, e);
}

static enum err set_decision(const struct boot_setup *setup, struct bootenv *env,
                             enum decision decision, int slot, uint64_t floor, struct error *e)
{
    struct boot_state state;
    enum err r = read_state(setup, env, &state, e);
    if (r != OK) {
        return r;
    }
    const struct contract_ops *ops = ops_of(setup);
    switch (decision) {
    case DECIDE_INVALIDATE:
    case DECIDE_REJECT:
        // The copy that is not in force may be from a time when `slot` was the good one. What is
        // given up is whole; what is invalidated is about to be overwritten.
        env->both_copies = decision == DECIDE_INVALIDATE;
        r = ops->keep_only(setup, env, contract_other(slot), e);
        if (r == OK && decision == DECIDE_REJECT && floor > 0) {
            r = raise_floor(env, &state, floor, e);
        }
        return r != OK ? r : end_trial(env, e);
    case DECIDE_ACTIVATE:
        r = ops->activate(setup, env, slot, e);
        return r != OK ? r : bootenv_set(env, "vv_trial", setup->slots[slot].name, e);
    case DECIDE_CONFIRM:
        r = ops->confirm(setup, env, slot, state.trial == slot, e);
        if (r == OK) {
            r = raise_floor(env, &state, floor, e);
        }
        return r != OK ? r : end_trial(env, e);
    case DECIDE_SETTLE:
        if (state.trial == slot) {
            return OK;
        }
        r = ops->settle(setup, env, slot, e);
        return r == OK && floor > 0 ? raise_floor(env, &state, floor, e) : r;
    }
    return fail(e, ERR_INTERNAL, 0, "there is no decision number %d", (int)decision);
}

enum err boot_decide(const struct boot_setup *setup, struct bootenv *env, enum decision decision,
                     int slot, uint64_t floor, bool *ret_stored, struct error *e)
{
    enum err r = check_setup(setup, slot, e);
    if (r == OK) {
        r = bootenv_load(env, e);
    }
    if (r == OK) {
        r = set_decision(setup, env, decision, slot, floor, e);
    }
    return r != OK ? r : bootenv_commit(env, ret_stored, e);
}
