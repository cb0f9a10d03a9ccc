// SPDX-License-Identifier: Apache-2.0
// What the downloads of one calendar month have cost, for a data plan that is paid by the month.
//
// The journal counts the bytes of a release over all its starts, whoever starts them
// (docs/crash-safety.md, "The byte budget"), until it is installed; the record keeps how much of
// that it has taken over already, so that nothing is counted twice. An install that went through
// says itself what it fetched; that is lost if the agent is cut off at that very moment. What polls
// and reports cost is not in it.
//
// Invariants
// 1. A month is one of local time. It begins anew when the wall clock is in another one, earlier or
//    later; a clock that is certainly wrong (before the floor) leaves the month as it is.
// 2. A damaged record counts from nothing. `lost` says so, for the log.
#ifndef UPDATER_AGENT_TRAFFIC_H
#define UPDATER_AGENT_TRAFFIC_H

#include "updater/journal.h"

struct traffic {
    unsigned month; // year * 12 + month from 0; 0: never counted
    uint64_t bytes; // of that month
    uint8_t manifest_sha256[SHA256_SIZE];
    uint64_t taken_bytes; // of that release
    bool lost;
};

struct traffic_clock {
    uint64_t wall_s, floor_s; // no earlier time can be now
};

enum { TRAFFIC_TEXT_SIZE = 32 };

// ERR_IO: the directory cannot be read.
MUST_CHECK enum err traffic_load(struct state_store *s, struct traffic *ret, struct error *e);
MUST_CHECK enum err traffic_save(struct state_store *s, const struct traffic *t, struct error *e);

// Takes over what the journal has counted. True: to be saved.
bool traffic_count(struct traffic *t, const struct journal *j, const struct traffic_clock *clock);
// What an install fetched that the journal does not count any more. To be saved.
void traffic_add(struct traffic *t, uint64_t bytes, const struct traffic_clock *clock);

// When the next month begins, seconds since 1970.
uint64_t traffic_next_month_s(const struct traffic_clock *clock);
// The same as "1 Dec". Returns `buf`, of TRAFFIC_TEXT_SIZE bytes.
const char *traffic_next_month_text(uint64_t next_s, char *buf);

#endif
