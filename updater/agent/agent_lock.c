// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

bool agent_owes_lock(const struct agent *a)
{
    return a->gates.lock_owed && a->gate_config.fleet_lock.url != NULL;
}

// A device in a trial may be gone in a minute, as one that reboots now.
static bool may_give_back(struct agent *a)
{
    if (a->reboots || a->gates.stage != GATES_IDLE || loop_now_ms() < a->lock_again_ms) {
        return false;
    }
    agent_look(a);
    return offer_is_settled(&a->facts);
}

void agent_give_back(struct agent *a)
{
    struct gate_answer answer;
    if (!agent_owes_lock(a) || !may_give_back(a)) {
        return;
    }
    if (agent_begin_give_back(a, &answer)) {
        agent_gave_back(a, &answer);
    }
}

void agent_gave_back(struct agent *a, const struct gate_answer *answer)
{
    a->lock_again_ms = answer->open ? 0 : loop_now_ms() + answer->ask_again_ms;
    if (!answer->open && strcmp(a->lock_says, answer->reason) != 0) {
        log_warn(a->log, "the place for a reboot is not given back yet: %s", answer->reason);
    } else if (answer->open && a->lock_says[0] != '\0') {
        log_info(a->log, "the place for a reboot is given back");
    }
    snprintf(a->lock_says, sizeof a->lock_says, "%s", answer->reason);
}
