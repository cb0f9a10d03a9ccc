// SPDX-License-Identifier: Apache-2.0
// A source by what people write: a URL or a path.
#ifndef UPDATER_SOURCE_OPEN_H
#define UPDATER_SOURCE_OPEN_H

#include "updater/device.h"
#include "updater/source.h"

// `from`: http://, https://, file:// or a path; another scheme is ERR_USAGE. Nothing is asked of a
// server yet. `d` outlives the source.
MUST_CHECK enum err source_open(struct device *d, const char *from, struct source **ret,
                                struct error *e);

#endif
