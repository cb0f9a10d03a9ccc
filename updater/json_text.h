// SPDX-License-Identifier: Apache-2.0
// Text for people inside JSON: a sentence may quote bytes from a file or a server that are not
// UTF-8, and must not cost the whole answer.
#ifndef UPDATER_JSON_TEXT_H
#define UPDATER_JSON_TEXT_H

#include "base/json.h"

// A JSON string of `text`. What is not UTF-8 as a whole has every byte above 127 replaced by '?'.
// NULL only when out of memory; the caller owns it.
json_t *json_text(const char *text);

// The same, and JSON null for a NULL `text`.
json_t *json_text_or_null(const char *text);

#endif
