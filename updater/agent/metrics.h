// SPDX-License-Identifier: Apache-2.0
// What the agent did, as a file for Prometheus: the text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/), which the textfile collector of
// node_exporter reads from files named *.prom.
//
// Invariants
// 1. metrics_text() is pure, its text is valid whatever the strings are, and has the same metrics
//    in the same order each time.
// 2. The file is replaced as a whole, and only when it would change. Each poll changes it more than
//    once: it belongs on a file system in memory, such as below /run.
// 3. Counters count since the agent started: Prometheus knows what a restart looks like.
// 4. A time that never came is 0, so that "more than a day ago" holds for a device that never
//    reached its server.
#ifndef UPDATER_AGENT_METRICS_H
#define UPDATER_AGENT_METRICS_H

#include "updater/agent/offer.h"
#include "updater/state_dir.h"

enum { METRICS_OUTCOMES = OFFER_CANCELLED + 1 };

// Strings are borrowed; NULL is "".
struct metrics {
    const char *program_version;
    const char *version; // of the release that runs; "": not known
    const char *slot;
    uint64_t release_index;
    const char *const *states; // the words of `status`, all of them
    size_t state_count;
    size_t state;             // index of the one that holds
    bool trial;               // the running slot is on trial
    bool held;                // by an operator, whose time is not over
    uint64_t denied_releases; // of the denylist
    uint64_t last_poll_s;     // 0: none yet
    bool last_poll_ok;
    uint64_t polls, poll_failures;
    uint64_t last_update_s; // decided then; 0: none yet
    bool last_update_ok;
    uint64_t updates[METRICS_OUTCOMES]; // by enum offer_outcome; OFFER_UNDECIDED is not shown
    uint64_t download_bytes;
};

// malloced; NULL when out of memory.
char *metrics_text(const struct metrics *m);

// Makes the record `name` of `s` that text, unless it is.
MUST_CHECK enum err metrics_store(struct state_store *s, const char *name, const struct metrics *m,
                                  bool *ret_changed, struct error *e);

// The same for the file `path`, DIRECTORY/NAME.prom, in a directory that exists and in which nobody
// else puts things under that name. All may read it.
// ERR_CONFIG: it is no such path; the sentence names what is wrong.
MUST_CHECK enum err metrics_write(const char *path, const struct metrics *m, struct error *e);

#endif
