// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

#include "base/cleanup.h"
#include "tests/support/pseudo_terminal.h"

static const uint64_t MIB = UINT64_C(1) << 20;

// A clock that stands still until a test moves it, and a stream into memory.
struct desk {
    struct clock clock; // first, so that the two pointers are one
    uint64_t now_ms;
    FILE *stream;
    char *text;
    size_t len;
};

static uint64_t desk_boottime_ms(const struct clock *c)
{
    return ((const struct desk *)c)->now_ms;
}

static const struct clock_ops desk_ops = {.boottime_ms = desk_boottime_ms};

static int setup(void **state)
{
    struct desk *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return -1;
    }
    d->clock.ops = &desk_ops;
    d->now_ms = 1000000;
    d->stream = open_memstream(&d->text, &d->len);
    *state = d;
    return d->stream == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct desk *d = *state;
    fclose(d->stream);
    free(d->text);
    free(d);
    return 0;
}

static struct progress progress_of_kind(struct desk *d, enum progress_kind kind)
{
    struct progress p = progress_on(d->stream, false, &d->clock);
    p.kind = kind;
    return p;
}

static void advance(struct desk *d, struct progress *p, uint64_t ms, uint64_t bytes)
{
    d->now_ms += ms;
    progress_add(p, bytes);
}

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += *text == c;
    }
    return n;
}

// What stands on the screen after the last redraw, without the blanks at its end.
static const char *last_drawn(const struct desk *d, char *buf, size_t len)
{
    const char *start = strrchr(d->text, '\r');
    assert_non_null(start);
    snprintf(buf, len, "%s", start + 1);
    for (size_t n = strlen(buf); n > 0 && (buf[n - 1] == ' ' || buf[n - 1] == '\n'); n--) {
        buf[n - 1] = '\0';
    }
    return buf;
}

static void a_stream_that_is_no_terminal_gets_lines(void **state)
{
    struct desk *d = *state;
    assert_int_equal(progress_on(d->stream, false, &d->clock).kind, PROGRESS_LINES);
}

static void json_is_given_when_asked_for(void **state)
{
    struct desk *d = *state;
    assert_int_equal(progress_on(d->stream, true, &d->clock).kind, PROGRESS_JSON);
}

static void json_has_one_event_a_line_from_zero_to_the_total(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_on(d->stream, true, &d->clock);
    progress_begin(&p, "download", 200);
    advance(d, &p, 100, 50);
    advance(d, &p, 100, 150);
    progress_end(&p);
    assert_string_equal(
        d->text, "{\"event\":\"progress\",\"step\":\"download\",\"done\":0,\"total\":200}\n"
                 "{\"event\":\"progress\",\"step\":\"download\",\"done\":50,\"total\":200}\n"
                 "{\"event\":\"progress\",\"step\":\"download\",\"done\":200,\"total\":200}\n");
}

static void at_most_ten_redraws_happen_in_a_second(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_on(d->stream, true, &d->clock);
    progress_begin(&p, "download", 1000000);
    for (int ms = 0; ms < 1000; ms++) {
        advance(d, &p, 1, 10);
    }
    // One at the beginning and ten in the second after it.
    assert_int_equal(count(d->text, '\n'), 11);
    struct progress bar = progress_of_kind(d, PROGRESS_BAR);
    size_t before = d->len;
    progress_begin(&bar, "verify", 1000000);
    for (int ms = 0; ms < 1000; ms++) {
        advance(d, &bar, 1, 10);
    }
    assert_int_equal(count(d->text + before, '\r'), 11);
}

static void the_last_state_is_shown_however_fast_the_step_was(void **state)
{
    struct desk *d = *state;
    for (int kind = PROGRESS_BAR; kind <= PROGRESS_JSON; kind++) {
        struct progress p = progress_of_kind(d, (enum progress_kind)kind);
        size_t before = d->len;
        progress_begin(&p, "verify", 4096);
        advance(d, &p, 0, 4096);
        progress_end(&p);
        assert_contains(d->text + before, kind == PROGRESS_JSON ? "\"done\":4096" : "100 %");
        assert_int_equal(d->text[d->len - 1], '\n');
    }
}

static void done_never_exceeds_the_total(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_on(d->stream, true, &d->clock);
    progress_begin(&p, "download", 100);
    progress_add(&p, 60);
    progress_add(&p, 60);
    assert_int_equal(p.done_bytes, 100);
    progress_add(&p, UINT64_MAX);
    assert_int_equal(p.done_bytes, 100);
}

static void a_total_of_zero_is_complete_from_the_start(void **state)
{
    struct desk *d = *state;
    for (int kind = PROGRESS_BAR; kind <= PROGRESS_JSON; kind++) {
        struct progress p = progress_of_kind(d, (enum progress_kind)kind);
        size_t before = d->len;
        progress_begin(&p, "verify", 0);
        advance(d, &p, 500, 0);
        advance(d, &p, 500, 10);
        progress_end(&p);
        assert_int_equal(p.done_bytes, 0);
        assert_contains(d->text + before, kind == PROGRESS_JSON ? "\"total\":0}" : "100 %");
    }
}

