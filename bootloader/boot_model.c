// SPDX-License-Identifier: Apache-2.0
#include "bootloader/boot_model.h"

#include "bootloader/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RESETS_MAX = 3 };

// One power-on: what the scripts get from the board.
struct board {
    const struct boot_setup *setup;
    struct bootenv *env;
    bool (*can_start)(void *context, int slot);
    void *context;
};

// What one run of a script ends in.
enum pass { PASS_BOOTED, PASS_RESET, PASS_STOPPED };

static bool start(const struct board *b, int slot, struct boot_outcome *out)
{
    if (b->can_start != NULL && !b->can_start(b->context, slot)) {
        return false;
    }
    const struct boot_slot *s = &b->setup->slots[slot];
    out->slot = slot;
    const char *trial = bootenv_get(b->env, "vv_trial");
    snprintf(out->cmdline, sizeof out->cmdline,
             "root=PARTLABEL=rootfs-%.60s vv.slot=%.60s rauc.slot=%.60s%s", s->name, s->name,
             s->bootname, trial != NULL && strcmp(trial, s->name) == 0 ? " vv.trial" : "");
    return true;
}

static enum err saveenv(const struct board *b, struct error *e)
{
    bool stored;
    return bootenv_commit(b->env, &stored, e);
}

// --- boot-order.cmd ---------------------------------------------------------------------------

static enum err set_hex(const struct board *b, int slot, int64_t value, struct error *e)
{
    char name[ORDER_VARIABLE_SIZE];
    order_left_name(b->setup, slot, name);
    char text[24];
    snprintf(text, sizeof text, "%" PRIx64, (uint64_t)value);
    return bootenv_set(b->env, name, text, e);
}

// The defaults for what is missing; saved with the first saveenv only.
static enum err set_order_defaults(const struct board *b, const char *order, struct error *e)
{
    enum err r = OK;
    if (bootenv_get(b->env, "BOOT_ORDER") == NULL) {
        r = bootenv_set(b->env, "BOOT_ORDER", order, e);
    }
    for (int i = 0; i < SLOT_COUNT && r == OK; i++) {
        char name[ORDER_VARIABLE_SIZE];
        order_left_name(b->setup, i, name);
        if (bootenv_get(b->env, name) == NULL) {
            r = set_hex(b, i, b->setup->attempts, e);
        }
    }
    return r;
}

// The loop over BOOT_ORDER. An attempt is used up and saved before it is made.
static enum err try_in_order(const struct board *b, const char *order, enum pass *ret_pass,
                             struct boot_outcome *out, struct error *e)
{
    const char *word;
    size_t len;
    while (order_next_word(&order, &word, &len)) {
        int slot = order_slot_of(b->setup, word, len);
        int64_t left = slot == SLOT_NONE ? 0 : order_attempts(b->setup, b->env, slot);
        if (left == 0) {
            continue;
        }
        enum err r = set_hex(b, slot, left - 1, e);
        if (r == OK) {
            r = saveenv(b, e);
        }
        if (r != OK) {
            return r;
        }
        if (start(b, slot, out)) {
            *ret_pass = PASS_BOOTED;
            return OK;
        }
    }
    *ret_pass = PASS_RESET;
    return OK;
}

// Nothing started: all slots in BOOT_ORDER get their attempts back, but the trial leaves it.
static enum err restore_attempts(const struct board *b, const char *order, enum pass *ret_pass,
                                 struct boot_outcome *out, struct error *e)
{
    int trial = contract_slot_named(b->setup, bootenv_get(b->env, "vv_trial"));
    CLEANUP(cleanup_free) char *kept = calloc(1, strlen(order) + 2);
    if (kept == NULL) {
        return fail_memory(e);
    }
    bool any = false;
    size_t kept_len = 0;
    const char *word;
    size_t len;
    while (order_next_word(&order, &word, &len)) {
        int slot = order_slot_of(b->setup, word, len);
        if (slot != SLOT_NONE && slot == trial) {
            continue;
        }
        if (slot != SLOT_NONE) {
            any = true;
            enum err r = set_hex(b, slot, b->setup->attempts, e);
            if (r != OK) {
                return r;
            }
        }
        kept_len +=
            (size_t)sprintf(kept + kept_len, "%s%.*s", kept_len == 0 ? "" : " ", (int)len, word);
    }
    if (!any) {
        snprintf(out->reason, sizeof out->reason,
                 "BOOT_ORDER names no slot that may be tried again");
        *ret_pass = PASS_STOPPED;
        return OK;
    }
    *ret_pass = PASS_RESET;
    enum err r = bootenv_set(b->env, "BOOT_ORDER", kept, e);
    return r != OK ? r : saveenv(b, e);
}

