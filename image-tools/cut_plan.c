// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cut_plan.h"

#include <inttypes.h>

enum { BLOCK_SIZE = 4096 };

// Chunks of one input, or of its part that makes `max` + 1.
static enum err count_chunks(const struct cutter *c, struct input_file *in, uint64_t max,
                             uint64_t *ret, struct error *e)
{
    uint64_t count = 0;
    if (c->rule == CUT_FIXED) {
        // Nothing of the content decides.
        *ret = (input_file_size(in) - 1) / c->average + 1;
        return OK;
    }
    while (input_file_left(in) > 0 && count <= max) {
        const uint8_t *data;
        size_t len;
        bool hole;
        enum err err = input_file_window(in, &data, &len, &hole, e);
        if (err != OK) {
            return err;
        }
        uint64_t at = input_file_size(in) - input_file_left(in);
        input_file_advance(in, cutter_next(c, at, data, len));
        count++;
    }
    input_file_rewind(in);
    *ret = count;
    return OK;
}

static enum err fits(const struct cutter *c, const struct cut_request *r,
                     struct input_file *const *inputs, size_t count, bool *ret, struct error *e)
{
    uint64_t left = r->max_records;
    for (size_t i = 0; i < count; i++) {
        uint64_t chunks;
        enum err err = count_chunks(c, inputs[i], left, &chunks, e);
        if (err != OK) {
            return err;
        }
        if (chunks > left) {
            *ret = false;
            return OK;
        }
        left -= chunks;
    }
    *ret = true;
    return OK;
}

// No chunk but the last of an input is shorter than a block.
static bool surely_fits(const struct cut_request *r, struct input_file *const *inputs, size_t count)
{
    uint64_t blocks = 0;
    for (size_t i = 0; i < count; i++) {
        blocks += (input_file_size(inputs[i]) - 1) / BLOCK_SIZE + 1;
    }
    return blocks <= r->max_records;
}

enum err cut_plan_choose(const struct cut_request *r, struct input_file *const *inputs,
                         size_t count, struct cutter *ret, struct error *e)
{
    struct cutter c;
    enum err err = cutter_init(&c, r->rule, r->average != 0 ? r->average : CUT_PLAN_AVERAGE, e);
    if (err != OK) {
        return err;
    }
    bool good = surely_fits(r, inputs, count);
    while (!good && err == OK) {
        err = fits(&c, r, inputs, count, &good, e);
        if (err == OK && !good) {
            if (c.average == CHUNK_RAW_MAX) {
                return fail(e, ERR_FORMAT, 0,
                            "the partitions are too large or too scattered for one image: even "
                            "an average chunk of %d bytes makes more than %" PRIu32 " records",
                            CHUNK_RAW_MAX, r->max_records);
            }
            err = cutter_init(&c, r->rule, (uint64_t)c.average * 2, e);
        }
    }
    if (err == OK && r->average != 0 && r->average != c.average) {
        return fail(e, ERR_USAGE, 0,
                    "--chunk-avg %" PRIu64 ": too small, it makes more than %" PRIu32
                    " chunk records; %" PRIu32 " is the smallest that fits",
                    r->average, r->max_records, c.average);
    }
    if (err == OK) {
        *ret = c;
    }
    return err;
}
