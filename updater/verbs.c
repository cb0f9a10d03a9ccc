// SPDX-License-Identifier: Apache-2.0
#include "updater/verbs.h"

#include "updater/json_text.h"

#include <string.h>

bool app_json(const struct parsed *args)
{
    return parsed_option(args, "json") != NULL;
}

// The configuration is taken over, whatever comes of it.
static enum err open_device(struct app *app, struct config *config, enum device_mode mode,
                            struct device **ret, struct error *e)
{
    CLEANUP(cleanup_config) struct config *owned = config;
    // Events are talk like the log: stdout carries one JSON object, the result.
    struct progress progress = progress_on(app->log.stream, app->log.json, &clock_system);
    enum err err = device_open(config, mode, &app->log, &progress, &clock_system, ret, e);
    if (err == OK) {
        (void)TAKE_PTR(owned);
    }
    return err;
}

enum err app_open_device(struct app *app, const struct parsed *args, enum device_mode mode,
                         struct device **ret, struct error *e)
{
    struct config *config = NULL;
    enum err err = config_load(parsed_option(args, "config"), &config, e);
    return err == OK ? open_device(app, config, mode, ret, e) : err;
}

enum err app_open_device_for_trial(struct app *app, const struct parsed *args, struct device **ret,
                                   struct error *e)
{
    struct config *config = NULL;
    struct error left_out;
    enum err err = config_load_for_trial(parsed_option(args, "config"), &config, &left_out, e);
    if (err == OK && left_out.code != OK) {
        log_warn(&app->log, "%s; without the drop-ins of the state directory", left_out.msg);
    }
    return err == OK ? open_device(app, config, DEVICE_CHANGE, ret, e) : err;
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
