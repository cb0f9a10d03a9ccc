// SPDX-License-Identifier: Apache-2.0
// What the linker puts in front of the updater's own functions (wraps_steps.txt): a note of the
// numbered step that begins, the verdict of health checks, which is the world's to give, and a
// warning that the world has to know of.
#include "tests/sim/world.h"
#include "updater/activate.h"
#include "updater/health.h"
#include "updater/install_steps.h"

#include <stdio.h>
#include <string.h>

#define NUMBERED_STEP(name, number)                                                                \
    enum err __real_##name(struct install *in, struct error *e);                                   \
    enum err __wrap_##name(struct install *in, struct error *e);                                   \
    enum err __wrap_##name(struct install *in, struct error *e)                                    \
    {                                                                                              \
        world_active->sim.step = number;                                                           \
        return __real_##name(in, e);                                                               \
    }

NUMBERED_STEP(step_check_state, 1)
NUMBERED_STEP(step_check_running, 1)
NUMBERED_STEP(step_verify_head, 1)
NUMBERED_STEP(step_apply_policy, 1)
NUMBERED_STEP(step_open_target, 1)
NUMBERED_STEP(step_verify_table, 1)
NUMBERED_STEP(step_check_room, 1)
NUMBERED_STEP(step_plan, 2)
NUMBERED_STEP(step_hold_heads, 2)
NUMBERED_STEP(step_try_first_chunk, 2)
NUMBERED_STEP(step_take_baseline, 3)
NUMBERED_STEP(step_journal_installing, 3)
NUMBERED_STEP(step_invalidate_target, 4)
NUMBERED_STEP(step_zero_heads, 5)
NUMBERED_STEP(step_fill, 6)
NUMBERED_STEP(step_read_back, 7)
NUMBERED_STEP(step_write_heads, 8)
NUMBERED_STEP(step_keep_record, 9)
NUMBERED_STEP(step_activate, 10)

enum err __real_activate_slot(struct device *d, int slot, enum activate_mode mode, struct error *e);
enum err __wrap_activate_slot(struct device *d, int slot, enum activate_mode mode, struct error *e);
enum err __wrap_activate_slot(struct device *d, int slot, enum activate_mode mode, struct error *e)
{
    world_active->sim.step = 10;
    return __real_activate_slot(d, slot, mode, e);
}

enum err __wrap_health_decide(const struct health_ask *ask, struct health_report *ret,
                              struct error *e);
enum err __wrap_health_decide(const struct health_ask *ask, struct health_report *ret,
                              struct error *e)
{
    (void)e;
    bool sick = world_is_sick(world_active);
    struct health_result result = {
        .name = ask->config->checks[0].name, .kind = "exec", .required = true, .tries = 1};
    struct health_report report = {.verdict = HEALTH_WAITING, .count = 1, .results = &result};
    ask->changed(ask->context, &report, 1);
    world_active->m.truth.asked++;
    report.verdict = sick ? HEALTH_BAD : HEALTH_GOOD;
    snprintf(report.reason, sizeof report.reason, "%s", sick ? "check tv_api: simulated" : "");
    ask->changed(ask->context, &report, 1);
    report.count = 0;
    report.results = NULL;
    *ret = report;
    return OK;
}

// All was well before the update.
enum err __wrap_health_briefly(const struct health_ask *ask, struct health_report *ret,
                               struct error *e);
enum err __wrap_health_briefly(const struct health_ask *ask, struct health_report *ret,
                               struct error *e)
{
    (void)ask;
    (void)e;
    *ret = (struct health_report){.verdict = HEALTH_GOOD};
    return OK;
}

// A healthy system is kept even if the record that says its floor cannot be read, and then this is
// said. All other warnings are for people.
void __wrap_log_warn(struct log *log, const char *fmt, ...);
void __wrap_log_warn(struct log *log, const char *fmt, ...)
{
    (void)log;
    struct world *w = world_active;
    // A record that is read when there is memory again is no excuse.
    if (strstr(fmt, "the release floor is not raised") != NULL && w != NULL &&
        !(w->sim.failed && w->sim.fail_seam == SIM_MEMORY)) {
        w->m.truth.floor_unknown = true;
    }
}
