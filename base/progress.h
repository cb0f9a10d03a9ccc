// SPDX-License-Identifier: Apache-2.0
// How far a long step is: a bar with rate and time left on a terminal, one JSON event a line with
// --json, a quiet line every ten percent in a log.
//
// Invariants
// 1. `done_bytes` never goes back within a step, never exceeds `total_bytes`.
// 2. At most ten redraws a second; the last state of a step is always shown.
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include "base/clock.h"

#include <stdint.h>
#include <stdio.h>

enum progress_kind { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON };

struct progress {
    enum progress_kind kind;
    FILE *stream; // not owned
    const struct clock *clock;
    const char *step; // "download", "verify"
    uint64_t total_bytes;
    uint64_t done_bytes;
    uint64_t started_ms;
    uint64_t shown_ms;
    unsigned shown_tenths;
    // That something was done at all, with every kind; NULL: nobody wants to know.
    void (*beat)(void *context);
    void *beat_context;
};

// Bar when `stream` is a terminal, else lines; JSON when asked for.
struct progress progress_on(FILE *stream, bool json, const struct clock *clock);
void progress_begin(struct progress *p, const char *step, uint64_t total_bytes);
void progress_add(struct progress *p, uint64_t bytes);
void progress_end(struct progress *p);

#endif
