// SPDX-License-Identifier: Apache-2.0
// Releases that failed here and are not taken again by themselves: a source that offers one again
// is told so.
//
// The record "denied" of the state directory and what `vv-update allow --json` prints are the same
// object: docs/fleet-json.md.
//
// Invariants
// 1. A release is its manifest: one that was built anew under the same version is another one.
// 2. Only what is the fault of the release gets here (denylist_blames_release()). What a server, a
//    copy, the device or a person did may be right another time, and with this very release.
// 3. DENYLIST_MAX at most, the newest last; the oldest gives way. One that fails again is the
//    newest again, and counted.
// 4. A damaged record, or one of a schema that this program does not know, is an empty list and one
//    line in the log: a release that fails again is denied again.
// 5. An install by hand does not ask: the list is for what starts by itself.
#ifndef UPDATER_AGENT_DENYLIST_H
#define UPDATER_AGENT_DENYLIST_H

#include "base/log.h"
#include "updater/agent/offer.h"
#include "updater/agent/plain_text.h"
#include "updater/journal.h"

enum { DENYLIST_SCHEMA = 1, DENYLIST_MAX = 64, DENYLIST_PREFIX_MIN = 8 };

struct denied_release {
    uint8_t manifest_sha256[SHA256_SIZE];
    char version[NAME_MAX_LEN + 1];
    uint64_t release_index;
    char reason[PLAIN_TEXT_MAX + 1]; // of the last time
    uint64_t time_s;                 // of the last time; wall clock, may be wrong
    uint64_t count;
};

struct denylist {
    size_t count;
    struct denied_release releases[DENYLIST_MAX];
};

// What ended an offer.
enum failure_cause {
    FAILURE_OF_INSTALL, // or of the flip: the error says more
    FAILURE_OF_TRIAL,   // it was booted, and its health checks failed or it never got to them
    FAILURE_BY_HAND,    // something else was installed or made the good one meanwhile
};

// Whether a release is denied for this end: its trial, or ERR_TOO_LARGE with FAILURE_OF_INSTALL.
// All other errors may pass by themselves. A hash that does not match is that of a copy; a release
// that the policy refuses may want another one to run first.
bool denylist_blames_release(enum offer_outcome outcome, enum failure_cause cause, enum err code);

// The caller owns it: some 22 KiB, read when it is needed. A missing record is an empty
// list; so is one that is damaged, which is told to `log` (NULL: to nobody, who asks often).
// ERR_IO: it could not be read now.
MUST_CHECK enum err denylist_load(struct state_store *s, struct log *log, struct denylist **ret,
                                  struct error *e);
MUST_CHECK enum err denylist_save(struct state_store *s, const struct denylist *d, struct error *e);

// NULL: not denied. Valid until the list changes.
const struct denied_release *denylist_find(const struct denylist *d,
                                           const uint8_t manifest_sha256[SHA256_SIZE]);
// `time_s` the same as that of its last failure: a step that is done again after a cut, and not
// counted twice.
void denylist_add(struct denylist *d, const struct release_id *release, const char *reason,
                  uint64_t time_s);
// The operator's word: takes away all ("all"), all of a version, or the one whose manifest hash
// begins with at least DENYLIST_PREFIX_MIN hex digits; the first of these readings that fits
// something. ERR_USAGE: nothing fits, or the prefix is that of several; then nothing has changed.
// "all" fits an empty list. The caller saves it.
MUST_CHECK enum err denylist_allow(struct denylist *d, const char *which, size_t *ret_count,
                                   struct error *e);

// The same to the record: read, changed and saved.
MUST_CHECK enum err denylist_lift(struct state_store *s, struct log *log, const char *which,
                                  size_t *ret_count, struct error *e);

// The object above; NULL when out of memory. The caller owns it.
json_t *denylist_json(const struct denylist *d);
void denylist_print(const struct denylist *d, FILE *out);

#endif
