// SPDX-License-Identifier: Apache-2.0
// A source that is a file on this machine, e.g. on a USB stick.
#ifndef UPDATER_SOURCE_FILE_H
#define UPDATER_SOURCE_FILE_H

#include "updater/source.h"

// A missing or unreadable file is ERR_IO.
MUST_CHECK enum err source_file_open(const char *path, struct source **ret, struct error *e);

#endif
