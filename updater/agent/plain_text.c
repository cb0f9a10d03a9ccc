// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/plain_text.h"

#include <string.h>

static bool follows(unsigned char c, unsigned char low, unsigned char high)
{
    return c >= low && c <= high;
}

// Bytes of the character at `p`, by table 3-7 of the Unicode standard; 0: it is none. A NUL ends
// each test before a byte behind it is looked at.
static size_t character_len(const unsigned char *p)
{
    unsigned char c = p[0];
    if (c < 0x80) {
        return 1;
    }
    if (follows(c, 0xc2, 0xdf)) {
        return follows(p[1], 0x80, 0xbf) ? 2 : 0;
    }
    if (follows(c, 0xe0, 0xef)) {
        bool second = follows(p[1], c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
        return second && follows(p[2], 0x80, 0xbf) ? 3 : 0;
    }
    if (follows(c, 0xf0, 0xf4)) {
        bool second = follows(p[1], c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
        return second && follows(p[2], 0x80, 0xbf) && follows(p[3], 0x80, 0xbf) ? 4 : 0;
    }
    return 0;
}

static bool is_control(const unsigned char *p)
{
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

void plain_text_copy(char *ret, size_t size, const char *text)
{
    size_t used = 0;
    const unsigned char *p = (const unsigned char *)(text != NULL ? text : "");
    while (*p != '\0') {
        size_t len = character_len(p);
        bool blank = *p == '\n' || *p == '\r' || *p == '\t';
        bool odd = len == 0 || is_control(p);
        size_t wanted = odd ? 1 : len;
        if (wanted >= size - used) {
            break;
        }
        if (odd) {
            ret[used] = blank ? ' ' : '?';
        } else {
            memcpy(ret + used, p, len);
        }
        used += wanted;
        p += len == 0 ? 1 : len;
    }
    ret[used] = '\0';
}

bool plain_text_read(const json_t *obj, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(obj, key));
    if (text != NULL) {
        plain_text_copy(ret, size, text);
    }
    return text != NULL;
}
