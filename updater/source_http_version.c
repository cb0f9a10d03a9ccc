// SPDX-License-Identifier: Apache-2.0
#include "updater/source_http_parts.h"

enum err source_http_unless(struct source *source, const char *version, struct error *e)
{
    return http_exchange_unless(http_of(source)->exchange, version, e);
}

void source_http_version(const struct source *source, char *buf, size_t size)
{
    const struct source_http *s = (const struct source_http *)source;
    http_exchange_version(s->exchange, buf, size);
}
