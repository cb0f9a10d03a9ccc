// SPDX-License-Identifier: Apache-2.0
#include "format/cutter.h"

#include "base/parse.h"
#include "format/chunk_table.h"
#include "format/gear.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK_SIZE = 4096,
    ZERO_RUN_BLOCKS = 4, // below that a chunk of its own costs more table than it saves payload
};

static const char *const rule_names[] = {
    [CUT_BLOCK] = "block", [CUT_FIXED] = "fixed", [CUT_BYTE] = "byte"};

bool cut_rule_from_name(const char *name, enum cut_rule *ret)
{
    for (size_t i = 0; i < sizeof(rule_names) / sizeof(rule_names[0]); i++) {
        if (strcmp(rule_names[i], name) == 0) {
            *ret = (enum cut_rule)i;
            return true;
        }
    }
    return false;
}

enum err cutter_init(struct cutter *c, enum cut_rule rule, uint64_t average, struct error *e)
{
    if (average < BLOCK_SIZE || average > CHUNK_RAW_MAX || (average & (average - 1)) != 0) {
        return fail(e, ERR_USAGE, 0,
                    "average chunk size %" PRIu64 ": must be a power of two from %d to %d bytes",
                    average, BLOCK_SIZE, CHUNK_RAW_MAX);
    }
    *c = (struct cutter){.rule = rule, .average = (uint32_t)average};
    return OK;
}

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

// Not cryptographic: whoever can choose content to steer the cuts can also choose the content.
// docs/image-format.md, "Cutting", fixes every constant.
static uint64_t block_hash(const uint8_t *block)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < BLOCK_SIZE; i += 8) {
        h = (h ^ load_le64(block + i)) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_zero(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

// Bytes of zero blocks at the start of `data`, at most `limit` of them. The last block of a
// partition may be short.
static size_t zero_prefix(const uint8_t *data, size_t limit)
{
    size_t off = 0;
    while (off < limit) {
        size_t n = min_size(BLOCK_SIZE, limit - off);
        if (!is_zero(data + off, n)) {
            break;
        }
        off += n;
    }
    return off;
}

static size_t blocks(size_t bytes)
{
    return (bytes + BLOCK_SIZE - 1) / BLOCK_SIZE;
}

// Where in data[0..limit) the first run of zero blocks begins that lies there with its first
// ZERO_RUN_BLOCKS blocks; else `limit`. Blocks are those of the partition, of which data[0] is byte
// `at`. A piece of a block at `limit` counts only if it is the partition's last.
static size_t zero_run_ahead(uint64_t at, const uint8_t *data, size_t limit, bool at_end)
{
    size_t off = (size_t)(-at % BLOCK_SIZE);
    size_t zeros = 0;
    while (off < limit) {
        size_t n = min_size(BLOCK_SIZE, limit - off);
        bool zero = (n == BLOCK_SIZE || at_end) && is_zero(data + off, n);
        zeros = zero ? zeros + 1 : 0;
        if (zeros == ZERO_RUN_BLOCKS) {
            return off - (size_t)(ZERO_RUN_BLOCKS - 1) * BLOCK_SIZE;
        }
        off += n;
    }
    return limit;
}

// `limit` is the longest this chunk may get. No byte behind it is looked at, which is what makes
// the cut independent of how much the caller has read ahead.
static size_t next_block_cut(uint32_t average, const uint8_t *data, size_t limit)
{
    size_t shortest = average / 4 < BLOCK_SIZE ? BLOCK_SIZE : average / 4;
    uint64_t odds = (average - shortest) / BLOCK_SIZE + 1;
    for (size_t off = shortest; off <= limit; off += BLOCK_SIZE) {
        const uint8_t *block = data + off - BLOCK_SIZE;
        if (!is_zero(block, BLOCK_SIZE) && block_hash(block) % odds == 0) {
            return off;
        }
    }
    return limit;
}

// Few chunks end before 13/16 of the average, where odds are low, and most soon behind it, where
// they are high: lengths stay close to the average, and are that on average.
static size_t next_byte_cut(uint32_t average, const uint8_t *data, size_t limit)
{
    size_t shortest = average / 4;
    size_t normal = average - average / 16 * 3;
    uint64_t below = (UINT64_C(1) << 62) / average;
    if (limit <= shortest) {
        return limit;
    }
    uint64_t h = gear_hash(data + shortest - 1 - GEAR_WINDOW);
    size_t off = shortest - 1;
    size_t n;
    size_t low_end = min_size(normal - 1, limit);
    if (gear_find(&h, data + off, low_end - off, below, &n)) {
        return off + n;
    }
    off = low_end;
    return gear_find(&h, data + off, limit - off, 16 * below, &n) ? off + n : limit;
}

// A byte chunk that begins among zeros has room for what is left of its block and for a run behind
// it; otherwise none of the chunks of small averages would ever come to a block's start.
static size_t longest_chunk(const struct cutter *c)
{
    size_t longest = min_size((size_t)4 * c->average, CHUNK_RAW_MAX);
    size_t room = (size_t)2 * ZERO_RUN_BLOCKS * BLOCK_SIZE;
    return c->rule == CUT_BYTE && longest < room ? room : longest;
}

size_t cutter_next(const struct cutter *c, uint64_t at, const uint8_t *data, size_t len)
{
    if (c->rule == CUT_FIXED) {
        return min_size(c->average - at % c->average, len);
    }
    if (at % BLOCK_SIZE == 0) {
        size_t run = zero_prefix(data, min_size(CHUNK_RAW_MAX, len));
        if (blocks(run) >= ZERO_RUN_BLOCKS) {
            return run;
        }
    }
    size_t limit = min_size(longest_chunk(c), len);
    limit = zero_run_ahead(at, data, limit, limit == len);
    return c->rule == CUT_BLOCK ? next_block_cut(c->average, data, limit)
                                : next_byte_cut(c->average, data, limit);
}

const char *cutter_name(const struct cutter *c, char *buf, size_t len)
{
    snprintf(buf, len, "%s:%" PRIu32, rule_names[c->rule], c->average);
    return buf;
}

bool cutter_from_name(const char *name, struct cutter *ret)
{
    const char *colon = strchr(name, ':');
    struct error ignored;
    uint64_t average;
    if (colon == NULL || !parse_u64(colon + 1, &average)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(rule_names) / sizeof(rule_names[0]); i++) {
        struct cutter c = {0};
        char again[NAME_MAX_LEN + 1];
        // Compared as a whole, because a number can be written in more than one way.
        if (cutter_init(&c, (enum cut_rule)i, average, &ignored) == OK &&
            strcmp(cutter_name(&c, again, sizeof(again)), name) == 0) {
            *ret = c;
            return true;
        }
    }
    return false;
}
