// SPDX-License-Identifier: Apache-2.0
// A fleet of 10,000 agents that poll every five minutes, on simulated time: how many requests a
// second its server gets at the worst. The regular mean is 33.3 a second; the bound for any ten
// seconds is twice that.
#include "updater/agent/poll_schedule.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum {
    AGENTS = 10000,
    INTERVAL_S = 300,
    OUT_S = 3600,              // the server goes away then
    BACK_S = OUT_S + 6 * 3600, // and comes back
    END_S = BACK_S + 6 * 3600,
    SPAN_S = 10,
    // Requests in SPAN_S.
    MEAN = AGENTS * SPAN_S / INTERVAL_S,
    BOUND = 2 * AGENTS * SPAN_S / INTERVAL_S,
    NOBODY = AGENTS,
};

struct herd {
    struct poll_schedule agents[AGENTS];
    // Whose poll is due in a second: a list for each second, in the order of their times.
    uint16_t first[END_S];
    uint16_t after[AGENTS];
    uint32_t requests[END_S];
    bool served[AGENTS]; // since BACK_S
    uint32_t served_count;
    uint32_t last_served_s;
    uint64_t seed;
};

// What the server says in second `now_s` to the `nth` request of it.
typedef struct poll_result server_fn(uint32_t now_s, uint32_t nth);

static bool is_out(uint32_t now_s)
{
    return now_s >= OUT_S && now_s < BACK_S;
}

static struct poll_result goes_dark(uint32_t now_s, uint32_t nth)
{
    (void)nth;
    return (struct poll_result){.answer = is_out(now_s) ? POLL_UNREACHABLE : POLL_DONE};
}

static struct poll_result goes_busy(uint32_t now_s, uint32_t nth)
{
    (void)nth;
    return (struct poll_result){.answer = is_out(now_s) ? POLL_BUSY : POLL_DONE};
}

// Retry-After with a date: the same moment for all.
static struct poll_result names_the_moment(uint32_t now_s, uint32_t nth)
{
    struct poll_result r = goes_busy(now_s, nth);
    r.retry_after_ms = is_out(now_s) ? (BACK_S - now_s) * UINT64_C(1000) : 0;
    return r;
}

static struct poll_result asks_for_ten_seconds(uint32_t now_s, uint32_t nth)
{
    struct poll_result r = goes_busy(now_s, nth);
    r.retry_after_ms = 10000;
    return r;
}

static struct poll_result refuses_all(uint32_t now_s, uint32_t nth)
{
    (void)nth;
    return (struct poll_result){.answer = is_out(now_s) ? POLL_REFUSED : POLL_DONE};
}

// A fifth more than the mean is all it can take.
static struct poll_result breaks_under_load(uint32_t now_s, uint32_t nth)
{
    return (struct poll_result){.answer = is_out(now_s) ? POLL_UNREACHABLE
                                          : nth >= 40   ? POLL_BUSY
                                                        : POLL_DONE};
}

static void enlist(struct herd *h, uint16_t agent, uint32_t not_before_s)
{
    uint64_t due_s = poll_schedule_next_ms(&h->agents[agent]) / 1000;
    if (due_s < not_before_s) {
        due_s = not_before_s;
    }
    if (due_s >= END_S) {
        return;
    }
    uint16_t *at = &h->first[due_s];
    while (*at != NOBODY &&
           poll_schedule_next_ms(&h->agents[*at]) < poll_schedule_next_ms(&h->agents[agent])) {
        at = &h->after[*at];
    }
    h->after[agent] = *at;
    *at = agent;
}

// The power comes back for all of them in the same millisecond.
static struct herd *herd_begin(uint64_t seed)
{
    static const struct poll_rules rules = {.interval_ms = INTERVAL_S * 1000,
                                            .jitter_percent = POLL_JITTER_PERCENT};
    struct herd *h = calloc(1, sizeof *h);
    assert_non_null(h);
    h->seed = seed;
    for (uint32_t s = 0; s < END_S; s++) {
        h->first[s] = NOBODY;
    }
    for (uint16_t i = 0; i < AGENTS; i++) {
        poll_schedule_begin(&h->agents[i], &rules, 0, (uint32_t)next_random(&h->seed));
        enlist(h, i, 0);
    }
    return h;
}

