// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"
#include "updater/agent/verbs.h"

enum err verb_cancel(void *app, const struct parsed *args, struct error *e)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "cancel");
    return agent_ask(app, args, request, "The update is cancelled; its source is told.", e);
}

enum err verb_consent(void *app, const struct parsed *args, struct error *e)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "consent");
    return agent_ask(app, args, request, "The update may be installed.", e);
}
