// SPDX-License-Identifier: Apache-2.0
// When to ask a source next: pure rules, on CLOCK_BOOTTIME and with randomness by parameter, so
// that a fleet of any size and an outage of any length can be played in a test.
//
// "Interval" is the configured one, or the one that the server gave with its last answer.
//
//   after                       | the wait until the next poll, uniform between
//   ----------------------------+------------------------------------------------------------------
//   the start of the process    | 0 and the interval, POLL_START_SPREAD_MS at most
//   done                        | the interval less and plus jitter_percent of it
//   done, triggered by hand     | a half and one and a half of the interval
//   busy or failed, k in a row   | a half and the whole of interval * 2^k (k up to 5), at most
//                               |   POLL_BACKOFF_CAP_MS or two intervals, whichever is more
//   refused                     | the same, POLL_REFUSED_STEPS steps higher
//   it said how long to wait    | that or the interval, whichever is more, and an interval more
//
// Until the first answer of any kind since the start, the back-off grows from the spread of the
// first poll, not from the interval: a device that starts before its network is there does not wait
// a day because it polls once a day. That is the one case of more polls than one an interval, and
// there are at most POLL_START_TRIES_MAX of them.
//
// Invariants
// 1. Failures never make it poll more often than once an interval (but see above), and what a
//    server asked to be waited for, up to POLL_ASKED_MAX_MS, is waited for in full. Only a trigger
//    by hand comes before.
// 2. Every wait is drawn from a span of time that grows with the wait, and is counted from when the
//    poll ended: agents that were brought into step (by an outage, by a Retry-After that names a
//    time, by a trigger on all of them) are not in step afterwards. jitter_percent is for those
//    that are spread already.
// 3. Nothing is made up for: after a suspend of hours there is one poll due.
// 4. While a poll is under way none is due.
#ifndef UPDATER_AGENT_POLL_SCHEDULE_H
#define UPDATER_AGENT_POLL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    POLL_INTERVAL_MIN_MS = 1000,
    POLL_INTERVAL_MAX_MS = 7 * 24 * 3600 * 1000,
    POLL_JITTER_MAX_PERCENT = 50,
    POLL_JITTER_PERCENT = 10, // unless configured
    POLL_START_SPREAD_MS = 5 * 60 * 1000,
    POLL_BACKOFF_STEPS = 5,
    POLL_BACKOFF_CAP_MS = 6 * 3600 * 1000,
    POLL_REFUSED_STEPS = 2,
    POLL_START_TRIES_MAX = 12,
    // What a server may ask for: Retry-After, and the interval it gives.
    POLL_ASKED_MAX_MS = 24 * 3600 * 1000,
    POLL_GIVEN_MIN_MS = 30 * 1000,
    POLL_GIVEN_MAX_MS = 24 * 3600 * 1000,
    // Triggers by hand are served so far apart, however fast they come.
    POLL_TRIGGER_DISTANCE_MS = 1000,
};

struct poll_rules {
    uint64_t interval_ms;    // taken as POLL_INTERVAL_MIN_MS to POLL_INTERVAL_MAX_MS
    unsigned jitter_percent; // up to POLL_JITTER_MAX_PERCENT
};

enum poll_answer {
    POLL_DONE,        // it answered: nothing new, or an offer
    POLL_BUSY,        // 503, 429
    POLL_FAILED,      // it answered what cannot be used: another 5xx, a broken document
    POLL_UNREACHABLE, // no answer: no network, no name, no connection, time-out
    POLL_REFUSED,     // 401, 403, 404, 410: no news until somebody changes something
};

struct poll_result {
    enum poll_answer answer;
    uint64_t retry_after_ms; // with a failure of any kind; 0: it did not say
    uint64_t interval_ms;    // with POLL_DONE: the interval it gives; 0: the configured one holds
};

struct poll_schedule {
    struct poll_rules rules;
    uint64_t given_ms;      // interval from the server; 0: none
    unsigned failures;      // in a row
    enum poll_answer last;  // of the last poll; POLL_DONE before the first
    bool answered;          // the server did, since the start
    bool polling;           // a poll is under way
    bool triggered;         // the next one, or the one under way, is by hand
    uint64_t next_ms;       // when it is due, on CLOCK_BOOTTIME; while polling: not yet known
    uint64_t not_before_ms; // a server asked for that
    uint64_t ended_ms;      // the last poll; 0 before the first
};

// The process starts at `now_ms`. `random`, here and below: all of its range is used.
void poll_schedule_begin(struct poll_schedule *s, const struct poll_rules *rules, uint64_t now_ms,
                         uint32_t random);

// Other rules (a reload). A due time that the old ones drew is drawn again, from the time on, if
// the interval is another one: what was asked to be waited for still is.
void poll_schedule_set_rules(struct poll_schedule *s, const struct poll_rules *rules,
                             uint64_t now_ms, uint32_t random);

bool poll_schedule_due(const struct poll_schedule *s, uint64_t now_ms);
// When to look again; UINT64_MAX while a poll is under way.
uint64_t poll_schedule_next_ms(const struct poll_schedule *s);

// By hand: due now, or POLL_TRIGGER_DISTANCE_MS after the last one. The poll under way, if there
// is one, is as good. A trigger that fails is no step of the back-off: who tries five times at the
// device does not make it wait longer.
void poll_schedule_trigger(struct poll_schedule *s, uint64_t now_ms);

// A poll begins; and it ended at `now_ms`, with `result`. Each begun one is ended.
void poll_schedule_started(struct poll_schedule *s);
void poll_schedule_ended(struct poll_schedule *s, const struct poll_result *result, uint64_t now_ms,
                         uint32_t random);

// The interval that holds.
uint64_t poll_schedule_interval_ms(const struct poll_schedule *s);

// "done", "busy", "failed", "unreachable", "refused".
const char *poll_answer_name(enum poll_answer answer);

#endif
