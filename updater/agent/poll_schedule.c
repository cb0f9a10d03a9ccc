// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/poll_schedule.h"

#include <stddef.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t within(uint64_t v, uint64_t low, uint64_t high)
{
    return least(most(v, low), high);
}

// No span is longer than two intervals or a day: the product fits.
static uint64_t draw(uint64_t low, uint64_t high, uint32_t random)
{
    return low + (high - low) * random / UINT32_MAX;
}

uint64_t poll_schedule_interval_ms(const struct poll_schedule *s)
{
    return s->given_ms > 0 ? s->given_ms : s->rules.interval_ms;
}

static uint64_t first_wait_ms(const struct poll_schedule *s, uint32_t random)
{
    return draw(0, least(poll_schedule_interval_ms(s), POLL_START_SPREAD_MS), random);
}

static uint64_t regular_wait_ms(const struct poll_schedule *s, uint32_t random)
{
    uint64_t interval = poll_schedule_interval_ms(s);
    uint64_t jitter = interval * s->rules.jitter_percent / 100;
    return draw(interval - jitter, interval + jitter, random);
}

static uint64_t backoff_wait_ms(const struct poll_schedule *s, uint32_t random)
{
    uint64_t interval = poll_schedule_interval_ms(s);
    uint64_t cap = least(interval << POLL_BACKOFF_STEPS, most(2 * interval, POLL_BACKOFF_CAP_MS));
    uint64_t base = s->answered ? interval : least(interval, POLL_START_SPREAD_MS);
    uint64_t steps = (uint64_t)s->failures + (s->last == POLL_REFUSED ? POLL_REFUSED_STEPS : 0);
    // So often doubled, the spread of the first poll is past two of the longest interval.
    uint64_t full = least(base << least(steps, POLL_START_TRIES_MAX), cap);
    return draw(full / 2, full, random);
}

// It said how long.
static uint64_t asked_wait_ms(const struct poll_schedule *s, uint64_t asked_ms, uint32_t random)
{
    uint64_t interval = poll_schedule_interval_ms(s);
    uint64_t low = most(asked_ms, interval);
    return draw(low, low + interval, random);
}

// Who has to wait for the same moment as others does not come at that moment.
static void set_next(struct poll_schedule *s, uint64_t next_ms, uint32_t random)
{
    bool too_early = next_ms < s->not_before_ms;
    uint64_t spread = draw(0, poll_schedule_interval_ms(s), random);
    s->next_ms = too_early ? s->not_before_ms + spread : next_ms;
}

static struct poll_rules within_limits(const struct poll_rules *rules)
{
    return (struct poll_rules){
        .interval_ms = within(rules->interval_ms, POLL_INTERVAL_MIN_MS, POLL_INTERVAL_MAX_MS),
        .jitter_percent = (unsigned)least(rules->jitter_percent, POLL_JITTER_MAX_PERCENT),
    };
}

void poll_schedule_begin(struct poll_schedule *s, const struct poll_rules *rules, uint64_t now_ms,
                         uint32_t random)
{
    *s = (struct poll_schedule){.rules = within_limits(rules), .last = POLL_DONE};
    s->next_ms = now_ms + first_wait_ms(s, random);
}

void poll_schedule_set_rules(struct poll_schedule *s, const struct poll_rules *rules,
                             uint64_t now_ms, uint32_t random)
{
    uint64_t before_ms = poll_schedule_interval_ms(s);
    s->rules = within_limits(rules);
    uint64_t interval = poll_schedule_interval_ms(s);
    if (interval == before_ms || s->polling || s->triggered) {
        return;
    }
    uint64_t wait = draw(0, interval, random);
    if (s->failures > 0) {
        wait = backoff_wait_ms(s, random);
    } else if (!s->answered) {
        wait = first_wait_ms(s, random);
    }
    set_next(s, now_ms + wait, random);
}

bool poll_schedule_due(const struct poll_schedule *s, uint64_t now_ms)
{
    return !s->polling && now_ms >= s->next_ms;
}

uint64_t poll_schedule_next_ms(const struct poll_schedule *s)
{
    return s->polling ? UINT64_MAX : s->next_ms;
}

void poll_schedule_trigger(struct poll_schedule *s, uint64_t now_ms)
{
    if (s->polling) {
        return;
    }
    bool polled = s->answered || s->failures > 0;
    uint64_t free_ms = polled ? s->ended_ms + POLL_TRIGGER_DISTANCE_MS : 0;
    s->next_ms = least(s->next_ms, most(now_ms, free_ms));
    s->triggered = true;
}

void poll_schedule_started(struct poll_schedule *s)
{
    s->polling = true;
}

static void take_done(struct poll_schedule *s, const struct poll_result *result, uint64_t now_ms,
                      uint32_t random)
{
    uint64_t given = within(result->interval_ms, POLL_GIVEN_MIN_MS, POLL_GIVEN_MAX_MS);
    s->given_ms = result->interval_ms > 0 ? given : 0;
    s->failures = 0;
    s->not_before_ms = 0;
    uint64_t interval = poll_schedule_interval_ms(s);
    uint64_t wait = s->triggered ? draw(interval / 2, interval + interval / 2, random)
                                 : regular_wait_ms(s, random);
    s->next_ms = now_ms + wait;
}

static void take_failure(struct poll_schedule *s, const struct poll_result *result, uint64_t now_ms,
                         uint32_t random)
{
    uint64_t asked = least(result->retry_after_ms, POLL_ASKED_MAX_MS);
    if (!s->triggered || s->failures == 0) {
        s->failures += s->failures < UINT32_MAX;
    }
    if (asked > 0) {
        s->not_before_ms = now_ms + asked;
        s->next_ms = now_ms + asked_wait_ms(s, asked, random);
    } else {
        set_next(s, now_ms + backoff_wait_ms(s, random), random);
    }
}

void poll_schedule_ended(struct poll_schedule *s, const struct poll_result *result, uint64_t now_ms,
                         uint32_t random)
{
    s->last = result->answer;
    s->answered = s->answered || result->answer != POLL_UNREACHABLE;
    if (result->answer == POLL_DONE) {
        take_done(s, result, now_ms, random);
    } else {
        take_failure(s, result, now_ms, random);
    }
    s->polling = false;
    s->triggered = false;
    s->ended_ms = now_ms;
}

const char *poll_answer_name(enum poll_answer answer)
{
    static const char *const names[] = {[POLL_DONE] = "done",
                                        [POLL_BUSY] = "busy",
                                        [POLL_FAILED] = "failed",
                                        [POLL_UNREACHABLE] = "unreachable",
                                        [POLL_REFUSED] = "refused"};
    size_t i = (size_t)answer;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}
