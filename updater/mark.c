// SPDX-License-Identifier: Apache-2.0
#include "updater/mark.h"

#include "updater/activate.h"
#include "updater/trial.h"

#include <string.h>

static const char reason_bad[] = "marked bad by the operator";

enum err mark_word_parse(const char *text, enum mark_word *ret, struct error *e)
{
    static const char *const words[] = {
        [MARK_GOOD] = "good", [MARK_BAD] = "bad", [MARK_ACTIVE] = "active"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = (enum mark_word)i;
            return OK;
        }
    }
    return fail(e, ERR_USAGE, 0, "mark: '%s' is none of good, bad and active", text);
}

static const char *slot_name(const struct device *d, int slot)
{
    return d->config->slots[slot].name;
}

enum err mark_slot_parse(const struct device *d, enum mark_word word, const char *name,
                         int *ret_slot, struct error *e)
{
    if (name == NULL) {
        *ret_slot = word == MARK_ACTIVE ? other_slot(d->running) : d->running;
        return OK;
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (strcmp(name, slot_name(d, i)) == 0) {
            *ret_slot = i;
            return OK;
        }
    }
    return fail(e, ERR_USAGE, 0, "mark: there is no slot '%s', the slots are %s and %s", name,
                slot_name(d, 0), slot_name(d, 1));
}

static enum err fail_given_up(const struct device *d, struct error *e)
{
    return fail(e, ERR_NOT_NOW, 0,
                "the running slot %s was given up and slot %s boots next: reboot first",
                slot_name(d, d->running), slot_name(d, other_slot(d->running)));
}

// --- good ---------------------------------------------------------------------------------------

static enum err mark_good(struct device *d, const struct boot_state *boot, int slot,
                          struct error *e)
{
    if (slot != d->running) {
        return fail(e, ERR_NOT_NOW, 0, "only the running slot %s can be marked good",
                    slot_name(d, d->running));
    }
    if (boot->trial == slot) {
        return trial_keep(d, e);
    }
    if (boot->trial == SLOT_NONE && boot->next != slot) {
        return fail_given_up(d, e);
    }
    bool unconfirmed = d->journal.slots[slot].content == CONTENT_REJECTED;
    if (boot->trial == SLOT_NONE && (unconfirmed || trial_end_is_unrecorded(d))) {
        return trial_keep(d, e);
    }
    return trial_settle(d, e);
}

// --- bad ----------------------------------------------------------------------------------------

// A slot that is partly written is that, and worse than bad.
static enum err reject_content(struct device *d, int slot, struct error *e)
{
    enum slot_content *content = &d->journal.slots[slot].content;
    if (*content == CONTENT_PARTIAL || *content == CONTENT_REJECTED) {
        return OK;
    }
    *content = CONTENT_REJECTED;
    return journal_save(d->state, &d->journal, e);
}

static enum err mark_other_bad(struct device *d, const struct boot_state *boot, int slot,
                               struct error *e)
{
    if (boot->trial == slot) {
        return trial_reject(d, slot, reason_bad, e);
    }
    if (boot->trial == d->running || trial_was_forgotten(d, boot)) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s cannot be marked bad: the running slot %s is on trial and falls back "
                    "to it",
                    slot_name(d, slot), slot_name(d, d->running));
    }
    if (boot_given_up(boot, d->running) ||
        (boot->next == slot && trial_is_rejected(d, d->running))) {
        return fail(e, ERR_NOT_NOW, 0,
                    "slot %s cannot be marked bad: it is the last bootable slot, slot %s was given "
                    "up",
                    slot_name(d, slot), slot_name(d, d->running));
    }
    enum err err = reject_content(d, slot, e);
    if (err != OK) {
        return err;
    }
    bool stored;
    return boot_decide(&d->config->boot, d->env, DECIDE_REJECT, slot, 0, &stored, e);
}

// Whether a slot will boot is known only of one that did, and whose bytes are still those.
static enum err check_proven(struct device *d, int slot, struct error *e)
{
    struct release_id release;
    int other = other_slot(slot);
    enum err err = OK;
    if (d->journal.slots[other].content != CONTENT_CONFIRMED) {
        err = fail(e, ERR_NOT_NOW, 0, "slot %s was never confirmed, or was given up since",
                   slot_name(d, other));
    } else {
        err = activate_verify_slot(d, other, &release, e);
    }
    return err == OK
               ? OK
               : error_context(e, "slot %s cannot be marked bad: it is the last bootable slot",
                               slot_name(d, slot));
}

static enum err mark_running_bad(struct device *d, const struct boot_state *boot, struct error *e)
{
    if (boot_given_up(boot, d->running)) {
        return OK;
    }
    // Decided before; but a lost environment names it again.
    bool decided = boot->trial == d->running || trial_is_rejected(d, d->running) ||
                   trial_was_forgotten(d, boot);
    enum err err = decided ? OK : check_proven(d, d->running, e);
    return err == OK ? trial_reject(d, d->running, reason_bad, e) : err;
}

// --- active -------------------------------------------------------------------------------------

static enum err mark_active(struct device *d, const struct boot_state *boot, int slot,
                            struct error *e)
{
    if (boot->trial == SLOT_NONE && boot->next == slot) {
        return OK;
    }
    if (slot != d->running) {
        return activate_slot(d, slot, ACTIVATE_VERIFY, e);
    }
    if (boot->trial == other_slot(slot)) {
        return trial_take_back(d, boot, e);
    }
    return boot->next == slot ? OK : fail_given_up(d, e);
}

enum err mark_run(struct device *d, enum mark_word word, int slot, struct error *e)
{
    struct boot_state boot;
    enum err err = boot_state_read(&d->config->boot, d->env, &boot, e);
    if (err != OK) {
        return err;
    }
    trial_correct_running(d);
    switch (word) {
    case MARK_GOOD:
        return mark_good(d, &boot, slot, e);
    case MARK_BAD:
        return slot == d->running ? mark_running_bad(d, &boot, e)
                                  : mark_other_bad(d, &boot, slot, e);
    case MARK_ACTIVE:
        return mark_active(d, &boot, slot, e);
    }
    return fail(e, ERR_INTERNAL, 0, "there is no mark number %d", (int)word);
}
