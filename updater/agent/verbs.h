// SPDX-License-Identifier: Apache-2.0
// The verbs of the agent: it, what talks to it, and what it keeps.
#ifndef UPDATER_AGENT_VERBS_H
#define UPDATER_AGENT_VERBS_H

#include "updater/verbs.h"

MUST_CHECK enum err verb_agent(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_check(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_cancel(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_hold(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_release(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_consent(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_history(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_allow(void *app, const struct parsed *args, struct error *e);

#endif
