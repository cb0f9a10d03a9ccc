// SPDX-License-Identifier: Apache-2.0
// What the agent tells about itself while it works: one event, and its forms for those who listen:
// JSON for clients of the control socket, variables for hooks and the system journal, a sentence
// for people.
//
// Members and variables, what they mean and which can be null: docs/fleet-json.md.
//
// Invariants
// 1. Nothing here keeps or sends anything: pure makers.
// 2. Whatever a server or an image chose is UTF-8 without control characters in every form.
#ifndef UPDATER_AGENT_EVENTS_H
#define UPDATER_AGENT_EVENTS_H

#include "base/json.h"
#include "base/log.h"
#include "updater/agent/offer.h"

#include <stdint.h>

enum { EVENTS_SCHEMA = 1 };

enum event_kind { EVENT_STATE, EVENT_PROGRESS, EVENT_REPORT, EVENT_GATE, EVENT_LOG };

// Texts are borrowed; NULL and "" are the same.
struct agent_event {
    enum event_kind kind;
    uint64_t time_s;
    const char *state;
    const char *source, *offer;
    const char *version;
    uint64_t release_index; // counts with a version
    // EVENT_STATE, EVENT_REPORT
    enum offer_outcome outcome;
    const char *reason; // of EVENT_GATE, too
    const char *failed_checks;
    bool acknowledged;
    // EVENT_PROGRESS
    uint64_t done_bytes, total_bytes; // total 0: not known
    // EVENT_GATE
    const char *phase, *gate;
    bool open;
    uint64_t until_s; // 0: not known
    // EVENT_LOG
    enum log_level level;
    const char *message;
};

const char *event_kind_name(enum event_kind kind);
// Of a name that is none of these, or NULL: LOG_LEVEL_INFO.
enum log_level event_level(const char *name);

// Decided: no other event of the offer matters as much, and it is not to be dropped.
bool event_is_final(const struct agent_event *ev);

// The object above; NULL when out of memory. The caller owns it.
json_t *event_json(const struct agent_event *ev);

// "VV_EVENT=state\nVV_STATE=...\n": the variables, each one line with its end. malloced; NULL when
// out of memory.
char *event_variables(const struct agent_event *ev);

// "downloading 2.0 of dir: 12 of 40 MiB"; for a log line, into a caller-owned buffer.
const char *event_sentence(const struct agent_event *ev, char *buf, size_t len);

#endif
