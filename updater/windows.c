// SPDX-License-Identifier: Apache-2.0
#include "updater/windows.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    DAY_MIN = 24 * 60,
    DAY_S = DAY_MIN * 60,
    WEEK_DAYS = 7,
    WEEK_S = WEEK_DAYS * DAY_S,
    YEAR_S = 365 * DAY_S,
    EVERY_DAY = 0x7f,
    EPOCH_DAY = 4, // 1970-01-01 was a Thursday
};

// Later times, some 34,000 years ahead, are taken as this one: sums of seconds do not overflow.
#define LAST_S (UINT64_C(1) << 40)

static const char day_names[WEEK_DAYS][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static bool take_char(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

static void skip_space(const char **at)
{
    *at += strspn(*at, " \t");
}

static bool take_day(const char **at, unsigned *ret_day)
{
    for (unsigned day = 0; day < WEEK_DAYS; day++) {
        if (strncmp(*at, day_names[day], 3) == 0) {
            *at += 3;
            *ret_day = day;
            return true;
        }
    }
    return false;
}

// Sun or Fri-Mon, and the space after it; every day when there is none.
static bool take_days(const char **at, uint8_t *ret_days)
{
    unsigned first;
    if (!take_day(at, &first)) {
        *ret_days = EVERY_DAY;
        return true;
    }
    unsigned last = first;
    if (take_char(at, '-') && (!take_day(at, &last) || last == first)) {
        return false;
    }
    unsigned days = 1U << last;
    for (unsigned day = first; day != last; day = (day + 1) % WEEK_DAYS) {
        days |= 1U << day;
    }
    const char *end = *at;
    skip_space(at);
    *ret_days = (uint8_t)days;
    return *at != end;
}

static bool take_two_digits(const char **at, unsigned *ret)
{
    unsigned v = 0;
    for (int i = 0; i < 2; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        v = v * 10 + (unsigned)(**at - '0');
    }
    *ret = v;
    return true;
}

// 00:00 to 24:00, in minutes.
static bool take_time(const char **at, unsigned *ret_min)
{
    unsigned hour;
    unsigned minute;
    if (!take_two_digits(at, &hour) || !take_char(at, ':') || !take_two_digits(at, &minute) ||
        minute > 59 || hour * 60 + minute > DAY_MIN) {
        return false;
    }
    *ret_min = hour * 60 + minute;
    return true;
}

static bool take_window(const char **at, struct window *ret)
{
    uint8_t days;
    unsigned from;
    unsigned to;
    if (!take_days(at, &days) || !take_time(at, &from) || !take_char(at, '-') ||
        !take_time(at, &to) || from == DAY_MIN || from == to) {
        return false;
    }
    unsigned len = to > from ? to - from : to + DAY_MIN - from;
    *ret = (struct window){days, (uint16_t)from, (uint16_t)len};
    return true;
}

bool windows_parse(const char *text, struct windows *ret)
{
    struct windows w = {0};
    const char *at = text;
    skip_space(&at);
    if (*at != '\0') {
        do {
            skip_space(&at);
            if (w.count == WINDOWS_MAX || !take_window(&at, &w.all[w.count])) {
                return false;
            }
            w.count++;
            skip_space(&at);
        } while (take_char(&at, ','));
    }
    if (*at != '\0') {
        return false;
    }
    *ret = w;
    return true;
}

// What local time is ahead of UTC.
static int64_t offset_s(uint64_t t_s)
{
    struct tm tm = {0};
    time_t t = (time_t)t_s;
    (void)localtime_r(&t, &tm);
    return tm.tm_gmtoff;
}

// What the clock on the wall shows at `t_s`: seconds since Sunday, 00:00.
static uint32_t week_second(uint64_t t_s)
{
    int64_t shown = (int64_t)t_s + offset_s(t_s) + INT64_C(1) * EPOCH_DAY * DAY_S;
    return (uint32_t)(shown % WEEK_S);
}

// How long window `x` goes on at second `at` of the week, or past its end; 0: it is closed. It may
// have started that day or the day before; no window is so long that both can be.
static uint32_t rest_s(const struct window *x, uint32_t at)
{
    uint32_t start = x->start_min * UINT32_C(60);
    uint32_t end = start + x->len_min * UINT32_C(60);
    for (uint32_t back = 0; back <= 1; back++) {
        uint32_t day = (at / DAY_S + WEEK_DAYS - back) % WEEK_DAYS;
        uint32_t into = at % DAY_S + back * DAY_S;
        if ((x->days >> day & 1) != 0 && into >= start && into < end) {
            return end - into;
        }
    }
    return 0;
}

// How long it stays open from second `at` of the week on, by the clock on the wall; 0: it is
// closed. WEEK_S or more: always.
static uint32_t open_for_s(const struct windows *w, uint32_t at)
{
    uint32_t sum = 0;
    uint32_t longest;
    do {
        longest = 0;
        for (size_t i = 0; i < w->count; i++) {
            uint32_t rest = rest_s(&w->all[i], at + sum);
            longest = rest > longest ? rest : longest;
        }
        sum += longest;
    } while (longest > 0 && sum < WEEK_S);
    return sum;
}

// How long it stays closed, likewise; 0: it is open.
static uint32_t closed_for_s(const struct windows *w, uint32_t at)
{
    if (open_for_s(w, at) > 0) {
        return 0;
    }
    uint32_t least = WEEK_S;
    for (size_t i = 0; i < w->count; i++) {
        for (uint32_t day = 0; day < WEEK_DAYS; day++) {
            uint32_t start = day * DAY_S + w->all[i].start_min * UINT32_C(60);
            uint32_t wait = (start + WEEK_S - at) % WEEK_S;
            if ((w->all[i].days >> day & 1) != 0 && wait < least) {
                least = wait;
            }
        }
    }
    return least;
}

// The first second after `from` with another offset from UTC than `from` has; `to` when there is
// none before it.
static uint64_t clock_change(uint64_t from, uint64_t to)
{
    int64_t offset = offset_s(from);
    uint64_t before = from;
    uint64_t after = from;
    while (after < to && offset_s(after) == offset) {
        before = after;
        after = to - before > DAY_S ? before + DAY_S : to;
    }
    if (offset_s(after) == offset) {
        return to;
    }
    while (after - before > 1) {
        uint64_t middle = before + (after - before) / 2;
        if (offset_s(middle) == offset) {
            before = middle;
        } else {
            after = middle;
        }
    }
    return after;
}

// Between two clock changes the clock on the wall goes as fast as time does.
static uint64_t next_change(const struct windows *w, uint64_t now_s, bool open)
{
    uint64_t from = now_s;
    while (from < now_s + YEAR_S) {
        uint32_t at = week_second(from);
        uint32_t same = open ? open_for_s(w, at) : closed_for_s(w, at);
        if (same == 0) {
            return from;
        }
        if (open && same >= WEEK_S) {
            return UINT64_MAX;
        }
        from = clock_change(from, from + same);
    }
    return from;
}

void windows_at(const struct windows *w, uint64_t now_s, struct window_state *ret)
{
    *ret = (struct window_state){.open = true, .changes_s = UINT64_MAX};
    if (w->count > 0) {
        tzset(); // localtime_r() need not look for a zone that was changed
        uint64_t now = now_s < LAST_S ? now_s : LAST_S;
        ret->open = open_for_s(w, week_second(now)) > 0;
        ret->changes_s = now_s < LAST_S ? next_change(w, now, ret->open) : UINT64_MAX;
    }
}

const char *windows_next_text(uint64_t at_s, char *buf, size_t size)
{
    if (at_s > LAST_S) {
        snprintf(buf, size, "never");
        return buf;
    }
    tzset();
    uint32_t minute = week_second(at_s) / 60;
    snprintf(buf, size, "%s %02u:%02u", day_names[minute / DAY_MIN], minute % DAY_MIN / 60,
             minute % 60);
    return buf;
}
