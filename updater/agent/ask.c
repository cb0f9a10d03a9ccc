// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"

#include "updater/agent/control_client.h"

enum { STATUS_TIMEOUT_MS = 2000 };

enum err agent_ask(struct app *a, const struct parsed *args, const json_t *request,
                   const char *sentence, struct error *e)
{
    CLEANUP(cleanup_config) struct config *config = NULL;
    CLEANUP(cleanup_json) json_t *answer = NULL;
    if (request == NULL) {
        return fail_memory(e);
    }
    enum err err = config_load(parsed_option(args, "config"), &config, e);
    if (err == OK) {
        err = control_client_ask(config->agent.socket, request, CONTROL_CLIENT_TIMEOUT_MS, &answer,
                                 e);
    }
    if (err != OK) {
        return err;
    }
    if (!app_json(args)) {
        const char *note = json_string_value(json_object_get(answer, "note"));
        fprintf(a->out, "%s%s%s%s\n", sentence, note != NULL ? " But " : "",
                note != NULL ? note : "", note != NULL ? "." : "");
        return OK;
    }
    CLEANUP(cleanup_free) char *text = json_print(answer, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(a->out, "%s\n", text);
    return OK;
}

enum err agent_ask_status(const struct config *config, json_t **ret, struct error *e)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "status");
    CLEANUP(cleanup_json) json_t *answer = NULL;
    if (request == NULL) {
        return fail_memory(e);
    }
    enum err err = control_client_ask(config->agent.socket, request, STATUS_TIMEOUT_MS, &answer, e);
    if (err != OK) {
        return err;
    }
    *ret = json_incref(json_object_get(answer, "agent"));
    return *ret != NULL ? OK : fail(e, ERR_FORMAT, 0, "the agent says nothing of itself");
}
