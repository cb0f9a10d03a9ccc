// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim.h"

#include <string.h>

int sim_call(struct sim *s, enum sim_seam seam)
{
    s->calls[seam]++;
    if (s->on_moment != NULL && seam != SIM_MEMORY) {
        s->on_moment(s, false);
    }
    if (s->fail_at == 0 || seam != s->fail_seam || s->calls[seam] != s->fail_at) {
        return 0;
    }
    s->failed = true;
    s->failed_step = s->step;
    return s->fail_sys;
}

void sim_idle(struct sim *s)
{
    s->failed = false;
    s->idle = true;
}

void sim_changed(struct sim *s)
{
    if (s->on_moment != NULL) {
        s->on_moment(s, true);
    }
}

void sim_reset(struct sim *s)
{
    memset(s->calls, 0, sizeof s->calls);
    s->fail_at = 0;
    s->fail_sys = 0;
    s->fail_short = s->failed = s->idle = s->misstored = false;
}

void sim_garbage(void *buf, size_t len, uint64_t seed)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = next_random(&seed);
        memcpy(p + i, &word, len - i < sizeof word ? len - i : sizeof word);
    }
}
