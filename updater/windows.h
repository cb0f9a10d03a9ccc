// SPDX-License-Identifier: Apache-2.0
// Weekly windows in local time: whether one is open, and to the second when that changes.
//
// A window is a span of wall-clock time that comes back every week: "Sun 02:00-04:00". It is open
// at an instant when what the clock on the wall shows at that instant lies within the span; so what
// a clock change does follows, and is the same for each window:
//
//   the clock skips 02:00-03:00            |  the clock shows 02:00-03:00 twice
//   ---------------------------------------+---------------------------------------------------
//   02:30-04:00 begins when the skipped    |  02:30-04:00 opens at the first 02:30, closes when
//     hour ends, at 03:00                  |    the clock goes back, opens at the second 02:30
//   01:00-04:00 is an hour shorter         |  01:00-04:00 is an hour longer
//   01:00-02:30 ends when the skipped      |  02:15-02:30 is open both times
//     hour begins                          |
//   02:15-02:45 does not open that day     |  02:00-03:00 is open for two hours
//
// The time zone is the system's (localtime(3)), there is no zone data of our own, and a zone that
// was changed while the program runs is taken up as far as the C library does so.
//
// Invariants
// 1. At now_s and up to the second before changes_s it is as `open` says, at changes_s it is not:
//    windows that overlap or touch are one, and a clock change within a window is no change.
// 2. No window at all is always open, and so is a week that is covered; changes_s is then
//    UINT64_MAX. Otherwise it is a time after now_s.
// 3. Nothing is remembered between calls: who waits for changes_s asks again then, and also when
//    the wall clock was set.
#ifndef UPDATER_WINDOWS_H
#define UPDATER_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WINDOWS_MAX = 32,
    WINDOWS_TEXT_SIZE = sizeof "Sun 02:00",
};

struct windows {
    size_t count; // 0: always open
    struct window {
        uint8_t days;       // of its start; bit 0: Sunday
        uint16_t start_min; // after midnight, below 24 * 60
        uint16_t len_min;   // 1 to 24 * 60, on the wall clock; it may end on the next day
    } all[WINDOWS_MAX];
};

struct window_state {
    bool open;
    uint64_t changes_s; // wall time of the next opening or closing; UINT64_MAX: never
};

// "Sun 02:00-04:00, Mon-Fri 23:00-05:00, 12:00-13:00": windows with commas between them, each of
// them a day, or days from one to another (Fri-Mon: over the end of the week), and the times from
// and to. Without a day: every day. An end that is not after its start is on the next day;
// 00:00-24:00 is the whole day. The empty text is always open. False, and nothing is written, for
// anything else: other words, days without times, a day of the week to itself (Mon-Mon), times past
// 23:59 (24:00 as an end is one), a window that ends where it starts, more than WINDOWS_MAX.
bool windows_parse(const char *text, struct windows *ret);

// `now_s`: wall time. Two clock changes within a day that cancel out are not
// seen; no zone has such.
void windows_at(const struct windows *w, uint64_t now_s, struct window_state *ret);

// "Sun 02:00", in local time; "never" for UINT64_MAX. Returns `buf`, of WINDOWS_TEXT_SIZE bytes.
const char *windows_next_text(uint64_t at_s, char *buf, size_t size);

#endif
