// SPDX-License-Identifier: Apache-2.0
// What this device was doing: written before it acts, read after a restart.
//
// After a restart, in short; docs/crash-safety.md has it step by step, and is what counts.
//
//   step found | cut in | what it means                 | what the next run does
//   -----------+--------+-------------------------------+----------------------------------------
//   idle       | 1-3    | nothing was changed           | begin afresh
//   installing | 3-9    | the slot is partly written,   | install again: chunks that are right are
//              |        |   or was not touched yet      |   kept (by hash); after RESTARTS_MAX cuts
//              |        |                               |   without getting further: refuse
//   installed  | 9, 10  | whole and read back           | activate
//   activating | 10     | the flip may have been stored | activate again (idempotent)
//   trial      | 10-12  | the flip was stored           | confirm, or see the fallback
//   idle       | 12     | how the trial ended is in     | confirm: store that decision again
//              |        |   `last`                      |
//
// Invariants
// 1. The journal is a hint for people and for saving work. Losing or corrupting it costs work or
//    an explanation, never a device: what boots is decided by the environment, what is whole by
//    hashes.
// 2. A record whose checksum does not hold is treated as absent; `lost` says so. One of an older
//    program, which the other slot may have, is whole.
// 3. next_chunk never claims a chunk whose bytes are not synced.
// 4. While one install is begun again and again, left_bytes never grows and restarts goes back to 0
//    only when left_bytes becomes less, so that there is an end to the starts.
#ifndef UPDATER_JOURNAL_H
#define UPDATER_JOURNAL_H

#include "base/error.h"
#include "base/hash.h"
#include "base/parse.h"
#include "bootloader/boot_state.h"
#include "updater/state_dir.h"

#include <stdint.h>

enum journal_step { STEP_IDLE, STEP_INSTALLING, STEP_INSTALLED, STEP_ACTIVATING, STEP_TRIAL };

enum slot_content {
    CONTENT_UNKNOWN,   // never written by us: a factory slot
    CONTENT_PARTIAL,   // an install began and did not end, or its slot was not touched yet
    CONTENT_INSTALLED, // whole, never confirmed
    CONTENT_CONFIRMED,
    CONTENT_REJECTED, // whole, but failed its health checks or did not boot
};

enum journal_outcome {
    OUTCOME_NONE,
    OUTCOME_INSTALLED,
    OUTCOME_ACTIVATED,
    OUTCOME_CONFIRMED,
    OUTCOME_ROLLED_BACK,
    OUTCOME_FAILED,
};

// An install that was cut off so often in a row without getting further is not begun again by
// itself: what is wrong is the device, not the moment. People who switch the power off do not get
// there: every 8 MiB are synced, and that is progress. Twenty starts without it write some 20 x 8
// MiB at most, which is about one image and no wear to speak of.
enum { RESTARTS_MAX = 20 };

struct release_id {
    uint8_t manifest_sha256[SHA256_SIZE];
    char version[NAME_MAX_LEN + 1];
    uint64_t release_index;
};

struct journal {
    bool lost; // there was a record and it was damaged
    enum journal_step step;
    int slot;                  // the slot the step is about, or SLOT_NONE
    struct release_id release; // what the step is about
    uint32_t next_chunk;       // resume hint while installing
    uint32_t chunk_count;      // records of its chunk table; 0: not known yet
    uint32_t restarts;         // times it was cut off while installing, without getting further
    uint64_t left_bytes;       // the least that any of these starts had to write
    bool open;                 // the last of them has not told its end: it runs, or was cut off
    struct {
        uint8_t manifest_sha256[SHA256_SIZE];
        uint64_t bytes;
    } fetched;         // over the network for this release, by all starts until it is installed
    uint32_t attempts; // the trial of `slot` began with so many; 0: not known
    struct {
        enum slot_content content;
        struct release_id release;
    } slots[SLOT_COUNT];
    struct {
        enum journal_outcome outcome;
        int slot;
        struct release_id release;
        char reason[320];
        uint64_t time_s; // wall clock, may be wrong
    } last;
    uint64_t confirmed_max; // highest release index ever confirmed; 0: none known
    uint64_t floor;         // release floor, the copy beside vv_floor
    uint64_t time_floor_s;  // see clock rules in docs/trust.md
};

MUST_CHECK enum err journal_load(struct state_store *s, struct journal *ret, struct error *e);
MUST_CHECK enum err journal_save(struct state_store *s, const struct journal *j, struct error *e);

// Step 3: an install of `release` into `slot` begins, with `left_bytes` to be written. It was cut
// off before if the journal has the same install, still open: one more restart, unless less is left
// than ever before. `anew` forgets what was counted. The caller saves it.
void journal_begin(struct journal *j, int slot, const struct release_id *release,
                   uint64_t left_bytes, bool anew);
// What came over the network for the release so far; 0 when nothing is known.
uint64_t journal_fetched(const struct journal *j, const struct release_id *release);
// Notes it: in the place of what was noted for another release.
void journal_set_fetched(struct journal *j, const struct release_id *release, uint64_t bytes);
// No install is under way nor was one cut off.
void journal_count_anew(struct journal *j);

// The newest release that can have raised the floor, whether its slot still holds it or not: one
// that was confirmed, or that runs without being on trial (`settled`, SLOT_NONE: the running one
// is) while the journal is behind. False when no confirmed release is known: a new device, or the
// journal was lost.
bool journal_newest_confirmed(const struct journal *j, int settled, uint64_t *ret_index);

const char *journal_step_name(enum journal_step step);
const char *slot_content_name(enum slot_content content);
const char *journal_outcome_name(enum journal_outcome outcome);

#endif
