// SPDX-License-Identifier: Apache-2.0
// By which rule each partition of an image is cut, and the average chunk size of all of them: the
// smallest that keeps the chunk table in bounds.
//
// Invariants
// 1. The choice depends on rule, request and content of the inputs only, so that a build can be
//    repeated; where a file has holes does not matter.
// 2. The inputs are left at their start.
#ifndef IMAGE_TOOLS_CUT_PLAN_H
#define IMAGE_TOOLS_CUT_PLAN_H

#include "base/error.h"
#include "format/cutter.h"
#include "format/header.h"
#include "image-tools/input_file.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CUT_PLAN_AVERAGE = 64 * 1024, // what is tried first
    CUT_PLAN_RECORDS = TABLE_MAX / CHUNK_RECORD_SIZE,
};

struct cut_request {
    bool automatic; // by content: bytes for squashfs, whose files move by bytes; blocks for others
    enum cut_rule rule;   // if not automatic
    uint64_t average;     // bytes; 0: choose, from CUT_PLAN_AVERAGE upwards in powers of two
    uint32_t max_records; // CUT_PLAN_RECORDS but in tests
};

// One cutter per input, of which there are 1 to MANIFEST_PARTITIONS_MAX. Counts the chunks of all
// inputs, which means reading them once unless as many of the shortest would fit. ERR_USAGE when
// the requested average gives too many records (it names the one that fits), ERR_FORMAT when none
// fits.
MUST_CHECK enum err cut_plan_choose(const struct cut_request *r, struct input_file *const *inputs,
                                    size_t count, struct cutter ret[], struct error *e);

#endif
