// SPDX-License-Identifier: Apache-2.0
#include "updater/source_open.h"

#include "updater/source_file.h"
#include "updater/source_http.h"

#include <string.h>

enum err source_open(struct device *d, const char *from, struct source **ret, struct error *e)
{
    if (source_http_is_url(from)) {
        return source_http_open(from, &d->config->http, d->clock, d->log, ret, e);
    }
    if (source_file_is_url(from)) {
        return source_file_open_url(from, ret, e);
    }
    size_t scheme = strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+");
    if (strncmp(from + scheme, "://", 3) == 0) {
        return fail(e, ERR_USAGE, 0,
                    "%s: only http://, https:// and file:// URLs and files are read", from);
    }
    return source_file_open(from, ret, e);
}
