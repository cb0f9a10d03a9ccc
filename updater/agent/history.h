// SPDX-License-Identifier: Apache-2.0
// The last updates of this device: what was offered, what became of it, why, and how long it took.
//
// The record "history" of the state directory and what `vv-update history --json` prints are the
// same object: docs/fleet-json.md.
//
// Invariants
// 1. For people; but what was decided last is not taken again by itself for a day, unless it was a
//    success (agent_poll.c). A damaged record, or one of a schema that this program does not know,
//    is an empty history and one line in the log.
// 2. HISTORY_MAX entries at most, the newest last; each text has PLAIN_TEXT_MAX bytes at most, is
//    UTF-8 and has no control characters.
// 3. An offer that was decided at one time is there once, however often it is added: the agent may
//    be cut off between this step and the next.
// 4. Written by the one agent only, as the offer record.
#ifndef UPDATER_AGENT_HISTORY_H
#define UPDATER_AGENT_HISTORY_H

#include "base/cleanup.h"
#include "base/log.h"
#include "updater/agent/offer_record.h"
#include "updater/agent/plain_text.h"

#include <stdio.h>

// Who reads it finds the number in "schema"; members may be added without a new one.
enum { HISTORY_SCHEMA = 1, HISTORY_MAX = 50 };

struct history_entry {
    char source[OFFER_SOURCE_MAX + 1];
    char offer[PLAIN_TEXT_MAX + 1];
    char version[NAME_MAX_LEN + 1];
    uint64_t release_index;
    enum offer_outcome outcome;
    char reason[PLAIN_TEXT_MAX + 1];
    char failed_checks[PLAIN_TEXT_MAX + 1];
    uint64_t accepted_s, decided_s; // wall clock, may be wrong
    uint64_t duration_s;
    uint64_t fetched_bytes;
};

// Some 40 KiB: read when it is asked for, not kept.
struct history {
    size_t count;
    struct history_entry entries[HISTORY_MAX];
};

// Of an offer that is decided. A clock that was set in between (backwards, or by more than half a
// year) makes the duration unknown.
void history_entry_of(const struct offer_record *r, struct history_entry *ret);

// The caller owns it. A missing record is an empty history; so is one that is damaged, which is
// told to `log` (NULL: to nobody, who asks often). ERR_IO: it could not be read now.
MUST_CHECK enum err history_load(struct state_store *s, struct log *log, struct history **ret,
                                 struct error *e);
// Reads the record, and writes it with the entry unless it has it.
MUST_CHECK enum err history_add(struct state_store *s, const struct history_entry *entry,
                                struct log *log, struct error *e);

// The object above; NULL when out of memory. The caller owns it.
json_t *history_json(const struct history *h);
// As a table for people; reasons and failed checks in lines of their own.
void history_print(const struct history *h, FILE *out);

#endif
