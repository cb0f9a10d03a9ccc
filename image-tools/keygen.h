// SPDX-License-Identifier: Apache-2.0
// `vv-image keygen`: makes a set of keys to begin with (keys/keygen.h) and says what it is.
#ifndef IMAGE_TOOLS_KEYGEN_H
#define IMAGE_TOOLS_KEYGEN_H

#include "base/command.h"

// `context` is a struct tool.
MUST_CHECK enum err verb_keygen(void *context, const struct parsed *args, struct error *e);

#endif
