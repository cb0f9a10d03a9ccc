// SPDX-License-Identifier: Apache-2.0
#include "image-tools/feature_index.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { MIB = 1024 * 1024, CHUNK = 64 * 1024 };

struct room {
    struct feature_index *index;
    struct feature_matches matches;
    uint8_t data[MIB];
    uint8_t other[MIB];
};

static int setup(void **state)
{
    struct error e;
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    fill_random(r->data, MIB, 1);
    fill_random(r->other, MIB, 2);
    assert_ok(feature_index_new(MIB, &r->index, &e));
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    feature_index_free(r->index);
    free(r);
    return 0;
}

// Entries among the matches whose block is one of [first, last].
static size_t within(const struct room *r, uint32_t first, uint32_t last)
{
    size_t n = 0;
    for (size_t i = 0; i < r->matches.block_count; i++) {
        n += r->matches.blocks[i] >= first && r->matches.blocks[i] <= last;
    }
    return n;
}

static void the_same_content_is_found_where_it_is(void **state)
{
    struct room *r = *state;
    feature_index_add(r->index, r->data, MIB, 0);
    feature_index_find(r->index, r->data + 5 * CHUNK, CHUNK, &r->matches);
    // One feature for 512 bytes, more or less.
    assert_in_range(r->matches.feature_count, 64, 256);
    assert_int_equal(within(r, 5 * 16, 6 * 16 - 1), r->matches.feature_count);
    for (size_t i = 1; i < r->matches.block_count; i++) {
        assert_true(r->matches.blocks[i - 1] <= r->matches.blocks[i]);
    }
}

static void content_that_is_shifted_by_bytes_is_found(void **state)
{
    struct room *r = *state;
    feature_index_add(r->index, r->data, MIB, 0);
    memcpy(r->other, r->data + 5 * CHUNK + 77, CHUNK);
    feature_index_find(r->index, r->other, CHUNK, &r->matches);
    size_t found = within(r, 5 * 16, 6 * 16);
    assert_true(found * 10 > r->matches.feature_count * 9);
    assert_int_equal(found, r->matches.block_count);
}

static void other_content_is_not_found(void **state)
{
    struct room *r = *state;
    feature_index_add(r->index, r->data, MIB, 0);
    feature_index_find(r->index, r->other, MIB, &r->matches);
    assert_true(r->matches.feature_count > 1000);
    assert_true(r->matches.block_count < 3);
}

static void places_count_from_the_start_of_the_image(void **state)
{
    struct room *r = *state;
    feature_index_add(r->index, r->data, CHUNK, (uint64_t)1000 * FEATURE_BLOCK);
    feature_index_find(r->index, r->data, CHUNK, &r->matches);
    assert_int_equal(within(r, 1000, 1015), r->matches.block_count);
    assert_true(r->matches.block_count > 64);
}

static void a_feature_that_is_everywhere_has_four_places(void **state)
{
    struct room *r = *state;
    for (uint64_t i = 0; i < 16; i++) {
        feature_index_add(r->index, r->data, CHUNK, i * CHUNK);
    }
    feature_index_find(r->index, r->data, CHUNK, &r->matches);
    assert_int_equal(r->matches.block_count, FEATURE_PLACES * r->matches.feature_count);
    assert_int_equal(within(r, 0, 4 * 16 - 1), r->matches.block_count);
}

static void a_run_of_equal_bytes_is_one_feature_at_most(void **state)
{
    struct room *r = *state;
    for (int byte = 0; byte < 256; byte++) {
        memset(r->data, byte, MIB);
        feature_index_add(r->index, r->data, MIB, 0);
        feature_index_find(r->index, r->data, MIB, &r->matches);
        assert_true(r->matches.feature_count <= 1);
        assert_true(r->matches.block_count <= FEATURE_PLACES);
    }
}

static void data_shorter_than_a_feature_has_none(void **state)
{
    struct room *r = *state;
    feature_index_add(r->index, r->data, 63, 0);
    feature_index_find(r->index, r->data, 63, &r->matches);
    assert_int_equal(r->matches.feature_count, 0);
    assert_int_equal(r->matches.block_count, 0);
}

// Far more content than the index was made for: it stops taking in, and searching still ends.
static void an_index_that_is_full_still_answers(void **state)
{
    struct room *r = *state;
    struct error e;
    feature_index_free(r->index);
    r->index = NULL;
    assert_ok(feature_index_new(1, &r->index, &e));
    for (uint64_t i = 0; i < 8; i++) {
        fill_random(r->data, MIB, 100 + i);
        feature_index_add(r->index, r->data, MIB, i * MIB);
    }
    feature_index_find(r->index, r->data, MIB, &r->matches);
    assert_int_equal(r->matches.block_count, 0);
    fill_random(r->data, CHUNK, 100);
    feature_index_find(r->index, r->data, CHUNK, &r->matches);
    assert_int_equal(within(r, 0, 15), r->matches.block_count);
    assert_true(r->matches.block_count > 64);
}

static void a_large_image_takes_no_more_memory(void **state)
{
    struct room *r = *state;
    struct error e;
    feature_index_free(r->index);
    r->index = NULL;
    assert_ok(feature_index_new(UINT64_C(64) << 30, &r->index, &e));
    // A place is picked every 32 KiB of 64 GiB.
    feature_index_find(r->index, r->other, MIB, &r->matches);
    assert_in_range(r->matches.feature_count, 8, 80);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(the_same_content_is_found_where_it_is),
        in_room(content_that_is_shifted_by_bytes_is_found),
        in_room(other_content_is_not_found),
        in_room(places_count_from_the_start_of_the_image),
        in_room(a_feature_that_is_everywhere_has_four_places),
        in_room(a_run_of_equal_bytes_is_one_feature_at_most),
        in_room(data_shorter_than_a_feature_has_none),
        in_room(an_index_that_is_full_still_answers),
        in_room(a_large_image_takes_no_more_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
