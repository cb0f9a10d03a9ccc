// SPDX-License-Identifier: Apache-2.0
// What keeps updates back by somebody's will: operator holds, and the update locks of applications
// that must not be disturbed. Not the lock of whoever changes slots (state_dir.h): that one is held
// for as long as a process runs, these are records in the state directory.
//
// How long one stands
//   Within the boot in which it was set (by boot id), CLOCK_BOOTTIME alone decides: a wall clock
//   that is set, or jumps by a year, neither lengthens nor cuts it.
//   In a later boot it is over when the wall clock says so, or when that boot alone has lasted as
//   long as the whole of it, whichever is first: a wall clock that starts in 1970 keeps nothing
//   back for ever. Once the clock is synchronised, holds_settle() moves it into the boot that runs,
//   with what these two leave of it.
//   What remains: a device without any clock that starts again before a hold's time is over holds
//   on; it shows who holds it, and a release ends it.
//
// Invariants
// 1. Each has an owner who is told, and ends by release, by its time, or (for ever: operators only)
//    by release alone. A lock ends after HOLD_LOCK_MAX_MS at the latest; it may be set again.
// 2. At most HOLDS_MAX stand, one a kind and owner. One that is over is as if it were not there,
//    and nothing tells of it.
// 3. A damaged record holds nothing: a lock that nobody can name must not keep updates away. `lost`
//    says so, for the log.
// 4. Only the agent writes the record, under its own lock; all texts in it are bounded.
#ifndef UPDATER_AGENT_HOLD_H
#define UPDATER_AGENT_HOLD_H

#include "updater/agent/boot_id.h"
#include "updater/agent/gate_phase.h"
#include "updater/state_dir.h"

#include <stdint.h>

enum {
    HOLDS_MAX = 16,
    HOLD_OWNER_MAX = 64,
    HOLD_REASON_MAX = 128,
    HOLD_SENTENCE_SIZE = 256,
    HOLD_LOCK_MAX_MS = 24 * 3600 * 1000,
};
// Ten years: a number of milliseconds that adds up.
#define HOLD_MAX_MS (UINT64_C(3653) * 24 * 3600 * 1000)
#define HOLD_FOR_EVER UINT64_MAX

enum hold_kind { HOLD_OPERATOR, HOLD_LOCK, HOLD_KINDS };

struct hold_now {
    const char *boot_id; // "": not known; then it is not the boot of any hold
    uint64_t boottime_ms;
    uint64_t wall_s;
    bool synchronised; // the kernel says so of the wall clock
};

struct hold {
    enum hold_kind kind;
    char owner[HOLD_OWNER_MAX + 1];
    char reason[HOLD_REASON_MAX + 1]; // printable UTF-8; may be empty
    unsigned phases;                  // gate_phase.h
    uint64_t since_s;                 // wall time, for people
    uint64_t length_ms;               // HOLD_FOR_EVER, or what it was set for
    uint64_t until_s;                 // wall time; 0 with HOLD_FOR_EVER, as the next two
    uint64_t until_boot_ms;           // CLOCK_BOOTTIME of the boot `boot_id`
    char boot_id[BOOT_ID_SIZE];
};

struct holds {
    bool lost; // there was a record and it was damaged
    size_t count;
    struct hold all[HOLDS_MAX];
};

// ERR_IO: the directory cannot be read. What is over is still in it.
MUST_CHECK enum err holds_load(struct state_store *s, struct holds *ret, struct error *e);
MUST_CHECK enum err holds_save(struct state_store *s, const struct holds *h, struct error *e);

struct hold_request {
    enum hold_kind kind;
    const char *owner;  // printable ASCII, no blank at its ends, HOLD_OWNER_MAX at most
    const char *reason; // NULL: none. What is not printable is replaced, what is too long is cut
    unsigned phases;
    uint64_t length_ms; // or HOLD_FOR_EVER
};

// In the place of what the same owner has of this kind. ERR_USAGE: the request is wrong; ERR_AGAIN:
// HOLDS_MAX of others stand. The caller saves it: a hold counts as set when it is stored.
MUST_CHECK enum err holds_set(struct holds *h, const struct hold_request *r,
                              const struct hold_now *now, struct error *e);
// False: this owner has none of this kind, or not any more. The caller saves it.
bool holds_release(struct holds *h, enum hold_kind kind, const char *owner,
                   const struct hold_now *now);
// Drops what is over, moves what can be moved into this boot. True: to be saved. To be called when
// the agent starts and when the wall clock was set.
bool holds_settle(struct holds *h, const struct hold_now *now);

// What is left of it; 0: it is over. HOLD_FOR_EVER.
uint64_t hold_left_ms(const struct hold *hold, const struct hold_now *now);
// The one that holds this phase for longest; NULL: none does.
const struct hold *holds_find(const struct holds *h, enum gate_phase phase,
                              const struct hold_now *now);
// "held by alice for another 2 h 5 min: inventory", "locked by tv until released". Returns `buf`,
// of HOLD_SENTENCE_SIZE bytes.
const char *hold_sentence(const struct hold *hold, const struct hold_now *now, char *buf,
                          size_t size);

// "hold", "lock".
const char *hold_kind_name(enum hold_kind kind);

#endif