static void lines_come_at_every_tenth_and_only_once(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_LINES);
    progress_begin(&p, "download", 256 * MIB);
    for (int i = 0; i < 256; i++) {
        advance(d, &p, 100, MIB);
    }
    progress_end(&p);
    assert_int_equal(count(d->text, '\n'), 10);
    assert_contains(d->text, "download: 10 % (26.0/256.0 MiB)\n");
    assert_contains(d->text, "download: 50 % (128.0/256.0 MiB)\n");
    assert_contains(d->text, "download: 90 % (231.0/256.0 MiB)\n");
    assert_contains(d->text, "download: 100 % (256.0/256.0 MiB)\n");
}

static void a_step_that_is_given_up_says_how_far_it_came(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_LINES);
    progress_begin(&p, "download", 1000);
    advance(d, &p, 10, 430);
    progress_end(&p);
    assert_string_equal(d->text, "download: 43 % (430/1000 B)\n");
}

static void ninety_nine_percent_is_not_rounded_to_a_hundred(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_LINES);
    progress_begin(&p, "download", UINT64_MAX);
    advance(d, &p, 1000, UINT64_MAX - 1);
    assert_contains(d->text, "download: 99 %");
}

static void a_bar_shows_share_amounts_rate_and_time_left(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_BAR);
    char line[256];
    progress_begin(&p, "download", 256 * MIB);
    assert_string_equal(last_drawn(d, line, sizeof line),
                        "download  [.................]    0 %  0.0/256.0 MiB");
    advance(d, &p, 2000, 128 * MIB);
    assert_string_equal(
        last_drawn(d, line, sizeof line),
        "download  [########.........]   50 %  128.0/256.0 MiB  64.0 MiB/s  3 s left");
    advance(d, &p, 2000, 128 * MIB);
    progress_end(&p);
    assert_string_equal(last_drawn(d, line, sizeof line),
                        "download  [#################]  100 %  256.0/256.0 MiB  64.0 MiB/s");
    assert_int_equal(count(d->text, '\n'), 1);
}

static void every_redraw_is_as_wide_as_the_one_before(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_BAR);
    progress_begin(&p, "download", 256 * MIB);
    for (int i = 0; i < 10; i++) {
        advance(d, &p, 100, 20 * MIB);
    }
    // Each is one carriage return and 79 columns: 80 would wrap the line.
    assert_int_equal(d->len, 11 * 80);
}

static void a_slow_step_has_a_long_time_left_and_no_overflow(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_BAR);
    char line[256];
    progress_begin(&p, "download", UINT64_MAX);
    advance(d, &p, 1000000, 1);
    assert_contains(last_drawn(d, line, sizeof line), "100000 d left");
}

static void a_terminal_gets_a_bar_of_its_own_width(void **state)
{
    struct desk *d = *state;
    static const unsigned short widths[] = {1, 2, 20, 60, 100, 200, 2000};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        CLEANUP(cleanup_fclose) FILE *stream = NULL;
        CLEANUP(cleanup_close) int master = pseudo_terminal_open(widths[i], &stream);
        char text[4096];
        struct progress p = progress_on(stream, false, &d->clock);
        assert_int_equal(p.kind, PROGRESS_BAR);
        progress_begin(&p, "download", 256 * MIB);
        // A carriage return and all columns but the last.
        assert_int_equal(pseudo_terminal_read(master, text, sizeof text), widths[i]);
    }
}

static void no_progress_prints_nothing_and_asks_no_clock(void **state)
{
    struct desk *d = *state;
    struct progress p = {.kind = PROGRESS_NONE, .stream = d->stream};
    progress_begin(&p, "download", 100);
    progress_add(&p, 100);
    progress_end(&p);
    fflush(d->stream);
    assert_int_equal(d->len, 0);
}

static void a_second_step_starts_from_zero(void **state)
{
    struct desk *d = *state;
    struct progress p = progress_of_kind(d, PROGRESS_LINES);
    progress_begin(&p, "download", 100);
    advance(d, &p, 1000, 100);
    progress_end(&p);
    progress_begin(&p, "verify", 200);
    assert_int_equal(p.done_bytes, 0);
    advance(d, &p, 1000, 20);
    assert_contains(d->text, "verify: 10 % (20/200 B)\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_stream_that_is_no_terminal_gets_lines),
        T(json_is_given_when_asked_for),
        T(json_has_one_event_a_line_from_zero_to_the_total),
        T(at_most_ten_redraws_happen_in_a_second),
        T(the_last_state_is_shown_however_fast_the_step_was),
        T(done_never_exceeds_the_total),
        T(a_total_of_zero_is_complete_from_the_start),
        T(lines_come_at_every_tenth_and_only_once),
        T(a_step_that_is_given_up_says_how_far_it_came),
        T(ninety_nine_percent_is_not_rounded_to_a_hundred),
        T(a_bar_shows_share_amounts_rate_and_time_left),
        T(every_redraw_is_as_wide_as_the_one_before),
        T(a_slow_step_has_a_long_time_left_and_no_overflow),
        T(a_terminal_gets_a_bar_of_its_own_width),
        T(no_progress_prints_nothing_and_asks_no_clock),
        T(a_second_step_starts_from_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
