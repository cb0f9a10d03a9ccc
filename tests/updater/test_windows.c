// SPDX-License-Identifier: Apache-2.0
#include "updater/windows.h"

#include "tests/support/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_MIN = 24 * 60 };

// As POSIX writes them, so that no zone data need be installed.
static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
static const char new_york[] = "EST5EDT,M3.2.0,M11.1.0";
static const char santiago[] = "<-04>4<-03>,M9.1.6/24,M4.1.6/24"; // changes at midnight
static const char utc[] = "UTC0";

static void live_in(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static struct windows parsed(const char *text)
{
    struct windows w;
    if (!windows_parse(text, &w)) {
        fail_msg("expected to be taken: %s", text);
    }
    return w;
}

// --- the text ---------------------------------------------------------------------------------

static void assert_window(const struct window *x, unsigned days, unsigned start_min,
                          unsigned len_min)
{
    assert_int_equal(x->days, days);
    assert_int_equal(x->start_min, start_min);
    assert_int_equal(x->len_min, len_min);
}

static void a_window_has_days_a_start_and_a_length(void **state)
{
    (void)state;
    struct windows w = parsed("Sun 02:00-04:00, Mon-Fri 23:00-05:00, 12:00-13:05");
    assert_int_equal(w.count, 3);
    assert_window(&w.all[0], 0x01, 120, 120);
    assert_window(&w.all[1], 0x3e, 23 * 60, 6 * 60);
    assert_window(&w.all[2], 0x7f, 12 * 60, 65);
}

static void each_day_has_its_bit(void **state)
{
    (void)state;
    struct windows w = parsed("Sun 01:00-02:00,Mon 01:00-02:00,Tue 01:00-02:00,Wed 01:00-02:00,"
                              "Thu 01:00-02:00,Fri 01:00-02:00,Sat 01:00-02:00");
    assert_int_equal(w.count, 7);
    for (size_t day = 0; day < 7; day++) {
        assert_int_equal(w.all[day].days, 1U << day);
    }
}

static void days_may_go_over_the_end_of_the_week(void **state)
{
    (void)state;
    assert_int_equal(parsed("Fri-Mon 01:00-02:00").all[0].days, 0x63);
    assert_int_equal(parsed("Sat-Sun 01:00-02:00").all[0].days, 0x41);
    assert_int_equal(parsed("Mon-Sun 01:00-02:00").all[0].days, 0x7f);
}

static void a_window_may_be_a_day_long(void **state)
{
    (void)state;
    assert_window(&parsed("00:00-24:00").all[0], 0x7f, 0, DAY_MIN);
    assert_window(&parsed("Tue 12:00-24:00").all[0], 0x04, 720, 720);
    assert_window(&parsed("Tue 12:00-00:00").all[0], 0x04, 720, 720);
    assert_window(&parsed("23:59-23:58").all[0], 0x7f, 1439, 1439);
}

static void space_around_windows_does_not_matter(void **state)
{
    (void)state;
    struct windows w = parsed(" \tSun \t02:00-04:00 ,\tMon 02:00-04:00  ");
    assert_int_equal(w.count, 2);
    assert_int_equal(parsed("Sun 02:00-04:00,Mon 02:00-04:00").count, 2);
}

static void nothing_is_always_open(void **state)
{
    (void)state;
    assert_int_equal(parsed("").count, 0);
    assert_int_equal(parsed("  ").count, 0);
}

static void what_is_no_window_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "always",
        "never",
        ",",
        "Sun",
        "Sun 02:00",
        "Sun 02:00-",
        "Sun02:00-04:00",
        "sun 02:00-04:00",
        "Sunday 02:00-04:00",
        "Su 02:00-04:00",
        "Sun-Sun 02:00-04:00",
        "Sun- 02:00-04:00",
        "Sun -Mon 02:00-04:00",
        "Sun,Mon 02:00-04:00",
        "Sun Mon 02:00-04:00",
        "Sun 2:00-04:00",
        "Sun 02:0-04:00",
        "Sun 0200-0400",
        "Sun 02:00 - 04:00",
        "Sun 02:00-04:00:00",
        "Sun 02:60-04:00",
        "Sun 02:00-03:60",
        "Sun 02:00-24:01",
        "Sun 02:00-25:00",
        "Sun 24:00-02:00",
        "Sun -2:00-04:00",
        "Sun +2:00-04:00",
        "Sun 02:00-02:00",
        "00:00-00:00",
        "24:00-24:00",
        "Sun 02:00-04:00,",
        ",Sun 02:00-04:00",
        "Sun 02:00-04:00,,Mon 02:00-04:00",
        "Sun 02:00-04:00;Mon 02:00-04:00",
        "Sun 02:00-04:00 Mon 02:00-04:00",
        "Sun 02:00-04:00 UTC",
        "Sun 02:00-04:00\n",
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct windows w = {.count = 77};
        if (windows_parse(refused[i], &w)) {
            fail_msg("expected to be refused: %s", refused[i]);
        }
        assert_int_equal(w.count, 77);
    }
}

