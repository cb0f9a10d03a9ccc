// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.h"
#include "updater/health.h"
#include "updater/verbs.h"

static void draw(void *context, const struct health_report *r, uint64_t until_ms)
{
    (void)until_ms;
    health_screen_draw(context, r);
}

enum err verb_health(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(health_report_clear) struct health_report report = {.count = 0};
    struct health_screen screen = {.out = a->out};
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        // A table that does not fit cannot be drawn over.
        bool live = !app_json(args) && d->config->check_count > 0 &&
                    d->config->check_count + 2 <= terminal_rows(a->out);
        const struct health_ask ask = {
            .config = d->config,
            .clock = d->clock,
            .log = d->log,
            .changed = live ? draw : NULL,
            .context = &screen,
        };
        err = health_once(&ask, &report, e);
    }
    if (err == OK && screen.rows == 0) {
        err = health_print(&report, a->out, app_json(args), e);
    }
    if (err != OK) {
        return err;
    }
    a->error_told = app_json(args);
    return report.verdict == HEALTH_GOOD ? OK
                                         : fail(e, ERR_HEALTH, 0, "not healthy: %s", report.reason);
}
