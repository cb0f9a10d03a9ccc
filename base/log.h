// SPDX-License-Identifier: Apache-2.0
// Talk to the person at the terminal or to the journal: one line a message, on stderr.
// Data goes to stdout and never through here.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

#include <stdio.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO };

struct log {
    FILE *stream;        // not owned
    const char *program; // "vv-update": the prefix of each line
    bool json;           // one JSON object per line instead of text
};

void log_error(struct log *log, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_warn(struct log *log, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_info(struct log *log, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
