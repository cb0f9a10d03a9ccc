// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cut_plan.h"

#include "format/manifest.h"

#include <inttypes.h>
#include <string.h>

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
        size_t hole;
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

static enum err fits(const struct cutter cutters[], const struct cut_request *r,
                     struct input_file *const *inputs, size_t count, bool *ret, struct error *e)
{
    uint64_t left = r->max_records;
    for (size_t i = 0; i < count; i++) {
        uint64_t chunks;
        enum err err = count_chunks(&cutters[i], inputs[i], left, &chunks, e);
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

// No chunk but the last of an input is shorter on average than that: a shorter piece in front of a
// run of zeros is outweighed by the run.
static uint64_t shortest_chunk(const struct cutter *c)
{
    return c->rule == CUT_BYTE && c->average / 4 < BLOCK_SIZE ? c->average / 4 : BLOCK_SIZE;
}

static bool surely_fits(const struct cutter cutters[], const struct cut_request *r,
                        struct input_file *const *inputs, size_t count)
{
    uint64_t chunks = 0;
    for (size_t i = 0; i < count; i++) {
        chunks += (input_file_size(inputs[i]) - 1) / shortest_chunk(&cutters[i]) + 1;
    }
    return chunks <= r->max_records;
}

// The superblock of a squashfs begins with its magic; all that is read of it is the first window.
static enum err rule_for(const struct cut_request *r, struct input_file *in, enum cut_rule *ret,
                         struct error *e)
{
    static const char squashfs[] = {'h', 's', 'q', 's'};
    const uint8_t *data;
    size_t len;
    size_t hole;
    *ret = r->rule;
    if (!r->automatic) {
        return OK;
    }
    enum err err = input_file_window(in, &data, &len, &hole, e);
    if (err == OK) {
        bool found = len >= sizeof(squashfs) && memcmp(data, squashfs, sizeof(squashfs)) == 0;
        *ret = found ? CUT_BYTE : CUT_BLOCK;
    }
    return err;
}

static enum err choose_rules(const struct cut_request *r, struct input_file *const *inputs,
                             size_t count, struct cutter ret[], struct error *e)
{
    uint64_t average = r->average != 0 ? r->average : CUT_PLAN_AVERAGE;
    enum err err = OK;
    for (size_t i = 0; err == OK && i < count; i++) {
        enum cut_rule rule;
        err = rule_for(r, inputs[i], &rule, e);
        if (err == OK) {
            err = cutter_init(&ret[i], rule, average, e);
        }
    }
    return err;
}

// Doubles the average of all until their chunks fit.
static enum err raise_average(const struct cut_request *r, struct input_file *const *inputs,
                              size_t count, struct cutter cutters[], struct error *e)
{
    bool good = surely_fits(cutters, r, inputs, count);
    while (!good) {
        enum err err = fits(cutters, r, inputs, count, &good, e);
        if (err != OK) {
            return err;
        }
        if (!good && cutters[0].average == CHUNK_RAW_MAX) {
            return fail(e, ERR_FORMAT, 0,
                        "the partitions are too large or too scattered for one image: even "
                        "an average chunk of %d bytes makes more than %" PRIu32 " records",
                        CHUNK_RAW_MAX, r->max_records);
        }
        for (size_t i = 0; !good && i < count; i++) {
            cutters[i].average *= 2;
        }
    }
    return OK;
}

enum err cut_plan_choose(const struct cut_request *r, struct input_file *const *inputs,
                         size_t count, struct cutter ret[], struct error *e)
{
    struct cutter cutters[MANIFEST_PARTITIONS_MAX] = {0};
    enum err err = choose_rules(r, inputs, count, cutters, e);
    if (err == OK) {
        err = raise_average(r, inputs, count, cutters, e);
    }
    if (err != OK) {
        return err;
    }
    if (r->average != 0 && r->average != cutters[0].average) {
        return fail(e, ERR_USAGE, 0,
                    "--chunk-avg %" PRIu64 ": too small, it makes more than %" PRIu32
                    " chunk records; %" PRIu32 " is the smallest that fits",
                    r->average, r->max_records, cutters[0].average);
    }
    memcpy(ret, cutters, count * sizeof(*ret));
    return OK;
}
