// SPDX-License-Identifier: Apache-2.0
#include "tests/support/seam_sim.h"

#include <errno.h>
#include <stdio.h>

enum err seam_call(struct seam_sim *s, const char *what, struct error *e)
{
    s->calls++;
    if (s->off) {
        return fail(e, ERR_IO, EIO, "%s: the power is off", what);
    }
    if (s->calls == s->fail_at) {
        s->off = s->power_cut;
        enum err code = s->fail_with != OK ? s->fail_with : ERR_IO;
        return fail(e, code, code == ERR_IO ? EIO : 0, "%s: simulated failure of call %u", what,
                    s->calls);
    }
    return OK;
}

bool seam_cut_now(const struct seam_sim *s)
{
    return s->off && s->calls == s->fail_at;
}

void seam_trace(struct seam_sim *s, const char *fmt, ...)
{
    if (!s->tracing || s->trace_len >= SEAM_TRACE_MAX - 1) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(s->trace + s->trace_len, SEAM_TRACE_MAX - s->trace_len, fmt, args);
    va_end(args);
    s->trace_len += n > 0 ? (size_t)n : 0;
    s->trace_len = s->trace_len < SEAM_TRACE_MAX ? s->trace_len : SEAM_TRACE_MAX - 1;
}

void seam_reset(struct seam_sim *s)
{
    s->calls = s->fail_at = 0;
    s->fail_with = OK;
    s->power_cut = s->off = s->tracing = false;
    s->trace_len = 0;
    s->trace[0] = '\0';
}
