// SPDX-License-Identifier: Apache-2.0
#include "bootloader/contract.h"

#include <stdio.h>
#include <string.h>

void order_left_name(const struct boot_setup *setup, int slot, char ret[ORDER_VARIABLE_SIZE])
{
    snprintf(ret, ORDER_VARIABLE_SIZE, "BOOT_%.64s_LEFT", setup->slots[slot].bootname);
}

int64_t order_attempts(const struct boot_setup *setup, const struct bootenv *env, int slot)
{
    char name[ORDER_VARIABLE_SIZE];
    order_left_name(setup, slot, name);
    const char *text = bootenv_get(env, name);
    if (text == NULL) {
        return setup->attempts;
    }
    // The script puts 0x in front: what begins with 0x itself has no digit behind that.
    bool twice = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    int64_t left = twice ? 0 : (int64_t)contract_number(text, 16);
    return left > 0 ? left : 0;
}

bool order_next_word(const char **text, const char **ret_word, size_t *ret_len)
{
    static const char blanks[] = " \t\n";
    const char *word = *text + strspn(*text, blanks);
    size_t len = strcspn(word, blanks);
    *text = word + len;
    if (len == 0) {
        return false;
    }
    *ret_word = word;
    *ret_len = len;
    return true;
}

int order_slot_of(const struct boot_setup *setup, const char *word, size_t len)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        const char *bootname = setup->slots[i].bootname;
        if (strlen(bootname) == len && memcmp(bootname, word, len) == 0) {
            return i;
        }
    }
    return SLOT_NONE;
}

char *order_text(const struct boot_setup *setup, const struct bootenv *env)
{
    const char *text = bootenv_get(env, "BOOT_ORDER");
    if (text != NULL) {
        return strdup(text);
    }
    char *all;
    int n = asprintf(&all, "%s %s", setup->slots[0].bootname, setup->slots[1].bootname);
    return n < 0 ? NULL : all;
}

static void mark_listed(const struct boot_setup *setup, const char *order, bool listed[SLOT_COUNT])
{
    const char *word;
    size_t len;
    while (order_next_word(&order, &word, &len)) {
        int slot = order_slot_of(setup, word, len);
        if (slot != SLOT_NONE) {
            listed[slot] = true;
        }
    }
}

// The first of our slots in `order` that is bootable.
static int first_bootable(const struct boot_setup *setup, const char *order,
                          const struct boot_state *state)
{
    const char *word;
    size_t len;
    while (order_next_word(&order, &word, &len)) {
        int slot = order_slot_of(setup, word, len);
        if (slot != SLOT_NONE && state->slots[slot].bootable) {
            return slot;
        }
    }
    return SLOT_NONE;
}

static enum err order_read(const struct boot_setup *setup, const struct bootenv *env,
                           struct boot_state *state, struct error *e)
{
    CLEANUP(cleanup_free) char *order = order_text(setup, env);
    if (order == NULL) {
        return fail_memory(e);
    }
    bool listed[SLOT_COUNT] = {false};
    mark_listed(setup, order, listed);
    for (int i = 0; i < SLOT_COUNT; i++) {
        int64_t left = order_attempts(setup, env, i);
        state->slots[i].attempts_left = left > ATTEMPTS_MAX ? ATTEMPTS_MAX : (unsigned)left;
        state->slots[i].listed = listed[i];
        state->slots[i].bootable = listed[i] && left > 0;
    }
    state->next = first_bootable(setup, order, state);
    if (state->next == SLOT_NONE) {
        // Nothing has attempts left: the script gives them back to all listed but the trial.
        for (int i = 0; i < SLOT_COUNT; i++) {
            state->slots[i].bootable = listed[i] && i != state->trial;
        }
        state->next = first_bootable(setup, order, state);
    }
    return OK;
}

// BOOT_ORDER := the slots in `slots` (SLOT_NONE: no more), then the foreign names as they stand.
static enum err set_order(const struct boot_setup *setup, struct bootenv *env,
                          const int slots[SLOT_COUNT], struct error *e)
{
    CLEANUP(cleanup_free) char *old = order_text(setup, env);
    CLEANUP(cleanup_free) char *text = NULL;
    size_t text_len;
    CLEANUP(cleanup_fclose) FILE *out = open_memstream(&text, &text_len);
    if (old == NULL || out == NULL) {
        return fail_memory(e);
    }
    for (int i = 0; i < SLOT_COUNT && slots[i] != SLOT_NONE; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : " ", setup->slots[slots[i]].bootname);
    }
    const char *rest = old;
    const char *word;
    size_t len;
    while (order_next_word(&rest, &word, &len)) {
        if (order_slot_of(setup, word, len) == SLOT_NONE) {
            fprintf(out, " %.*s", (int)len, word);
        }
    }
    FILE *done = TAKE_PTR(out);
    if (fclose(done) != 0) {
        return fail_memory(e);
    }
    return bootenv_set(env, "BOOT_ORDER", text, e);
}

static enum err set_left(const struct boot_setup *setup, struct bootenv *env, int slot,
                         unsigned attempts, struct error *e)
{
    char name[ORDER_VARIABLE_SIZE];
    order_left_name(setup, slot, name);
    // One digit: the same number in hexadecimal and in decimal.
    const char value[] = {(char)('0' + attempts), '\0'};
    return bootenv_set(env, name, value, e);
}

static enum err order_keep_only(const struct boot_setup *setup, struct bootenv *env, int kept,
                                struct error *e)
{
    enum err r = set_order(setup, env, (const int[]){kept, SLOT_NONE}, e);
    if (r == OK) {
        r = set_left(setup, env, contract_other(kept), 0, e);
    }
    if (r == OK) {
        r = set_left(setup, env, kept, setup->attempts, e);
    }
    return r;
}

static enum err order_activate(const struct boot_setup *setup, struct bootenv *env, int slot,
                               struct error *e)
{
    enum err r = set_order(setup, env, (const int[]){slot, contract_other(slot)}, e);
    for (int i = 0; i < SLOT_COUNT && r == OK; i++) {
        r = set_left(setup, env, i, setup->attempts, e);
    }
    return r;
}

static enum err order_confirm(const struct boot_setup *setup, struct bootenv *env, int slot,
                              bool on_trial, struct error *e)
{
    int other = contract_other(slot);
    if (!on_trial) {
        CLEANUP(cleanup_free) char *order = order_text(setup, env);
        if (order == NULL) {
            return fail_memory(e);
        }
        bool listed[SLOT_COUNT] = {false};
        mark_listed(setup, order, listed);
        other = listed[other] ? other : SLOT_NONE;
    }
    enum err r = set_order(setup, env, (const int[]){slot, other}, e);
    if (r == OK) {
        r = set_left(setup, env, slot, setup->attempts, e);
    }
    return r;
}

static enum err order_settle(const struct boot_setup *setup, struct bootenv *env, int slot,
                             struct error *e)
{
    return set_left(setup, env, slot, setup->attempts, e);
}

const struct contract_ops contract_order = {
    .read = order_read,
    .keep_only = order_keep_only,
    .activate = order_activate,
    .confirm = order_confirm,
    .settle = order_settle,
};
