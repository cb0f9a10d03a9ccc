// SPDX-License-Identifier: Apache-2.0
// What the agent tells about itself while it works: one event, and its forms for those who listen:
// JSON for clients of the control socket, variables for hooks and the system journal, a sentence
// for people.
//
// Every event in JSON:
//   schema         1. A number that is not known: another meaning. Members may be added without it.
//   event          "state", "progress", "report", "gate", "log"
//   time           seconds since 1970, by the clock of the device, which may be wrong
//   state          what the agent does: one of the words that `status` has
//   source, offer  name of the source, and its own name for the offer; null without an offer
//   version, release_index
//                  of the release; null until they are known
// and of "state": the agent does something else now
//   outcome        "undecided", "success", "failure", "cancelled"
//   reason         why, one sentence; "" when there is nothing to say
// of "report": the final report of an offer
//   outcome, reason
//   failed_checks  "tv_api: HTTP 500, video: no frame"; "" when none did
//   acknowledged   false: it is decided; true: its source has it
// of "progress"
//   done_bytes, total_bytes
//                  of the phase that runs; total_bytes null until it is known
//   percent        0 to 100; null with total_bytes
// of "gate": a phase waits for another gate than before, or for the same with another reason; or it
// waits for none any more. Not told of a phase for which all gates were open at once
//   phase          what is asked about: "download", "install", "reboot"
//   gate           the first that is closed (the names are in gates.h); with `open` the one that
//                  was closed last
//   open           whether all gates let the phase pass
//   reason         what is waited for: "window Sun 02:00"
//   until          seconds since 1970 when it is asked again at the latest; null: not known
// of "log": a verb that the agent runs has something to say
//   level          "error", "warn", "info"
//   message        one sentence
//
// Variables (hooks; fields of the system journal), each in every event, "" for what is not known:
//   VV_EVENT, VV_STATE, VV_SOURCE, VV_OFFER, VV_VERSION, VV_RELEASE_INDEX, VV_OUTCOME, VV_REASON,
//   VV_FAILED_CHECKS
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
