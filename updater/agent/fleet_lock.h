// SPDX-License-Identifier: Apache-2.0
// Client of the FleetLock protocol, by which a server lets at most so many devices of a group
// reboot at once (https://coreos.github.io/zincati/development/fleetlock/protocol/):
//
//   POST URL/v1/pre-reboot      takes a place, or has it already        before the reboot
//   POST URL/v1/steady-state    gives it back, or never had it          when all is well again
//   fleet-lock-protocol: true
//   {"client_params":{"group":GROUP,"id":ID}}
//
// 200 is yes; every other answer, and none, is no: {"kind":...,"value":...} may say why.
//
// The server cannot see that a device is done. So whoever asked for a place owes "steady-state",
// sent again until it is granted: after the reboot once the running slot is confirmed (also the old
// one, after a rollback), after a reboot that did not take place, and whenever the agent starts on
// a confirmed slot, because it may have been cut off in between. An answer that was lost may have
// been a grant. Both may be sent any number of times. agent_lock.c does that.
//
// Invariants
// 1. A request is a run of its own (bounded_run.h): libcurl and its memory are in the child, and
//    after FLEET_LOCK_TIMEOUT_MS it is over whatever the server does.
// 2. No redirect is followed, and an answer is read up to PROBE_BODY_MAX bytes.
// 3. What the server says is shown as text for a terminal, never obeyed.
#ifndef UPDATER_AGENT_FLEET_LOCK_H
#define UPDATER_AGENT_FLEET_LOCK_H

#include "updater/bounded_run.h"
#include "updater/source_http.h"

enum { FLEET_LOCK_TIMEOUT_MS = 10 * 1000, FLEET_LOCK_ID_MAX = 128 };

enum fleet_lock_op { FLEET_LOCK_PRE_REBOOT, FLEET_LOCK_STEADY_STATE };

// DENIED: an answer of 400 to 499; then this device has no place. UNCLEAR: anything else but 200,
// or no answer; what was asked may have been done.
enum fleet_lock_answer { FLEET_LOCK_GRANTED, FLEET_LOCK_DENIED, FLEET_LOCK_UNCLEAR };

struct fleet_lock {
    const char *url;   // http or https; what the two paths are under. NULL: no lock is asked for
    const char *group; // [A-Za-z0-9.-]+
    const char *id;    // of this device, among all of the group
    const struct http_options *network; // certificates; NULL: those of the system, and no proxy
};

// ERR_CONFIG: nothing could be asked with this. To be called once, when it is configured.
MUST_CHECK enum err fleet_lock_check(const struct fleet_lock *l, struct error *e);

MUST_CHECK enum err fleet_lock_start(struct bounded_run *r, const struct fleet_lock *l,
                                     enum fleet_lock_op op, uint64_t now_ms, struct error *e);
// Of a run that ended with `status` (bounded_run_step()). Unless it was granted the reason is
// written: "fleet lock: HTTP 409: failed_lock_semaphore_full: all slots are locked".
enum fleet_lock_answer fleet_lock_answer(const struct bounded_run *r, int status, char *reason,
                                         size_t size);

#endif
