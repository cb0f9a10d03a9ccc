// SPDX-License-Identifier: Apache-2.0
#include "updater/health.h"
#include "updater/verbs.h"

enum err verb_health(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(health_report_clear) struct health_report report = {.count = 0};
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        err = health_once(d->config, d->clock, d->log, &report, e);
    }
    if (err == OK) {
        err = health_print(&report, a->out, app_json(args), e);
    }
    if (err != OK) {
        return err;
    }
    a->error_told = app_json(args);
    return report.verdict == HEALTH_GOOD ? OK
                                         : fail(e, ERR_HEALTH, 0, "not healthy: %s", report.reason);
}
