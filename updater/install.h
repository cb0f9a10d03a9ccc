// SPDX-License-Identifier: Apache-2.0
// The main job: an image from a source into the inactive slot.
// The steps and their numbers are the order of operations of docs/crash-safety.md.
//
// Invariants
// 1. Nothing is stored and no byte of the target changes before head, manifest, table, policy and
//    the first chunk that differs were verified.
// 2. The running slot is opened for reading at most.
// 3. Running the same install again ends in the same state; when there is nothing to do it stores
//    and writes nothing.
#ifndef UPDATER_INSTALL_H
#define UPDATER_INSTALL_H

#include "updater/device.h"
#include "updater/source.h"

struct install_options {
    bool dry_run;     // verify and plan, change nothing
    bool no_activate; // stop after step 9
    bool again;       // begin anew what was cut off RESTARTS_MAX times; all is verified as ever
    // The only release to be taken; any other that is verified is ERR_NOT_NOW. NULL: any.
    const uint8_t *manifest_sha256;
};

struct install_report {
    int slot; // the target
    struct release_id release;
    bool nothing_to_do;     // the slot was whole already
    bool activated;         // the next boot is a trial of `slot`
    uint64_t planned_bytes; // stored bytes to fetch, as planned
    uint64_t planned_copy_bytes, planned_zero_bytes, planned_write_bytes; // raw bytes
    uint64_t fetched_bytes; // as counted by the source
    uint64_t copied_bytes;  // raw bytes that came from elsewhere on the device
    uint64_t written_bytes; // to the target, zero ranges not counted
    uint64_t reused_bytes;  // raw bytes that were already in place
};

MUST_CHECK enum err install_run(struct device *d, struct source *source,
                                const struct install_options *options, struct install_report *ret,
                                struct error *e);

#endif
