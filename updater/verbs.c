// SPDX-License-Identifier: Apache-2.0
#include "updater/verbs.h"

#include "updater/json_text.h"

#include <string.h>

bool app_json(const struct parsed *args)
{
    return parsed_option(args, "json") != NULL;
}

enum err app_open_device(struct app *app, const struct parsed *args, enum device_mode mode,
                         struct device **ret, struct error *e)
{
    CLEANUP(cleanup_config) struct config *config = NULL;
    enum err err = config_load(parsed_option(args, "config"), &config, e);
    if (err != OK) {
        return err;
    }
    // Events are talk like the log: stdout carries one JSON object, the result.
    struct progress progress = progress_on(app->log.stream, app->log.json, &clock_system);
    err = device_open(config, mode, &app->log, &progress, &clock_system, ret, e);
    if (err == OK) {
        (void)TAKE_PTR(config);
    }
    return err;
}

const char *app_error_name(enum err code)
{
    switch (code) {
    case OK:
        return "ok";
    case ERR_INTERNAL:
        return "internal";
    case ERR_USAGE:
        return "usage";
    case ERR_CONFIG:
        return "config";
    case ERR_NETWORK:
        return "network";
    case ERR_TRUST:
        return "trust";
    case ERR_FORMAT:
        return "format";
    case ERR_IO:
        return "io";
    case ERR_TOO_LARGE:
        return "too_large";
    case ERR_NOT_NOW:
        return "not_now";
    case ERR_HEALTH:
        return "health";
    case ERR_AGAIN:
        return "again";
    }
    return "internal";
}

json_t *app_error_json(const struct error *e)
{
    return json_pack("{s:i, s:s, s:o}", "code", (int)e->code, "name", app_error_name(e->code),
                     "message", json_text(e->msg));
}

void app_report_error(struct app *app, bool json, const struct error *e)
{
    log_error(&app->log, "%s", e->msg);
    if (!json || app->error_told) {
        return;
    }
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:o}", "error", app_error_json(e));
    CLEANUP(cleanup_free) char *line = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (line != NULL) {
        fprintf(app->out, "%s\n", line);
        fflush(app->out);
    }
}
