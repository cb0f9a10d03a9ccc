// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

#include "base/parse.h"
#include "base/terminal.h"

#include <inttypes.h>
#include <string.h>

enum {
    REDRAW_MS = 100,    // invariant 2
    FIGURES_WIDTH = 48, // room for what stands right of the bar, so that the bar does not jump
    BAR_MAX = 40,
    COLUMNS_ELSEWHERE = 80,
};

// Nothing to do is done: 100 % of 0 bytes.
static unsigned percent(const struct progress *p)
{
    if (p->done_bytes >= p->total_bytes) {
        return 100;
    }
    unsigned n = (unsigned)((double)p->done_bytes * 100.0 / (double)p->total_bytes);
    return n < 99 ? n : 99;
}

// "110.2/256.0 MiB": both in the unit of the total.
static void format_amounts(const struct progress *p, char *buf, size_t len)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned power = 0;
    double scale = 1;
    while (power < 6 && (p->total_bytes >> (10 * power)) >= 1024) {
        power++;
        scale *= 1024;
    }
    if (power == 0) {
        snprintf(buf, len, "%" PRIu64 "/%" PRIu64 " B", p->done_bytes, p->total_bytes);
    } else {
        snprintf(buf, len, "%.1f/%.1f %s", (double)p->done_bytes / scale,
                 (double)p->total_bytes / scale, units[power]);
    }
}

// "  54.1 MiB/s  3 s left", as far as it is known.
static void format_pace(const struct progress *p, uint64_t now_ms, char *buf, size_t len)
{
    buf[0] = '\0';
    double elapsed_s = (double)(now_ms - p->started_ms) / 1000.0;
    if (elapsed_s <= 0 || p->done_bytes == 0) {
        return;
    }
    double rate = (double)p->done_bytes / elapsed_s;
    char size[16];
    char left[32];
    int n = snprintf(buf, len, "  %s/s", format_size((uint64_t)rate, size, sizeof size));
    if (p->done_bytes < p->total_bytes && n >= 0 && (size_t)n < len) {
        // Rounded up: "0 s left" would be a lie.
        double left_s = (double)(p->total_bytes - p->done_bytes) / rate;
        uint64_t left_ms =
            left_s < 8.64e9 ? (uint64_t)left_s * 1000 + 1000 : UINT64_C(8640000000000);
        snprintf(buf + n, len - (size_t)n, "  %s left",
                 format_duration(left_ms, left, sizeof left));
    }
}

static void draw_bar(const struct progress *p, uint64_t now_ms)
{
    char amounts[64];
    char pace[96];
    char figures[192];
    format_amounts(p, amounts, sizeof amounts);
    format_pace(p, now_ms, pace, sizeof pace);
    snprintf(figures, sizeof figures, "%3u %%  %s%s", percent(p), amounts, pace);

    // The last column stays free: many terminals wrap as soon as it is written.
    size_t columns = terminal_columns(p->stream);
    size_t width = (columns > 0 ? columns : COLUMNS_ELSEWHERE) - 1;
    size_t right = strlen(figures) > FIGURES_WIDTH ? strlen(figures) : FIGURES_WIDTH;
    size_t used = strlen(p->step) + strlen("  []  ") + right;
    size_t bar_width = used < width ? width - used : 0;
    bar_width = bar_width < BAR_MAX ? bar_width : BAR_MAX;
    size_t filled = bar_width * percent(p) / 100;
    char bar[BAR_MAX + 1] = {0};
    memset(bar, '#', filled);
    memset(bar + filled, '.', bar_width - filled);

    char line[512];
    if (bar_width > 0) {
        snprintf(line, sizeof line, "%s  [%s]  %s", p->step, bar, figures);
    } else {
        snprintf(line, sizeof line, "%s  %s", p->step, figures);
    }
    // Padded with blanks to cover what an earlier, longer line left.
    fprintf(p->stream, "\r%-*.*s", (int)width, (int)width, line);
}

static void draw_line(const struct progress *p)
{
    char amounts[64];
    format_amounts(p, amounts, sizeof amounts);
    fprintf(p->stream, "%s: %u %% (%s)\n", p->step, percent(p), amounts);
}

// Step names are words of this program and need no escaping.
static void draw_json(const struct progress *p)
{
    fprintf(p->stream,
            "{\"event\":\"progress\",\"step\":\"%s\",\"done\":%" PRIu64 ",\"total\":%" PRIu64 "}\n",
            p->step, p->done_bytes, p->total_bytes);
}

static void show(struct progress *p, uint64_t now_ms)
{
    p->shown_ms = now_ms;
    p->shown_tenths = percent(p) / 10;
    switch (p->kind) {
    case PROGRESS_NONE:
        return;
    case PROGRESS_BAR:
        draw_bar(p, now_ms);
        break;
    case PROGRESS_LINES:
        draw_line(p);
        break;
    case PROGRESS_JSON:
        draw_json(p);
        break;
    }
    fflush(p->stream);
}

struct progress progress_on(FILE *stream, bool json, const struct clock *clock)
{
    struct progress p = {.kind = PROGRESS_LINES, .stream = stream, .clock = clock, .step = ""};
    if (json) {
        p.kind = PROGRESS_JSON;
    } else if (terminal_columns(stream) > 0) {
        p.kind = PROGRESS_BAR;
    }
    return p;
}

void progress_begin(struct progress *p, const char *step, uint64_t total_bytes)
{
    if (p->kind == PROGRESS_NONE) {
        return;
    }
    p->step = step;
    p->total_bytes = total_bytes;
    p->done_bytes = 0;
    p->started_ms = p->clock->ops->boottime_ms(p->clock);
    p->shown_ms = p->started_ms;
    p->shown_tenths = 0;
    if (p->kind != PROGRESS_LINES) {
        show(p, p->started_ms);
    }
}

void progress_add(struct progress *p, uint64_t bytes)
{
    if (p->beat != NULL) {
        p->beat(p->beat_context);
    }
    if (p->kind == PROGRESS_NONE) {
        return;
    }
    uint64_t left = p->total_bytes - p->done_bytes;
    p->done_bytes += bytes < left ? bytes : left;
    uint64_t now_ms = p->clock->ops->boottime_ms(p->clock);
    if (now_ms - p->shown_ms < REDRAW_MS) {
        return;
    }
    // The complete state is said once, by progress_end(); a bar may be drawn over itself.
    bool complete = p->done_bytes == p->total_bytes;
    if (p->kind != PROGRESS_BAR && complete) {
        return;
    }
    if (p->kind == PROGRESS_LINES && percent(p) / 10 <= p->shown_tenths) {
        return;
    }
    show(p, now_ms);
}

void progress_end(struct progress *p)
{
    if (p->kind == PROGRESS_NONE) {
        return;
    }
    show(p, p->clock->ops->boottime_ms(p->clock));
    if (p->kind == PROGRESS_BAR) {
        fputc('\n', p->stream);
        fflush(p->stream);
    }
}
