// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum err fail(struct error *e, enum err code, int sys, const char *fmt, ...)
{
    e->code = code;
    e->sys = sys;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, args);
    va_end(args);
    if (sys != 0 && n >= 0 && (size_t)n < sizeof e->msg) {
        char text[128];
        // GNU strerror_r: may return a static string instead of filling `text`.
        snprintf(e->msg + n, sizeof e->msg - (size_t)n, ": %s", strerror_r(sys, text, sizeof text));
    }
    return code;
}

enum err error_context(struct error *e, const char *fmt, ...)
{
    char old[sizeof e->msg];
    memcpy(old, e->msg, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof e->msg) {
        return e->code;
    }
    size_t room = sizeof e->msg - (size_t)n;
    int more = snprintf(e->msg + n, room, ": %s", old);
    if (more < 0 || (size_t)more >= room) {
        // A cut sentence shows that it was cut.
        memcpy(e->msg + sizeof e->msg - 4, "...", 4);
    }
    return e->code;
}

enum err fail_memory(struct error *e)
{
    return fail(e, ERR_IO, ENOMEM, "out of memory");
}
