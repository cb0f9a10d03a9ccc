// SPDX-License-Identifier: Apache-2.0
// Text from outside, made fit for a record, a terminal and a line of its own: bounded, UTF-8, and
// without control characters.
//
// Invariants
// 1. What is copied is valid UTF-8 and was cut between characters.
// 2. It has no control character, neither of ASCII nor of U+0080 to U+009F, which terminals obey
//    too: a copy never starts a new line.
// 3. No byte becomes more than one, and a copy of a copy is the same.
#ifndef UPDATER_AGENT_PLAIN_TEXT_H
#define UPDATER_AGENT_PLAIN_TEXT_H

#include "base/json.h"

// Texts for people that are kept by the dozen.
enum { PLAIN_TEXT_MAX = 200 };

// As much of `text` as fits `size` bytes with its NUL. Ends of lines and tabs become spaces, other
// control characters and bytes that are no UTF-8 become '?'. `text` NULL counts as "".
void plain_text_copy(char *ret, size_t size, const char *text);

// The member `key` of `obj`, copied so; false when it is no string.
MUST_CHECK bool plain_text_read(const json_t *obj, const char *key, char *ret, size_t size);

#endif
