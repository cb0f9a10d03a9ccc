// SPDX-License-Identifier: Apache-2.0
// Runs a verb in this process as main.c does, with its output in memory.
#ifndef TESTS_SUPPORT_VERB_RUN_H
#define TESTS_SUPPORT_VERB_RUN_H

#include "updater/verbs.h"

struct verb_run {
    struct app app;
    enum err err;
    struct error e;
    char *out; // what was printed
    char *log; // and said
    size_t out_len, log_len;
};

// `run` with the words of `argv` (ends with NULL) behind the verb, e.g. {"-c", conf, "--json"}.
// A failure is reported as the program does. Ends with verb_run_clear().
void verb_run(struct verb_run *r, enum err (*run)(void *, const struct parsed *, struct error *),
              const char *const *argv);
void verb_run_clear(struct verb_run *r);

// The output as JSON; anything else fails the test. The caller owns it.
json_t *verb_run_json(const struct verb_run *r);

#endif
