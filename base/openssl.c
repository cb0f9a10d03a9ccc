// SPDX-License-Identifier: Apache-2.0
#include "base/openssl.h"

#include <openssl/err.h>

enum err fail_openssl(struct error *e, const char *what)
{
    char reason[128];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    ERR_clear_error();
    return fail(e, ERR_INTERNAL, 0, "%s: %s", what, reason);
}
