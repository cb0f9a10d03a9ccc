// SPDX-License-Identifier: Apache-2.0
#include "base/terminal.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24 };

// False: it is no terminal. Zeros: it does not say.
static bool read_size(FILE *stream, struct winsize *ret)
{
    int fd = fileno(stream);
    *ret = (struct winsize){0};
    if (fd < 0 || !isatty(fd)) {
        return false;
    }
    if (ioctl(fd, TIOCGWINSZ, ret) != 0) {
        *ret = (struct winsize){0};
    }
    return true;
}

size_t terminal_columns(FILE *stream)
{
    struct winsize ws;
    if (!read_size(stream, &ws)) {
        return 0;
    }
    return ws.ws_col > 0 ? ws.ws_col : COLUMNS_DEFAULT;
}

size_t terminal_rows(FILE *stream)
{
    struct winsize ws;
    if (!read_size(stream, &ws)) {
        return 0;
    }
    return ws.ws_row > 0 ? ws.ws_row : ROWS_DEFAULT;
}
