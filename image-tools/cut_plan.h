// SPDX-License-Identifier: Apache-2.0
// Which average chunk size an image gets: the smallest that keeps its chunk table in bounds.
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
    enum cut_rule rule;
    uint64_t average;     // bytes; 0: choose, from CUT_PLAN_AVERAGE upwards in powers of two
    uint32_t max_records; // CUT_PLAN_RECORDS but in tests
};

// Counts the chunks of all inputs, which means reading them once unless the number of their 4 KiB
// blocks already fits. ERR_USAGE when the requested average gives too many records (it names the
// one that fits), ERR_FORMAT when none fits.
MUST_CHECK enum err cut_plan_choose(const struct cut_request *r, struct input_file *const *inputs,
                                    size_t count, struct cutter *ret, struct error *e);

#endif
