// SPDX-License-Identifier: Apache-2.0
// The other end of the agent's control socket, for the verbs: one request, one answer.
#ifndef UPDATER_AGENT_CONTROL_CLIENT_H
#define UPDATER_AGENT_CONTROL_CLIENT_H

#include "base/json.h"

enum { CONTROL_CLIENT_TIMEOUT_MS = 10000 };

// Sends `request` (an object with "do") to the agent at `path` and waits for the answer, for
// `timeout_ms` in all. `*ret_answer` is the whole answer with "ok":true, the caller's. A refusal of
// the agent is the error returned, with its code and sentence. ERR_NOT_NOW: no agent is running.
// ERR_IO with EACCES: not allowed to talk to it; the sentence names the group that is. ERR_AGAIN:
// no answer in time. ERR_FORMAT: what answers is no agent.
MUST_CHECK enum err control_client_ask(const char *path, const json_t *request, uint64_t timeout_ms,
                                       json_t **ret_answer, struct error *e);

#endif
