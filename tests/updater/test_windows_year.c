// SPDX-License-Identifier: Apache-2.0
// A year of windows in several zones, against a model that asks the C library what the clock on the
// wall shows in each minute of it.
#include "updater/windows.h"

#include "tests/support/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    DAY_MIN = 24 * 60,
    WEEK_MIN = 7 * DAY_MIN,
    // A year, and room for the change after its last minute.
    YEAR_MIN = 365 * DAY_MIN,
    MODEL_MIN = YEAR_MIN + 3 * WEEK_MIN,
    SPANS_MAX = 12,
};

static const uint64_t year_2026_s = 1767225600;

// As POSIX writes them, so that no zone data need be installed.
static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
static const char new_york[] = "EST5EDT,M3.2.0,M11.1.0";
static const char lord_howe[] = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
static const char santiago[] = "<-04>4<-03>,M9.1.6/24,M4.1.6/24"; // changes at midnight
static const char dublin[] = "IST-1GMT0,M10.5.0,M3.5.0/1";        // saves in winter, backwards
static const char kathmandu[] = "<+0545>-5:45";
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

// A set of windows, and the same as minutes of the week, by hand; an end may be past the week's.
struct schedule {
    const char *text;
    struct {
        unsigned from;
        unsigned to;
    } spans[SPANS_MAX];
};

enum { SUN = 0, MON = DAY_MIN, TUE = 2 * DAY_MIN, FRI = 5 * DAY_MIN, SAT = 6 * DAY_MIN };

static const struct schedule schedules[] = {
    {"Sun 02:00-04:00", {{SUN + 120, SUN + 240}}},
    {"Sun 02:30-04:00", {{SUN + 150, SUN + 240}}},
    {"Sun 01:00-02:30", {{SUN + 60, SUN + 150}}},
    {"Sun 02:00-03:00", {{SUN + 120, SUN + 180}}},
    {"Sun 02:10-02:20, Sun 02:40-02:50", {{SUN + 130, SUN + 140}, {SUN + 160, SUN + 170}}},
    {"Sun 01:15-01:45", {{SUN + 75, SUN + 105}}},
    {"Sat 23:30-00:30", {{SAT + 1410, SAT + 1470}}},
    {"Sun 00:00-24:00, Mon 00:00-00:01", {{SUN, SUN + DAY_MIN + 1}}},
    {"Fri-Mon 22:00-05:00, Tue 12:00-13:00",
     {{FRI + 1320, FRI + 1740},
      {SAT + 1320, SAT + 1740},
      {SUN + 1320, SUN + 1740},
      {MON + 1320, MON + 1740},
      {TUE + 720, TUE + 780}}},
    {"Sun 01:00-02:00, Sun 02:00-03:00, Sun 02:30-03:30, Sun 04:00-04:30, Sat 12:00-11:00",
     {{SAT + 720, SAT + 2100}, {SUN + 60, SUN + 210}, {SUN + 240, SUN + 270}}},
    {"Mon 00:00-24:00, Wed-Sun 00:00-24:00, Tue 00:00-12:00, Tue 12:01-00:00",
     {{SUN, TUE + 720}, {TUE + 721, WEEK_MIN}}},
};

struct model {
    uint16_t shown[MODEL_MIN]; // minutes of the week, by the clock on the wall
    bool open[MODEL_MIN];
    unsigned changes;
};

static void model_fill_clock(struct model *m)
{
    for (unsigned i = 0; i < MODEL_MIN; i++) {
        struct tm tm;
        time_t t = (time_t)(year_2026_s + i * UINT64_C(60));
        assert_non_null(localtime_r(&t, &tm));
        m->shown[i] = (uint16_t)(tm.tm_wday * DAY_MIN + tm.tm_hour * 60 + tm.tm_min);
    }
}

