// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

bool agent_owes_lock(const struct agent *a)
{
    return a->gates.lock_owed && a->gate_config.fleet_lock.url != NULL;
}

// A device in a trial may be gone in a minute, as one that reboots now. What else is waited for
// here ends with a turn: a run, a reboot that did not come about, a verdict.
static bool may_give_back(struct agent *a)
{
    if (a->reboots || a->gates.stage != GATES_IDLE) {
        return false;
    }
    agent_look(a);
    return offer_is_settled(&a->facts);
}

uint64_t agent_give_back(struct agent *a)
{
    struct gate_answer answer;
    if (!agent_owes_lock(a)) {
        return UINT64_MAX;
    }
    if (loop_now_ms() < a->lock_again_ms) {
        return a->lock_again_ms;
    }
    if (may_give_back(a) && agent_begin_give_back(a, &answer)) {
        agent_gave_back(a, &answer);
        return answer.open ? UINT64_MAX : a->lock_again_ms;
    }
    return UINT64_MAX;
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
