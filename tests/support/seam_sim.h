// SPDX-License-Identifier: Apache-2.0
// What the simulated seams of one device share: a count of all calls, the call that goes wrong, and
// the trace of everything that was changed.
#ifndef TESTS_SUPPORT_SEAM_SIM_H
#define TESTS_SUPPORT_SEAM_SIM_H

#include "base/error.h"

#include <stddef.h>

enum { SEAM_TRACE_MAX = 64 * 1024 };

struct seam_sim {
    _Atomic unsigned calls; // threads may read side by side
    unsigned fail_at;       // the call with this number (from 1) fails; 0: none
    enum err fail_with;     // OK: ERR_IO
    bool power_cut;         // and every call after it
    bool off;               // the power was cut
    bool tracing;
    size_t trace_len;
    char trace[SEAM_TRACE_MAX]; // one line per change
};

// Counts a call, and says whether it fails; then `e` is filled.
MUST_CHECK enum err seam_call(struct seam_sim *s, const char *what, struct error *e);
// The call that just failed is the one the power went away in.
bool seam_cut_now(const struct seam_sim *s);
void seam_trace(struct seam_sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

// Counts from zero, no failure ordered, an empty trace.
void seam_reset(struct seam_sim *s);

#endif
