// SPDX-License-Identifier: Apache-2.0
#include "keys/ossl.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

enum err ossl_fail(struct error *e, enum err code, const char *fmt, ...)
{
    char sentence[sizeof(e->msg)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);

    // The oldest entry is the cause; those behind it only tell through which calls it came up.
    const char *reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    if (reason == NULL) {
        return fail(e, code, 0, "%s", sentence);
    }
    return fail(e, code, 0, "%s: %s", sentence, reason);
}
