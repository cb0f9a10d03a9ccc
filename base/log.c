// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/json.h"

#include <string.h>

static const struct {
    const char *json;
    const char *text;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "error: "},
    [LOG_LEVEL_WARN] = {"warn", "warning: "},
    [LOG_LEVEL_INFO] = {"info", ""},
};

// A message may quote bytes that a server or an image chose: they must not start a new line of
// the log or reach the terminal as an escape sequence.
static void disarm(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        unsigned char next = (unsigned char)text[1];
        if (c < 0x20 || c == 0x7f) {
            *text = c == '\n' || c == '\t' ? ' ' : '?';
        } else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) { // U+0080 to U+009F
            *text++ = '?';
            *text = '?';
        }
    }
}

static json_t *string_or_ascii(char *text)
{
    json_t *v = json_string(text);
    if (v != NULL) {
        return v;
    }
    // Not UTF-8 (or cut inside a character): what cannot be said in JSON is not said.
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80) {
            *p = '?';
        }
    }
    return json_string(text);
}

static char *json_line(enum log_level level, char *text)
{
    CLEANUP(cleanup_json)
    json_t *event = json_pack("{s:s, s:s, s:o*}", "event", "log", "level", levels[level].json,
                              "message", string_or_ascii(text));
    return event == NULL ? NULL : json_print(event, JSON_COMPACT);
}

static void PRINTF_LIKE(3, 0)
    log_message(struct log *log, enum log_level level, const char *fmt, va_list args)
{
    char text[2048];
    vsnprintf(text, sizeof text, fmt, args);
    disarm(text);
    if (log->json) {
        CLEANUP(cleanup_free) char *line = json_line(level, text);
        // Without memory a fixed line is all that can be said.
        fprintf(log->stream, "%s\n",
                line != NULL ? line : "{\"event\":\"log\",\"level\":\"error\",\"message\":\"\"}");
    } else {
        fprintf(log->stream, "%s: %s%s\n", log->program, levels[level].text, text);
    }
    fflush(log->stream);
}

void log_error(struct log *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_message(log, LOG_LEVEL_ERROR, fmt, args);
    va_end(args);
}

void log_warn(struct log *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_message(log, LOG_LEVEL_WARN, fmt, args);
    va_end(args);
}

void log_info(struct log *log, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_message(log, LOG_LEVEL_INFO, fmt, args);
    va_end(args);
}
