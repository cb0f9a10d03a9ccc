// SPDX-License-Identifier: Apache-2.0
#include "updater/answer.h"
#include "updater/mark.h"
#include "updater/verbs.h"

#include <stdio.h>

static void describe(struct device *d, enum mark_word word, int slot, struct answer *a)
{
    char text[TRIAL_TEXT_SIZE];
    const char *what = "";
    a->slot = slot;
    trial_text(d, slot, text);
    switch (word) {
    case MARK_GOOD:
        a->result = "good";
        what = "is good and is kept";
        break;
    case MARK_BAD:
        a->result = "bad";
        what = slot == d->running ? "is bad; reboot to run the other slot"
                                  : "is bad and does not boot any more";
        break;
    case MARK_ACTIVE:
        a->result = "active";
        what = "boots next";
        break;
    }
    snprintf(a->sentence, sizeof a->sentence, "Marked: %s %s.", text, what);
}

static enum err mark(struct device *d, const struct parsed *args, struct answer *ret,
                     struct error *e)
{
    enum mark_word word;
    int slot = SLOT_NONE;
    enum err err = mark_word_parse(args->args[0], &word, e);
    if (err == OK) {
        err = mark_slot_parse(d, word, args->arg_count > 1 ? args->args[1] : NULL, &slot, e);
    }
    if (err == OK) {
        err = mark_run(d, word, slot, e);
    }
    if (err == OK) {
        describe(d, word, slot, ret);
    }
    return err;
}

enum err verb_mark(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    struct answer answer = {.slot = 0};
    enum err err = app_open_device(a, args, DEVICE_CHANGE, &d, e);
    if (err == OK) {
        err = mark(d, args, &answer, e);
    }
    return err == OK ? answer_print(&answer, d, a->out, app_json(args), e) : err;
}
