// SPDX-License-Identifier: Apache-2.0
#include "image-tools/feature_index.h"

#include <string.h>

enum {
    WARM_UP = 64,          // bytes that a hash of 64 bits, shifted by one for each, depends on
    SPACING_LOG_MIN = 9,   // a feature every 512 bytes on average
    FEATURES_LOG_MAX = 21, // of a whole image
    PLACES_LOG_MIN = 10,
    WORD_BITS = 64,
};

// Twice the features expected: chains stay short.
enum { SLACK_LOG = 1 };

// block is a number plus one; 0: free.
struct place {
    uint32_t feature;
    uint32_t block;
};

struct feature_index {
    uint64_t gear[256]; // a random number for each byte
    unsigned spacing_log;
    size_t place_count; // a power of two
    size_t used;
    struct place *places;
};

// The next number of splitmix64: fixed numbers without a table of them in the source.
static uint64_t next_gear(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

enum err feature_index_new(uint64_t total_bytes, struct feature_index **ret, struct error *e)
{
    CLEANUP(cleanup_feature_index) struct feature_index *x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return fail_memory(e);
    }
    uint64_t state = 0;
    for (size_t i = 0; i < sizeof(x->gear) / sizeof(x->gear[0]); i++) {
        x->gear[i] = next_gear(&state);
    }
    x->spacing_log = SPACING_LOG_MIN;
    while (total_bytes >> x->spacing_log > UINT64_C(1) << FEATURES_LOG_MAX) {
        x->spacing_log++;
    }
    unsigned places_log = PLACES_LOG_MIN;
    while (total_bytes >> x->spacing_log > UINT64_C(1) << (places_log - SLACK_LOG)) {
        places_log++;
    }
    x->place_count = (size_t)1 << places_log;
    x->places = calloc(x->place_count, sizeof(*x->places));
    if (x->places == NULL) {
        return fail_memory(e);
    }
    *ret = TAKE_PTR(x);
    return OK;
}

void feature_index_free(struct feature_index *x)
{
    if (x == NULL) {
        return;
    }
    free(x->places);
    free(x);
}

// --- Features ---

// Goes over data from one feature to the next.
struct walk {
    const struct feature_index *index;
    const uint8_t *data;
    size_t len;
    size_t pos;  // of the next byte to take in
    size_t next; // no feature ends before
    uint64_t hash;
};

static struct walk walk_over(const struct feature_index *x, const uint8_t *data, size_t len)
{
    return (struct walk){.index = x, .data = data, .len = len, .next = WARM_UP};
}

// `ret_end`: where the feature's bytes end.
static bool next_feature(struct walk *w, uint32_t *ret, size_t *ret_end)
{
    unsigned shift = WORD_BITS - w->index->spacing_log;
    while (w->pos < w->len) {
        w->hash = (w->hash << 1) + w->index->gear[w->data[w->pos++]];
        if (w->hash >> shift == 0 && w->pos >= w->next) {
            w->next = w->pos + FEATURE_APART;
            *ret = (uint32_t)((w->hash * UINT64_C(0xff51afd7ed558ccd)) >> 32);
            *ret_end = w->pos;
            return true;
        }
    }
    return false;
}

// --- Places ---

static size_t first_place(const struct feature_index *x, uint32_t feature)
{
    return (size_t)(feature * UINT32_C(0x9e3779b1)) & (x->place_count - 1);
}

static void add_place(struct feature_index *x, uint32_t feature, uint32_t block)
{
    size_t i = first_place(x, feature);
    for (unsigned seen = 0; x->places[i].block != 0; i = (i + 1) & (x->place_count - 1)) {
        if (x->places[i].feature != feature) {
            continue;
        }
        if (x->places[i].block == block + 1 || ++seen == FEATURE_PLACES) {
            return;
        }
    }
    // Content that makes more features than expected must not fill the table: searching ends at a
    // free place.
    if (x->used < x->place_count / 4 * 3) {
        x->places[i] = (struct place){.feature = feature, .block = block + 1};
        x->used++;
    }
}

void feature_index_add(struct feature_index *x, const uint8_t *data, size_t len, uint64_t off)
{
    uint32_t feature;
    size_t end;
    struct walk w = walk_over(x, data, len);
    while (next_feature(&w, &feature, &end)) {
        add_place(x, feature, (uint32_t)((off + end - 1) / FEATURE_BLOCK));
    }
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(uint32_t *numbers, size_t count)
{
    size_t kept = 0;
    qsort(numbers, count, sizeof(*numbers), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || numbers[kept - 1] != numbers[i]) {
            numbers[kept++] = numbers[i];
        }
    }
    return kept;
}

static void find_places(const struct feature_index *x, uint32_t feature,
                        struct feature_matches *ret)
{
    size_t i = first_place(x, feature);
    for (; x->places[i].block != 0; i = (i + 1) & (x->place_count - 1)) {
        if (x->places[i].feature == feature) {
            ret->blocks[ret->block_count++] = x->places[i].block - 1;
        }
    }
}

void feature_index_find(const struct feature_index *x, const uint8_t *data, size_t len,
                        struct feature_matches *ret)
{
    uint32_t feature;
    size_t end;
    size_t count = 0;
    struct walk w = walk_over(x, data, len);
    while (count < FEATURES_MAX && next_feature(&w, &feature, &end)) {
        ret->features[count++] = feature;
    }
    // A run of equal bytes gives the same feature again and again; it counts once.
    ret->feature_count = sort_unique(ret->features, count);
    ret->block_count = 0;
    for (size_t i = 0; i < ret->feature_count; i++) {
        find_places(x, ret->features[i], ret);
    }
    qsort(ret->blocks, ret->block_count, sizeof(*ret->blocks), compare_numbers);
}