static void model_fill_open(struct model *m, const struct schedule *s)
{
    bool week[WEEK_MIN] = {false};
    for (size_t i = 0; i < SPANS_MAX; i++) {
        for (unsigned minute = s->spans[i].from; minute < s->spans[i].to; minute++) {
            week[minute % WEEK_MIN] = true;
        }
    }
    m->changes = 0;
    for (unsigned i = 0; i < MODEL_MIN; i++) {
        m->open[i] = week[m->shown[i]];
        m->changes += i > 0 && i < YEAR_MIN && m->open[i] != m->open[i - 1];
    }
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

// Each minute of the year is asked, or only those around changes and one in `stride`; and there the
// last second of the minute too.
static unsigned assert_year(const struct model *m, const struct schedule *s, unsigned stride)
{
    struct windows w = parsed(s->text);
    unsigned next = MODEL_MIN - 1;
    unsigned asked = 0;
    while (m->open[next] == m->open[next - 1]) {
        next--;
    }
    for (unsigned i = next; i-- > 0;) {
        if (m->open[i] != m->open[i + 1]) {
            next = i + 1;
        }
        uint64_t t = year_2026_s + i * UINT64_C(60);
        uint64_t changes_s = year_2026_s + next * UINT64_C(60);
        bool edge = next == i + 1 || (i > 0 && m->open[i - 1] != m->open[i]) ||
                    (m->shown[i] + 1) % WEEK_MIN != m->shown[i + 1];
        if (edge || i % stride == 0) {
            assert_state(&w, s->text, t, m->open[i], changes_s);
            assert_state(&w, s->text, t + 59, m->open[i], changes_s);
            asked += 2;
        }
    }
    return asked;
}

// `stride`: of the first schedule.
static void assert_zone(const char *zone, unsigned clock_changes, unsigned stride)
{
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    live_in(zone);
    model_fill_clock(m);
    unsigned jumps = 0;
    for (unsigned i = 1; i < YEAR_MIN; i++) {
        jumps += (m->shown[i - 1] + 1) % WEEK_MIN != m->shown[i];
    }
    assert_int_equal(jumps, clock_changes);
    unsigned asked = 0;
    unsigned changes = 0;
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        model_fill_open(m, &schedules[i]);
        asked += assert_year(m, &schedules[i], i == 0 ? stride : 97);
        changes += m->changes;
    }
    print_message("%s: %u clock changes, %u openings and closings, %u times asked\n", zone, jumps,
                  changes, asked);
    free(m);
}

static void a_year_in_berlin_is_as_the_clock_on_the_wall_says(void **state)
{
    (void)state;
    assert_zone(berlin, 2, 1);
}

static void a_year_in_new_york_is_as_the_clock_on_the_wall_says(void **state)
{
    (void)state;
    assert_zone(new_york, 2, 31);
}

static void a_year_on_lord_howe_island_where_half_an_hour_is_skipped(void **state)
{
    (void)state;
    assert_zone(lord_howe, 2, 31);
}

static void a_year_in_santiago_where_midnight_is_skipped(void **state)
{
    (void)state;
    assert_zone(santiago, 2, 31);
}

static void a_year_in_dublin_whose_winter_time_is_the_saving_one(void **state)
{
    (void)state;
    assert_zone(dublin, 2, 31);
}

static void a_year_where_no_clock_changes(void **state)
{
    (void)state;
    assert_zone(utc, 0, 31);
    assert_zone(kathmandu, 0, 31);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_year_in_berlin_is_as_the_clock_on_the_wall_says),
        cmocka_unit_test(a_year_in_new_york_is_as_the_clock_on_the_wall_says),
        cmocka_unit_test(a_year_on_lord_howe_island_where_half_an_hour_is_skipped),
        cmocka_unit_test(a_year_in_santiago_where_midnight_is_skipped),
        cmocka_unit_test(a_year_in_dublin_whose_winter_time_is_the_saving_one),
        cmocka_unit_test(a_year_where_no_clock_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
