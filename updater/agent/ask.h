// SPDX-License-Identifier: Apache-2.0
// What the verbs that talk to the agent have in common.
#ifndef UPDATER_AGENT_ASK_H
#define UPDATER_AGENT_ASK_H

#include "base/json.h"
#include "updater/verbs.h"

// Sends `request` (NULL counts as out of memory) to the agent that is configured, and prints its
// answer: `sentence`, or with --json the object. Errors of control_client_ask().
MUST_CHECK enum err agent_ask(struct app *a, const struct parsed *args, const json_t *request,
                              const char *sentence, struct error *e);

// What the agent says of itself: the object "agent" of its status. ERR_NOT_NOW: none runs.
MUST_CHECK enum err agent_ask_status(const struct config *config, json_t **ret, struct error *e);

#endif
