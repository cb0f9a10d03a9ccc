// SPDX-License-Identifier: Apache-2.0
// What an operator has done in an agent room, beside the agent.
#ifndef TESTS_SUPPORT_AGENT_BY_HAND_H
#define TESTS_SUPPORT_AGENT_BY_HAND_H

#include "tests/support/agent_room.h"
#include "tests/support/expect.h"

// A decision of the boot environment.
static inline void agent_decide(struct agent_room *r, enum decision decision, int slot)
{
    struct error e;
    bool is_stored;
    CLEANUP(cleanup_device) struct device *d = NULL;
    CLEANUP(cleanup_config) struct config *config = NULL;
    const struct progress nobody = {.kind = PROGRESS_NONE};
    assert_ok(config_load(r->file.conf, &config, &e));
    assert_ok(device_open(config, DEVICE_CHANGE, &r->log, &nobody, &r->clock.base, &d, &e));
    (void)TAKE_PTR(config);
    assert_ok(boot_decide(&d->config->boot, d->env, decision, slot, 0, &is_stored, &e));
}

// The release is in slot b, as `install` leaves it; or `install --no-activate`.
static inline void agent_by_hand(struct agent_room *r, const struct release_id *release, bool flips)
{
    struct error e;
    struct journal j;
    assert_ok(journal_load(r->device->state, &j, &e));
    j.step = flips ? STEP_TRIAL : STEP_INSTALLED;
    j.slot = 1;
    j.attempts = r->device->config->boot.attempts;
    j.slots[1].content = CONTENT_INSTALLED;
    j.slots[1].release = *release;
    assert_ok(journal_save(r->device->state, &j, &e));
    if (flips) {
        agent_decide(r, DECIDE_ACTIVATE, 1);
    }
}

#endif
