// SPDX-License-Identifier: Apache-2.0
#include "updater/printable.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

// How long the control character at `text` is; 0: it is none.
static size_t control_len(const char *text, size_t len)
{
    unsigned char byte = (unsigned char)text[0];
    unsigned char next = len > 1 ? (unsigned char)text[1] : 0;
    if (byte < 0x20 || byte == 0x7f) {
        return 1;
    }
    return byte == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

const char *printable_copy(const char *text, size_t len, char *ret, size_t size)
{
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--; // not in the middle of a character
        }
    }
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        size_t control = control_len(text + i, len - i);
        ret[used] = text[i];
        if (control > 0) {
            ret[used] = '?';
        }
        used++;
        i += control > 1 ? control - 1 : 0;
    }
    ret[used] = '\0';
    return ret;
}

static size_t without_blanks(const char *line, size_t len)
{
    while (len > 0 && strchr(blanks, line[len - 1]) != NULL) {
        len--;
    }
    return len;
}

const char *printable_first_line(const char *text, char *ret, size_t size)
{
    text += strspn(text, blanks);
    return printable_copy(text, without_blanks(text, strcspn(text, "\n")), ret, size);
}

const char *printable_last_line(const char *text, char *ret, size_t size)
{
    size_t end = without_blanks(text, strlen(text));
    const char *newline = memrchr(text, '\n', end);
    const char *line = newline == NULL ? text : newline + 1;
    return printable_copy(line, (size_t)(text + end - line), ret, size);
}
