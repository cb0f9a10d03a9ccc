// SPDX-License-Identifier: Apache-2.0
// Text that somebody else wrote, made fit for a terminal and for one line of a log.
//
// Invariants
// 1. No control character of Unicode comes out, of one byte or of two (U+0080 to U+009F, which may
//    begin a command to a terminal): '?' stands for each.
// 2. What does not fit is cut between characters of UTF-8, never within one.
#ifndef UPDATER_PRINTABLE_H
#define UPDATER_PRINTABLE_H

#include <stddef.h>

// The first `len` bytes of `text`, or as many as fit, into `ret` of `size` bytes (1 at least), with
// a NUL behind them. Returns `ret`.
const char *printable_copy(const char *text, size_t len, char *ret, size_t size);

// The first line of `text` that is more than blanks, without those around it.
const char *printable_first_line(const char *text, char *ret, size_t size);
// The last one.
const char *printable_last_line(const char *text, char *ret, size_t size);

#endif