static void serve(struct herd *h, uint16_t agent, uint32_t now_s, server_fn *server)
{
    struct poll_result result = server(now_s, h->requests[now_s]++);
    struct poll_schedule *s = &h->agents[agent];
    uint64_t now_ms = poll_schedule_next_ms(s);
    now_ms = now_ms < now_s * UINT64_C(1000) ? now_s * UINT64_C(1000) : now_ms;
    poll_schedule_started(s);
    poll_schedule_ended(s, &result, now_ms, (uint32_t)next_random(&h->seed));
    if (result.answer == POLL_DONE && now_s >= BACK_S && !h->served[agent]) {
        h->served[agent] = true;
        h->served_count++;
        h->last_served_s = now_s;
    }
}

static void run_until(struct herd *h, uint32_t from_s, uint32_t to_s, server_fn *server)
{
    for (uint32_t now = from_s; now < to_s; now++) {
        while (h->first[now] != NOBODY) {
            uint16_t agent = h->first[now];
            h->first[now] = h->after[agent];
            serve(h, agent, now, server);
            enlist(h, agent, now + 1);
        }
    }
}

static uint32_t sum(const struct herd *h, uint32_t from_s, uint32_t to_s)
{
    uint32_t n = 0;
    for (uint32_t s = from_s; s < to_s; s++) {
        n += h->requests[s];
    }
    return n;
}

// The most requests of any SPAN_S seconds.
static uint32_t peak(const struct herd *h, uint32_t from_s, uint32_t to_s)
{
    uint32_t most = 0;
    for (uint32_t s = from_s; s + SPAN_S <= to_s; s++) {
        uint32_t n = sum(h, s, s + SPAN_S);
        most = n > most ? n : most;
    }
    return most;
}

static void print_rate(const char *when, uint32_t requests)
{
    print_message("  %-22s %2u.%u/s\n", when, requests / SPAN_S, requests % SPAN_S);
}

static void assert_outage(const char *what, server_fn *server, uint32_t served_within_s)
{
    struct herd *h = herd_begin(7);
    run_until(h, 0, END_S, server);
    uint32_t before = peak(h, 0, OUT_S);
    uint32_t during = peak(h, OUT_S, BACK_S);
    uint32_t late = peak(h, OUT_S + 3 * 3600, BACK_S);
    uint32_t after = peak(h, BACK_S, END_S);
    print_message("%s: %u agents, 6 h; peaks of any %u s\n", what, AGENTS, SPAN_S);
    print_rate("regular mean", MEAN);
    print_rate("bound", BOUND);
    print_rate("before", before);
    print_rate("during", during);
    print_rate("during, last 3 h", late);
    print_rate("after", after);
    print_message("  served again           %u of them, the last %u min after\n", h->served_count,
                  (h->last_served_s - BACK_S) / 60);
    print_message("  asked in the outage    %u times\n", sum(h, OUT_S, BACK_S));
    assert_in_range(before, MEAN / 2, BOUND);
    assert_in_range(during, 0, BOUND);
    assert_in_range(after, MEAN / 2, BOUND);
    assert_int_equal(h->served_count, AGENTS);
    assert_in_range(h->last_served_s, BACK_S, BACK_S + served_within_s);
    free(h);
}

static void a_herd_is_spread_after_its_server_could_not_be_reached(void **state)
{
    (void)state;
    assert_outage("unreachable", goes_dark, 32 * INTERVAL_S);
}

static void a_herd_is_spread_after_its_server_was_busy(void **state)
{
    (void)state;
    assert_outage("503", goes_busy, 32 * INTERVAL_S);
}

static void a_herd_that_was_sent_to_the_same_moment_does_not_come_then(void **state)
{
    (void)state;
    assert_outage("503, Retry-After: the moment it is back", names_the_moment, 2 * INTERVAL_S);
}