static enum err run_order(const struct board *b, enum pass *ret_pass, struct boot_outcome *out,
                          struct error *e)
{
    CLEANUP(cleanup_free) char *order = order_text(b->setup, b->env);
    if (order == NULL) {
        return fail_memory(e);
    }
    enum err r = set_order_defaults(b, order, e);
    if (r == OK) {
        r = try_in_order(b, order, ret_pass, out, e);
    }
    if (r == OK && *ret_pass == PASS_RESET) {
        r = restore_attempts(b, order, ret_pass, out, e);
    }
    return r;
}

// --- U-Boot's boot counter and boot-bootcount.cmd ---------------------------------------------

// bootcount_inc() of U-Boot: counts and saves during a trial, else counts to 1 in memory.
static enum err count_boot(const struct board *b, uint64_t *ret_count, struct error *e)
{
    *ret_count = 1;
    if (!bootcount_counting(b->env)) {
        return OK;
    }
    *ret_count = bootcount_number(b->env, "bootcount") + 1;
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, *ret_count);
    enum err r = bootenv_set(b->env, "bootcount", text, e);
    return r != OK ? r : saveenv(b, e);
}

// altbootcmd: back to the slot that is not on trial, by name; vv_trial stays for Linux to see.
static enum err fall_back(const struct board *b, struct error *e)
{
    int trial = contract_slot_named(b->setup, bootenv_get(b->env, "vv_trial"));
    enum err r = OK;
    if (trial != SLOT_NONE) {
        const struct boot_slot *kept = &b->setup->slots[contract_other(trial)];
        r = bootenv_set(b->env, b->setup->slot_var, kept->bootvalue, e);
    }
    if (r == OK) {
        r = bootenv_set(b->env, "upgrade_available", "0", e);
    }
    if (r == OK) {
        r = bootenv_set(b->env, "bootcount", "0", e);
    }
    return r != OK ? r : saveenv(b, e);
}

static enum err run_bootcount(const struct board *b, enum pass *ret_pass, struct boot_outcome *out,
                              struct error *e)
{
    uint64_t count;
    enum err r = count_boot(b, &count, e);
    if (r == OK && bootcount_exceeded(b->env, count)) {
        r = fall_back(b, e);
    }
    if (r != OK) {
        return r;
    }
    int trial = contract_slot_named(b->setup, bootenv_get(b->env, "vv_trial"));
    bool both;
    int chosen = bootcount_chosen(b->setup, b->env, trial, &both);
    bool booted = start(b, chosen, out) || (both && start(b, contract_other(chosen), out));
    *ret_pass = booted ? PASS_BOOTED : PASS_RESET;
    return OK;
}

enum err boot_model_run(const struct boot_setup *setup, struct bootenv *env,
                        bool (*can_start)(void *context, int slot), void *context,
                        struct boot_outcome *ret, struct error *e)
{
    const struct board board = {setup, env, can_start, context};
    struct boot_outcome out = {.slot = SLOT_NONE};
    for (;;) {
        enum pass pass = PASS_STOPPED;
        enum err r = bootenv_load(env, e);
        if (r == OK) {
            r = setup->contract == CONTRACT_ORDER ? run_order(&board, &pass, &out, e)
                                                  : run_bootcount(&board, &pass, &out, e);
        }
        if (r != OK) {
            return r;
        }
        if (pass != PASS_RESET) {
            break;
        }
        if (out.resets == RESETS_MAX) {
            snprintf(out.reason, sizeof out.reason,
                     "no slot could be started; the board resets again and again");
            break;
        }
        out.resets++;
    }
    *ret = out;
    return OK;
}
