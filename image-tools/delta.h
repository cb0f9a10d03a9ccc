// SPDX-License-Identifier: Apache-2.0
// `vv-image delta`: a delta pack from one image to another. Format: docs/delta-pack.md.
//
// Invariants
// 1. The same two images give the same pack, whatever the number of jobs.
// 2. Memory does not grow with the images, but for their tables (4 MiB each) and a list of chunks.
// 3. One that fails or is killed leaves no output, and an older output as it was.
#ifndef IMAGE_TOOLS_DELTA_H
#define IMAGE_TOOLS_DELTA_H

#include "base/command.h"
#include "base/progress.h"

#include <stdint.h>

extern const struct option_spec delta_option_specs[];

struct delta_options {
    const char *base;
    const char *target;
    const char *output;
    unsigned jobs;
    uint32_t signature_reserve; // bytes
};

// What the pack holds, for people.
struct delta_totals {
    uint64_t base_release_index;
    uint64_t target_release_index;
    uint32_t new_chunks;   // of the target that the base has not; repetitions count once
    uint64_t new_bytes;    // what they take in the target's payload
    uint32_t chunks;       // of them in the pack
    uint64_t stored_bytes; // what those take in the target's payload
    uint64_t delta_bytes;  // and in the pack's
    uint64_t file_bytes;
};

// ERR_USAGE: base and target are one image, the output is one of them, or no delta is worth it.
MUST_CHECK enum err delta_make(const struct delta_options *o, struct progress *progress,
                               struct delta_totals *ret, struct error *e);

// `context` is a struct tool.
MUST_CHECK enum err verb_delta(void *context, const struct parsed *args, struct error *e);

#endif