static void a_herd_that_is_asked_for_little_does_not_come_more_often(void **state)
{
    (void)state;
    assert_outage("503, Retry-After: 10", asks_for_ten_seconds, 2 * INTERVAL_S);
}

static void a_herd_is_spread_after_it_was_refused(void **state)
{
    (void)state;
    assert_outage("401", refuses_all, 32 * INTERVAL_S);
}

static void a_server_with_little_to_spare_is_not_kept_down_by_its_herd(void **state)
{
    (void)state;
    assert_outage("unreachable, then 40 requests a second at most", breaks_under_load, 5 * 3600);
}

static void a_herd_that_is_down_asks_for_a_small_part_of_what_is_regular(void **state)
{
    (void)state;
    struct herd *h = herd_begin(11);
    run_until(h, 0, BACK_S, goes_dark);
    // In the last three hours each has failed often enough to wait 80 minutes at least.
    uint32_t asked = sum(h, OUT_S + 3 * 3600, BACK_S);
    assert_in_range(asked, 1, AGENTS * 3);
    free(h);
}

static void a_herd_that_was_triggered_at_once_is_not_in_step_afterwards(void **state)
{
    (void)state;
    struct herd *h = herd_begin(3);
    run_until(h, 0, 1800, goes_dark);
    for (uint32_t s = 1800; s < END_S; s++) {
        h->first[s] = NOBODY;
    }
    for (uint16_t i = 0; i < AGENTS; i++) {
        poll_schedule_trigger(&h->agents[i], 1800 * 1000);
        enlist(h, i, 1800);
    }
    run_until(h, 1800, OUT_S, goes_dark);
    uint32_t burst = h->requests[1800] + h->requests[1801];
    uint32_t after = peak(h, 1802, OUT_S);
    print_message("triggered by hand, all in one second: %u requests, then peaks of any %u s\n",
                  burst, SPAN_S);
    print_rate("bound", BOUND);
    print_rate("after", after);
    assert_in_range(burst, AGENTS, AGENTS + AGENTS / 10);
    assert_in_range(after, MEAN / 2, BOUND);
    free(h);
}

static void a_herd_that_was_configured_at_once_is_not_in_step_afterwards(void **state)
{
    (void)state;
    static const struct poll_rules hourly = {.interval_ms = 3600 * 1000, .jitter_percent = 10};
    static const struct poll_rules regular = {.interval_ms = INTERVAL_S * 1000,
                                              .jitter_percent = 10};
    struct herd *h = herd_begin(5);
    run_until(h, 0, 1800, goes_dark);
    for (uint32_t s = 1800; s < END_S; s++) {
        h->first[s] = NOBODY;
    }
    for (uint16_t i = 0; i < AGENTS; i++) {
        poll_schedule_set_rules(&h->agents[i], &hourly, 1800 * 1000, 0);
        poll_schedule_set_rules(&h->agents[i], &regular, 1800 * 1000,
                                (uint32_t)next_random(&h->seed));
        enlist(h, i, 1800);
    }
    run_until(h, 1800, OUT_S, goes_dark);
    uint32_t after = peak(h, 1800, OUT_S);
    print_message("configured anew, all in one second: peaks of any %u s\n", SPAN_S);
    print_rate("bound", BOUND);
    print_rate("after", after);
    assert_in_range(after, MEAN / 2, BOUND);
    free(h);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_herd_is_spread_after_its_server_could_not_be_reached),
        cmocka_unit_test(a_herd_is_spread_after_its_server_was_busy),
        cmocka_unit_test(a_herd_that_was_sent_to_the_same_moment_does_not_come_then),
        cmocka_unit_test(a_herd_that_is_asked_for_little_does_not_come_more_often),
        cmocka_unit_test(a_herd_is_spread_after_it_was_refused),
        cmocka_unit_test(a_server_with_little_to_spare_is_not_kept_down_by_its_herd),
        cmocka_unit_test(a_herd_that_is_down_asks_for_a_small_part_of_what_is_regular),
        cmocka_unit_test(a_herd_that_was_triggered_at_once_is_not_in_step_afterwards),
        cmocka_unit_test(a_herd_that_was_configured_at_once_is_not_in_step_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
