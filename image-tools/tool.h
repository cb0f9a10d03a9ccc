// SPDX-License-Identifier: Apache-2.0
// What every verb of vv-image is given: where to talk, where to put data, what time it is.
//
// Invariants
// 1. Data goes to `out`, talk to `log`; a verb that fails has one sentence for main to print.
#ifndef IMAGE_TOOLS_TOOL_H
#define IMAGE_TOOLS_TOOL_H

#include "base/clock.h"
#include "base/command.h"
#include "base/log.h"
#include "base/progress.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { TOOL_JOBS_MAX = 256, TOOL_TIME_SIZE = 32 };

struct tool {
    struct log log; // stderr
    FILE *out;      // stdout
    const struct clock *clock;
};

// A bar when the talk goes to a terminal, nothing otherwise: a log keeps what matters.
struct progress tool_progress(const struct tool *t);

// Sees that all data reached `out`: ERR_IO when a disk or a pipe did not take it.
MUST_CHECK enum err tool_finish_output(struct tool *t, struct error *e);

// The processors this process may run on, 1..TOOL_JOBS_MAX.
unsigned tool_default_jobs(void);

// A whole number from `min` to `max` out of option --`name`; ERR_USAGE names option and range.
// `*ret` is left alone when the option is not given.
MUST_CHECK enum err tool_option_number(const struct parsed *args, const char *name, uint64_t min,
                                       uint64_t max, uint64_t *ret, struct error *e);

// The same for a size of at most `max` bytes.
MUST_CHECK enum err tool_option_size(const struct parsed *args, const char *name, uint64_t max,
                                     uint64_t *ret, struct error *e);

// A thread that takes no signals: they are for the one thread that can clean up. Returns what
// pthread_create() returns.
int tool_start_thread(pthread_t *ret, void *(*run)(void *), void *arg);

// "2026-01-31 12:00:00 UTC" into a buffer of TOOL_TIME_SIZE bytes; the bare number for a year
// that has more than four digits.
const char *tool_format_time(uint64_t seconds, char *buf, size_t len);

#endif
