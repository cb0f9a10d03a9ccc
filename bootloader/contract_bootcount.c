// SPDX-License-Identifier: Apache-2.0
#include "bootloader/contract.h"

#include <string.h>

uint64_t bootcount_number(const struct bootenv *env, const char *name)
{
    const char *text = bootenv_get(env, name);
    return text == NULL ? 0 : contract_number(text, 10);
}

bool bootcount_counting(const struct bootenv *env)
{
    return (uint32_t)bootcount_number(env, "upgrade_available") != 0;
}

int bootcount_named(const struct boot_setup *setup, const struct bootenv *env)
{
    const char *value = bootenv_get(env, setup->slot_var);
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (value != NULL && strcmp(value, setup->slots[i].bootvalue) == 0) {
            return i;
        }
    }
    return SLOT_NONE;
}

int bootcount_chosen(const struct boot_setup *setup, const struct bootenv *env, int trial,
                     bool *ret_both)
{
    int named = bootcount_named(setup, env);
    *ret_both = named == SLOT_NONE || named == trial;
    return named == SLOT_NONE ? 0 : named;
}

bool bootcount_exceeded(const struct bootenv *env, uint64_t count)
{
    uint64_t limit = bootcount_number(env, "bootlimit");
    return limit > 0 && count > limit;
}

static unsigned boots_left(const struct boot_setup *setup, const struct bootenv *env)
{
    uint64_t limit = bootcount_number(env, "bootlimit");
    if (limit == 0) {
        return setup->attempts; // U-Boot counts without ever stopping
    }
    uint64_t count = bootcount_number(env, "bootcount");
    uint64_t left = count < limit ? limit - count : 0;
    return left > ATTEMPTS_MAX ? ATTEMPTS_MAX : (unsigned)left;
}

static enum err bootcount_read(const struct boot_setup *setup, const struct bootenv *env,
                               struct boot_state *state, struct error *e)
{
    (void)e;
    bool both;
    state->next = bootcount_chosen(setup, env, state->trial, &both);
    bool counting = bootcount_counting(env);
    if (counting && state->trial != SLOT_NONE &&
        bootcount_exceeded(env, bootcount_number(env, "bootcount") + 1)) {
        state->next = contract_other(state->trial);
        both = false;
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        state->slots[i].bootable = both || i == state->next;
        state->slots[i].listed = state->slots[i].bootable;
        state->slots[i].attempts_left = state->slots[i].bootable ? setup->attempts : 0;
    }
    if (counting && state->next == state->trial) {
        state->slots[state->next].attempts_left = boots_left(setup, env);
    }
    return OK;
}

static enum err stop_counting(struct bootenv *env, struct error *e)
{
    enum err r = bootenv_set(env, "upgrade_available", "0", e);
    return r != OK ? r : bootenv_set(env, "bootcount", "0", e);
}

static enum err bootcount_keep_only(const struct boot_setup *setup, struct bootenv *env, int kept,
                                    struct error *e)
{
    enum err r = bootenv_set(env, setup->slot_var, setup->slots[kept].bootvalue, e);
    return r != OK ? r : stop_counting(env, e);
}

static enum err bootcount_activate(const struct boot_setup *setup, struct bootenv *env, int slot,
                                   struct error *e)
{
    const char limit[] = {(char)('0' + setup->attempts), '\0'};
    enum err r = bootenv_set(env, setup->slot_var, setup->slots[slot].bootvalue, e);
    if (r == OK) {
        r = bootenv_set(env, "upgrade_available", "1", e);
    }
    if (r == OK) {
        r = bootenv_set(env, "bootcount", "0", e);
    }
    return r != OK ? r : bootenv_set(env, "bootlimit", limit, e);
}

// Whether the slot is on trial makes no difference: the other one is not named anywhere.
static enum err bootcount_confirm(const struct boot_setup *setup, struct bootenv *env, int slot,
                                  bool on_trial, struct error *e)
{
    (void)on_trial;
    return bootcount_keep_only(setup, env, slot, e);
}

// U-Boot counts trials only, so there is nothing to give back.
static enum err bootcount_settle(const struct boot_setup *setup, struct bootenv *env, int slot,
                                 struct error *e)
{
    (void)setup;
    (void)env;
    (void)slot;
    (void)e;
    return OK;
}

const struct contract_ops contract_bootcount = {
    .read = bootcount_read,
    .keep_only = bootcount_keep_only,
    .activate = bootcount_activate,
    .confirm = bootcount_confirm,
    .settle = bootcount_settle,
};
