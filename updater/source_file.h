// SPDX-License-Identifier: Apache-2.0
// A source that is a file on this machine, e.g. on a USB stick.
#ifndef UPDATER_SOURCE_FILE_H
#define UPDATER_SOURCE_FILE_H

#include "updater/source.h"

// A missing or unreadable file is ERR_IO; so is what is no regular file, which is not even opened.
MUST_CHECK enum err source_file_open(const char *path, struct source **ret, struct error *e);

// True for "file://" (RFC 8089).
bool source_file_is_url(const char *text);

// The same for file:///PATH or file://localhost/PATH, with %XX for any byte but NUL. Anything else
// is ERR_USAGE: another host, no absolute path, a query or fragment, which a file does not have.
MUST_CHECK enum err source_file_open_url(const char *url, struct source **ret, struct error *e);

#endif