static void so_many_windows_fit_and_no_more(void **state)
{
    (void)state;
    char text[(WINDOWS_MAX + 1) * sizeof "01:00-02:00,"] = "01:00-02:00";
    for (int i = 1; i < WINDOWS_MAX; i++) {
        strcat(text, ",01:00-02:00");
    }
    assert_int_equal(parsed(text).count, WINDOWS_MAX);
    struct windows w;
    strcat(text, ",01:00-02:00");
    assert_false(windows_parse(text, &w));
}

static void assert_state(const struct windows *w, const char *text, uint64_t now_s, bool open,
                         uint64_t changes_s)
{
    struct window_state got;
    windows_at(w, now_s, &got);
    if (got.open != open || got.changes_s != changes_s) {
        fail_msg("\"%s\", TZ %s, at %" PRIu64 "\n  expected: %s until %" PRIu64
                 "\n       got: %s until %" PRIu64,
                 text, getenv("TZ"), now_s, open ? "open" : "closed", changes_s,
                 got.open ? "open" : "closed", got.changes_s);
    }
}

// --- the days of a clock change, by hand ------------------------------------------------------

// Berlin skips 02:00-03:00 on Sunday 2026-03-29 at this second, and shows it twice on 2026-10-25:
// `back_s` is when 03:00 becomes 02:00.
static const uint64_t skip_s = 1774746000;
static const uint64_t back_s = 1792890000;
enum { MINUTE = 60, HOUR = 3600 };

// From `from_s` on, the windows open and close at these times and no others.
static void assert_changes(const char *text, uint64_t from_s, bool open, const uint64_t *at,
                           size_t count)
{
    struct windows w = parsed(text);
    uint64_t t = from_s;
    for (size_t i = 0; i < count; i++) {
        assert_state(&w, text, t, open, at[i]);
        assert_state(&w, text, at[i] - 1, open, at[i]);
        t = at[i];
        open = !open;
    }
}

static void a_start_in_the_skipped_hour_begins_when_that_ends(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes("Sun 02:30-04:00", skip_s - 2 * HOUR, false, (uint64_t[]){skip_s, skip_s + HOUR},
                   2);
}

static void a_window_around_the_skipped_hour_is_an_hour_shorter(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes("Sun 01:00-04:00", skip_s - 2 * HOUR, false,
                   (uint64_t[]){skip_s - HOUR, skip_s + HOUR}, 2);
}

static void an_end_in_the_skipped_hour_is_when_that_begins(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes("Sun 01:00-02:30", skip_s - 2 * HOUR, false, (uint64_t[]){skip_s - HOUR, skip_s},
                   2);
}

static void a_window_within_the_skipped_hour_opens_a_week_later(void **state)
{
    (void)state;
    live_in(berlin);
    uint64_t next = skip_s + 7 * 24 * HOUR - 45 * MINUTE;
    assert_changes("Sun 02:15-02:45", skip_s - 2 * HOUR, false,
                   (uint64_t[]){next, next + 30 * MINUTE}, 2);
}

static void a_start_in_the_repeated_hour_opens_both_times(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes(
        "Sun 02:30-04:00", back_s - 2 * HOUR, false,
        (uint64_t[]){back_s - 30 * MINUTE, back_s, back_s + 30 * MINUTE, back_s + 2 * HOUR}, 4);
}

static void an_end_in_the_repeated_hour_closes_both_times(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes(
        "Sun 01:00-02:30", back_s - 3 * HOUR, false,
        (uint64_t[]){back_s - 2 * HOUR, back_s - 30 * MINUTE, back_s, back_s + 30 * MINUTE}, 4);
}

static void the_repeated_hour_itself_is_one_window_of_two_hours(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes("Sun 02:00-03:00", back_s - 2 * HOUR, false,
                   (uint64_t[]){back_s - HOUR, back_s + HOUR}, 2);
}

static void a_window_around_the_repeated_hour_is_an_hour_longer(void **state)
{
    (void)state;
    live_in(berlin);
    assert_changes("Sun 01:00-04:00", back_s - 3 * HOUR, false,
                   (uint64_t[]){back_s - 2 * HOUR, back_s + 2 * HOUR}, 2);
}

// Local midnight is skipped: Sunday 2026-09-06 begins at 01:00.
static void a_window_that_starts_at_a_skipped_midnight_opens_at_one(void **state)
{
    (void)state;
    live_in(santiago);
    uint64_t midnight = 1788667200;
    assert_changes("Sun 00:00-02:00", midnight - HOUR, false,
                   (uint64_t[]){midnight, midnight + HOUR}, 2);
    assert_changes("Sat 23:00-01:30", midnight - 2 * HOUR, false,
                   (uint64_t[]){midnight - HOUR, midnight + 30 * MINUTE}, 2);
}

// --- the rest ---------------------------------------------------------------------------------

static void windows_that_overlap_or_touch_are_one(void **state)
{
    (void)state;
    live_in(utc);
    uint64_t sunday = 1767484800; // 2026-01-04
    assert_changes("Sun 03:00-04:00, Sun 01:00-02:00, Sun 01:30-03:00, Sun 01:10-01:20", sunday,
                   false, (uint64_t[]){sunday + HOUR, sunday + 4 * HOUR}, 2);
}

