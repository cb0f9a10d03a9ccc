// SPDX-License-Identifier: Apache-2.0
// The verbs of vv-update: what main.c's table of commands points to. `app` is a struct app.
#ifndef UPDATER_VERBS_H
#define UPDATER_VERBS_H

#include "base/command.h"
#include "base/json.h"
#include "base/log.h"
#include "updater/device.h"

#include <stdio.h>

struct app {
    struct log log;  // talk, on stderr
    FILE *out;       // data, on stdout
    FILE *in;        // what is not for the command line, on stdin
    bool error_told; // the JSON on stdout tells the error of this verb already
    // What the agent says of itself: an object of the caller's; ERR_NOT_NOW: none runs. NULL: it is
    // not asked.
    enum err (*ask_agent)(const struct config *config, json_t **ret, struct error *e);
};

// Loads the configuration named on the command line and opens the device.
MUST_CHECK enum err app_open_device(struct app *app, const struct parsed *args,
                                    enum device_mode mode, struct device **ret, struct error *e);
// The same, to change it, for what decides a trial: config_load_for_trial(). What is left out is
// told in the log.
MUST_CHECK enum err app_open_device_for_trial(struct app *app, const struct parsed *args,
                                              struct device **ret, struct error *e);
// `--json` was given.
bool app_json(const struct parsed *args);

// The word for an error code in JSON: "trust", "not_now".
const char *app_error_name(enum err code);
// {"code":5,"name":"trust","message":"..."}; NULL when out of memory.
json_t *app_error_json(const struct error *e);
// Says on stderr, and with `json` on stdout too, why the program ends.
void app_report_error(struct app *app, bool json, const struct error *e);

MUST_CHECK enum err verb_install(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_activate(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_status(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_confirm(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_health(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_mark(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_rollback(void *app, const struct parsed *args, struct error *e);
MUST_CHECK enum err verb_config(void *app, const struct parsed *args, struct error *e);

#endif
