// SPDX-License-Identifier: Apache-2.0
// The report journal: what became of the offer at hand, and whether its source was told.
//
// Invariants
// 1. A record that is damaged is `lost`, never an error: the agent goes on without an offer, and a
//    source that got no report offers it again. EIO, twice in a row, is damage too.
// 2. A record is replaced as a whole: after a cut it is the old one or the new one.
// 3. Written by the one agent only. It is no part of what the update lock protects.
// 4. Members may be added to format 1: a record of a program that did not know one is read as if
//    it said no, and such a program takes no notice of one.
#ifndef UPDATER_AGENT_OFFER_RECORD_H
#define UPDATER_AGENT_OFFER_RECORD_H

#include "updater/agent/boot_id.h"
#include "updater/agent/offer.h"
#include "updater/journal.h"

enum { OFFER_REASON_SIZE = 320, OFFER_CHECKS_SIZE = 512 };

struct offer_record {
    bool lost; // there was a record and it was damaged; all else is as in an empty one
    struct offer offer;
    enum offer_phase phase;
    struct release_id release; // of the offer, once it is known
    bool release_known;
    // The slot that has it, from `installed` on; before: SLOT_NONE. With a release that somebody
    // else has activated it is known from `rebooting` on.
    int target;
    // /proc/sys/kernel/random/boot_id of the boot in which the flip or the reboot was ordered last.
    char boot_id[BOOT_ID_SIZE];
    enum offer_outcome outcome;
    char reason[OFFER_REASON_SIZE];        // one sentence; "" with a success that was just that
    char failed_checks[OFFER_CHECKS_SIZE]; // "tv_api: HTTP 500, video: no frame"; "" when none did
    enum err failed_by;                    // the step that decided a failure; OK: none did
    bool consented;                        // a person agreed to it
    unsigned tries;                        // of this step, which failed and is to be tried again
    uint64_t fetched_bytes;                // for the release, by all of its installs so far
    uint64_t accepted_s, decided_s;        // wall clock, may be wrong
    bool reported;                         // the source has acknowledged the final report
};

// No offer.
struct offer_record offer_record_none(void);

// A missing record is an empty one. ERR_IO, ERR_INTERNAL: it could not be read now.
MUST_CHECK enum err offer_record_load(struct state_store *s, struct offer_record *ret,
                                      struct error *e);
MUST_CHECK enum err offer_record_save(struct state_store *s, const struct offer_record *r,
                                      struct error *e);

const char *offer_phase_name(enum offer_phase phase);
const char *offer_outcome_name(enum offer_outcome outcome);

#endif
