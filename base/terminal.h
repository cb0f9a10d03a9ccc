// SPDX-License-Identifier: Apache-2.0
// What a stream that may be a terminal looks like.
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include <stddef.h>
#include <stdio.h>

// How wide it is; 80 when it does not say. 0: it is no terminal.
size_t terminal_columns(FILE *stream);
// How many rows it shows; 24 when it does not say. 0: it is no terminal.
size_t terminal_rows(FILE *stream);

#endif
