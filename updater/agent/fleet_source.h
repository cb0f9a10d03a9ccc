// SPDX-License-Identifier: Apache-2.0
// The interface of whatever offers releases to this device and wants to know what became of them:
// asked at each poll, told once at the end of each offer.
//
// Invariants
// 1. An offer has the same id each time it is made, and no two releases have the same one.
// 2. Nothing is changed on the device. Whether an offer is taken is for others to say: gates, the
//    list of what failed here, the policy of an install.
// 3. report() is idempotent: the same report may arrive twice (offer_run.h).
#ifndef UPDATER_AGENT_FLEET_SOURCE_H
#define UPDATER_AGENT_FLEET_SOURCE_H

#include "base/json.h"
#include "updater/agent/offer_record.h"
#include "updater/device.h"

// Of an image whose head was verified: what source_version() has of it.
enum { FLEET_SEEN_SIZE = OFFER_URL_MAX + 300 };

struct fleet_answer {
    bool unchanged; // it is what `seen` was told of: neither an offer nor a reason
    bool offered;
    struct offer offer;
    struct release_id release;
    struct error why; // unless `offered`: why nothing is, one sentence
    bool incomplete;  // something could not be read, and may be another time
    // For the next poll, if nothing but the source changes this answer; "": ask in full.
    char seen[FLEET_SEEN_SIZE];
    // Of a poll that failed, nothing but these: the HTTP status that its last request was answered
    // with, 0: it was not; and for how long the server asks to be left alone, 0: it does not.
    unsigned http_status;
    uint64_t retry_after_ms;
};

struct fleet_source {
    const char *name;
    // Needs the trust store of `d` to be loaded. `seen`: of an earlier answer; NULL or "": none.
    // ERR_NETWORK, ERR_IO: it could not be asked; `ret` says how a server refused. How often that
    // is tried is for the options of `d` to say.
    MUST_CHECK enum err (*poll)(struct device *d, const char *seen, struct fleet_answer *ret,
                                struct error *e);
    // `record` is decided. OK: it has arrived.
    MUST_CHECK enum err (*report)(const struct config *config, const struct offer_record *record,
                                  struct error *e);
};

// The one of [fleet] source; ERR_CONFIG when there is none.
MUST_CHECK enum err fleet_source_of(const struct config *config, const struct fleet_source **ret,
                                    struct error *e);

// The final report of a decided offer as a JSON object: what every source sends, in its own way.
// The caller owns it; NULL when out of memory.
json_t *fleet_report_json(const struct config *config, const struct offer_record *record);

#endif