static void what_is_always_open_never_changes(void **state)
{
    (void)state;
    static const char *const always[] = {"", "00:00-24:00", "12:00-00:00, 00:00-12:00",
                                         "Mon-Sun 06:00-05:59, Sun-Sat 05:00-07:00"};
    live_in(berlin);
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        struct windows w = parsed(always[i]);
        assert_state(&w, always[i], skip_s, true, UINT64_MAX);
        assert_state(&w, always[i], back_s - 1, true, UINT64_MAX);
        assert_state(&w, always[i], 0, true, UINT64_MAX);
    }
}

static void a_clock_that_was_never_set_is_asked_like_any_other(void **state)
{
    (void)state;
    live_in(new_york); // 1970 begins on a Wednesday, at 19:00
    assert_changes("Wed 20:00-21:00", 0, false, (uint64_t[]){HOUR, 2 * HOUR}, 2);
    live_in(utc);
    assert_changes("Thu 00:00-01:00", 0, true, (uint64_t[]){HOUR}, 1);
}

static void a_clock_beyond_all_years_is_answered(void **state)
{
    (void)state;
    live_in(berlin);
    struct windows w = parsed("Sun 02:00-04:00");
    struct window_state got;
    windows_at(&w, UINT64_C(1) << 40, &got);
    bool open = got.open;
    windows_at(&w, UINT64_MAX, &got);
    assert_int_equal(got.open, open);
    assert_int_equal(got.changes_s, UINT64_MAX);
    windows_at(&w, INT64_MAX, &got);
    assert_int_equal(got.open, open);
    assert_int_equal(got.changes_s, UINT64_MAX);
    windows_at(&w, (UINT64_C(1) << 40) - 1, &got);
    assert_in_range(got.changes_s - (UINT64_C(1) << 40), 0, 7 * 24 * HOUR);
}

static void a_zone_that_was_changed_is_taken_up(void **state)
{
    (void)state;
    struct windows w = parsed("Sun 02:00-04:00");
    char text[WINDOWS_TEXT_SIZE];
    uint64_t sunday = 1767484800; // 2026-01-04
    live_in(utc);
    assert_state(&w, "Sun 02:00-04:00", sunday, false, sunday + 2 * HOUR);
    setenv("TZ", berlin, 1);
    assert_state(&w, "Sun 02:00-04:00", sunday, false, sunday + HOUR);
    setenv("TZ", new_york, 1);
    assert_string_equal(windows_next_text(sunday, text, sizeof text), "Sat 19:00");
}

static void the_text_of_a_time_is_its_day_and_time_here(void **state)
{
    (void)state;
    char text[WINDOWS_TEXT_SIZE];
    live_in(berlin);
    assert_string_equal(windows_next_text(skip_s - 1, text, sizeof text), "Sun 01:59");
    assert_string_equal(windows_next_text(skip_s, text, sizeof text), "Sun 03:00");
    assert_string_equal(windows_next_text(back_s - 1, text, sizeof text), "Sun 02:59");
    assert_string_equal(windows_next_text(back_s, text, sizeof text), "Sun 02:00");
    assert_string_equal(windows_next_text(back_s + 22 * HOUR, text, sizeof text), "Mon 00:00");
    assert_string_equal(windows_next_text(UINT64_MAX, text, sizeof text), "never");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_has_days_a_start_and_a_length),
        cmocka_unit_test(each_day_has_its_bit),
        cmocka_unit_test(days_may_go_over_the_end_of_the_week),
        cmocka_unit_test(a_window_may_be_a_day_long),
        cmocka_unit_test(space_around_windows_does_not_matter),
        cmocka_unit_test(nothing_is_always_open),
        cmocka_unit_test(what_is_no_window_is_refused_and_nothing_is_written),
        cmocka_unit_test(so_many_windows_fit_and_no_more),
        cmocka_unit_test(a_start_in_the_skipped_hour_begins_when_that_ends),
        cmocka_unit_test(a_window_around_the_skipped_hour_is_an_hour_shorter),
        cmocka_unit_test(an_end_in_the_skipped_hour_is_when_that_begins),
        cmocka_unit_test(a_window_within_the_skipped_hour_opens_a_week_later),
        cmocka_unit_test(a_start_in_the_repeated_hour_opens_both_times),
        cmocka_unit_test(an_end_in_the_repeated_hour_closes_both_times),
        cmocka_unit_test(the_repeated_hour_itself_is_one_window_of_two_hours),
        cmocka_unit_test(a_window_around_the_repeated_hour_is_an_hour_longer),
        cmocka_unit_test(a_window_that_starts_at_a_skipped_midnight_opens_at_one),
        cmocka_unit_test(windows_that_overlap_or_touch_are_one),
        cmocka_unit_test(what_is_always_open_never_changes),
        cmocka_unit_test(a_clock_that_was_never_set_is_asked_like_any_other),
        cmocka_unit_test(a_clock_beyond_all_years_is_answered),
        cmocka_unit_test(a_zone_that_was_changed_is_taken_up),
        cmocka_unit_test(the_text_of_a_time_is_its_day_and_time_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
