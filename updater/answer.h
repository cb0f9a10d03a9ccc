// SPDX-License-Identifier: Apache-2.0
// What a verb that changes slots did, on stdout: one sentence, or one JSON object
// {"result":"confirmed","slot":"b","version":"2.0","reason":"..."}; version and reason are left out
// when there are none.
#ifndef UPDATER_ANSWER_H
#define UPDATER_ANSWER_H

#include "updater/trial.h"

#include <stdio.h>

enum { ANSWER_SENTENCE_SIZE = 512 };

struct answer {
    const char *result;
    int slot; // the one the result is about
    char reason[320];
    char sentence[ANSWER_SENTENCE_SIZE];
};

// ERR_IO when stdout does not take it.
MUST_CHECK enum err answer_print(const struct answer *a, struct device *d, FILE *out, bool json,
                                 struct error *e);

#endif
