// SPDX-License-Identifier: Apache-2.0
#include "updater/json_text.h"

#include <string.h>

json_t *json_text(const char *text)
{
    json_t *whole = json_string(text);
    if (whole != NULL) {
        return whole;
    }
    CLEANUP(cleanup_free) char *ascii = strdup(text);
    if (ascii == NULL) {
        return NULL;
    }
    for (char *p = ascii; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80) {
            *p = '?';
        }
    }
    return json_string(ascii);
}

json_t *json_text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_text(text);
}
