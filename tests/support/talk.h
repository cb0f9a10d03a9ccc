// SPDX-License-Identifier: Apache-2.0
// A log that is kept in memory.
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include "base/log.h"
#include "tests/support/expect.h"

#include <stdlib.h>

struct talk {
    struct log log;
    char *text;
    size_t len;
};

static inline void talk_begin(struct talk *t)
{
    *t = (struct talk){0};
    t->log.program = "vv-update";
    t->log.stream = open_memstream(&t->text, &t->len);
    assert_non_null(t->log.stream);
}

static inline const char *talk_text(struct talk *t)
{
    fflush(t->log.stream);
    return t->text;
}

static inline void talk_end(struct talk *t)
{
    fclose(t->log.stream);
    free(t->text);
}

// How often `part` stands in `text`.
static inline size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        n++;
    }
    return n;
}

#endif
