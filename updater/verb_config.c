// SPDX-License-Identifier: Apache-2.0
#include "updater/verbs.h"

enum err verb_config(void *app, const struct parsed *args, struct error *e)
{
    const struct app *a = app;
    CLEANUP(cleanup_config) struct config *config = NULL;
    enum err err = config_load(parsed_option(args, "config"), &config, e);
    return err != OK ? err : config_print(config, a->out, app_json(args), e);
}
