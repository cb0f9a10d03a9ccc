// SPDX-License-Identifier: Apache-2.0
// The byte rule of format/cutter.c; what it shares with the block rule: test_cutter.c.
#include "format/chunk_table.h"
#include "format/cutter.h"
#include "format/gear.h"
#include "tests/support/cut_list.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { BLOCK = 4096, MIB = 1024 * 1024 };

static struct cutter byte_cutter(uint64_t average)
{
    return cutter_for(CUT_BYTE, average);
}

// The example of docs/image-format.md.
static void fill_example(uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(gear_table[i % 256] >> (i / 256 % 56));
    }
    memset(data + 40000, 0, 30000);
}

static void expect_example(uint64_t average, const size_t *expected, size_t count)
{
    static uint8_t data[120005];
    struct cutter c = byte_cutter(average);
    struct cut_list cuts;
    fill_example(data, sizeof(data));
    cut_through(&c, data, sizeof(data), SIZE_MAX, &cuts);
    assert_int_equal(cuts.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(cuts.end[i], expected[i]);
    }
}

static void the_cuts_are_the_documented_ones(void **state)
{
    (void)state;
    static const size_t at_4096[] = {4698,  9361,  13104,  17390,  21946,  26179,  31726,
                                     36282, 40960, 69632,  74734,  79290,  83523,  89070,
                                     93626, 97859, 103406, 107962, 112195, 117742, 120005};
    static const size_t at_8192[] = {9361,  23697, 38033,  40960, 69632,
                                     81041, 95377, 109713, 120005};
    expect_example(4096, at_4096, sizeof(at_4096) / sizeof(at_4096[0]));
    expect_example(8192, at_8192, sizeof(at_8192) / sizeof(at_8192[0]));
}

// 64 bytes with a hash from `from` to less than `below`.
static void find_window(uint64_t from, uint64_t below, uint8_t ret[GEAR_WINDOW])
{
    uint64_t seed = 0;
    do {
        fill_random(ret, GEAR_WINDOW, ++seed);
    } while (gear_hash(ret) < from || gear_hash(ret) >= below);
}

// The first chunk of equal bytes, which are not cut, but for such a window that ends at `end`.
static size_t cut_with_window(const uint8_t window[GEAR_WINDOW], size_t end)
{
    static uint8_t data[2 * MIB];
    struct cutter c = byte_cutter(4096);
    memset(data, 'y', sizeof(data));
    memcpy(data + end - GEAR_WINDOW, window, GEAR_WINDOW);
    return cutter_next(&c, 0, data, sizeof(data));
}

static void odds_change_at_the_documented_lengths(void **state)
{
    (void)state;
    const uint64_t low = UINT64_C(1) << 50; // 2^62 / 4096
    const uint64_t high = UINT64_C(1) << 54;
    uint8_t window[GEAR_WINDOW];
    find_window(0, low, window);
    assert_int_equal(cut_with_window(window, 1023), 32768);
    assert_int_equal(cut_with_window(window, 1024), 1024);
    assert_int_equal(cut_with_window(window, 1025), 1025);
    assert_int_equal(cut_with_window(window, 3327), 3327);
    assert_int_equal(cut_with_window(window, 3328), 3328);
    assert_int_equal(cut_with_window(window, 32767), 32767);
    assert_int_equal(cut_with_window(window, 32769), 32768);
    find_window(low, high, window);
    assert_int_equal(cut_with_window(window, 1024), 32768);
    assert_int_equal(cut_with_window(window, 3327), 32768);
    assert_int_equal(cut_with_window(window, 3328), 3328);
    assert_int_equal(cut_with_window(window, 3329), 3329);
    find_window(high, high + low, window);
    assert_int_equal(cut_with_window(window, 3328), 32768);
    assert_int_equal(cut_with_window(window, 32700), 32768);
}

static void a_run_of_one_byte_is_cut_at_the_longest_chunk(void **state)
{
    (void)state;
    uint8_t *data = malloc(MIB);
    assert_non_null(data);
    struct cutter c = byte_cutter(8192);
    for (int byte = 1; byte < 256; byte += 2) {
        memset(data, byte, MIB);
        struct cut_list cuts;
        cut_through(&c, data, MIB, SIZE_MAX, &cuts);
        assert_int_equal(cuts.count, MIB / 32768);
    }
    free(data);
}

static void cuts_find_back_after_any_number_of_bytes_was_inserted(void **state)
{
    (void)state;
    static const size_t inserted[] = {1, 2, 63, 100, 4095, 4096, 70001};
    struct cutter c = byte_cutter(65536);
    for (size_t i = 0; i < sizeof(inserted) / sizeof(inserted[0]); i++) {
        for (size_t at = 1; at < 8 * MIB; at += 2 * MIB + 12345) {
            assert_true(lost_by_insertion(&c, 8 * MIB, at, inserted[i]) <= 5);
        }
    }
}

// What the byte rule is for.
static void block_cuts_do_not_find_back_after_a_byte(void **state)
{
    (void)state;
    struct cutter c = cutter_for(CUT_BLOCK, 65536);
    assert_true(lost_by_insertion(&c, 8 * MIB, MIB, 1) > 80);
    assert_true(lost_by_insertion(&c, 8 * MIB, MIB, BLOCK) <= 5);
}

static void a_run_of_four_zero_blocks_is_a_chunk_on_their_bounds(void **state)
{
    (void)state;
    static const size_t leads[] = {0, 1, 4095, 4096, 4097, 10000, 65536, 65537, 100001, 262143};
    static const uint64_t averages[] = {4096, 8192, 65536, MIB};
    for (size_t i = 0; i < sizeof(averages) / sizeof(averages[0]); i++) {
        for (size_t k = 0; k < sizeof(leads) / sizeof(leads[0]); k++) {
            for (size_t blocks = 4; blocks < 40; blocks += 7) {
                struct cut_list cuts;
                size_t begin = (leads[k] + BLOCK - 1) / BLOCK * BLOCK;
                size_t end = begin + blocks * BLOCK;
                cut_with_zeros(CUT_BYTE, averages[i], leads[k], end - leads[k] + 77, 10 * BLOCK,
                               &cuts);
                assert_true(begin == 0 || is_cut(&cuts, begin));
                assert_true(is_cut(&cuts, end));
                for (size_t off = begin + 1; off < end; off++) {
                    assert_false(is_cut(&cuts, off));
                }
            }
        }
    }
}

static void a_chunk_that_begins_among_zeros_ends_with_their_block(void **state)
{
    (void)state;
    static const uint8_t zeros[2 * MIB];
    for (uint64_t average = 4096; average <= MIB; average *= 2) {
        struct cutter c = byte_cutter(average);
        assert_int_equal(cutter_next(&c, 100, zeros, sizeof(zeros)), BLOCK - 100);
        assert_int_equal(cutter_next(&c, 8191, zeros, sizeof(zeros)), 1);
        assert_int_equal(cutter_next(&c, 8192, zeros, sizeof(zeros)), MIB);
    }
}

static void zeros_that_fill_no_four_blocks_are_data(void **state)
{
    (void)state;
    struct cut_list cuts;
    cut_with_zeros(CUT_BYTE, 65536, 100, 5 * BLOCK - 101, 100000,
                   &cuts); // one short of block 4's end
    assert_true(cuts.end[0] >= 16384);
    cut_with_zeros(CUT_BYTE, 65536, 100, 5 * BLOCK - 100, 100000, &cuts);
    assert_int_equal(cuts.end[0], BLOCK);
    assert_int_equal(cuts.end[1], 5 * BLOCK);
}

static void a_long_run_of_zeros_is_cut_at_the_largest_chunk(void **state)
{
    (void)state;
    struct cut_list cuts;
    cut_with_zeros(CUT_BYTE, 65536, 100, 2 * MIB + 10 * BLOCK, BLOCK, &cuts);
    assert_int_equal(cuts.end[0], BLOCK);
    assert_int_equal(cuts.end[1], MIB + BLOCK);
    assert_int_equal(cuts.end[2], 2 * MIB + BLOCK);
    assert_int_equal(cuts.end[3], 2 * MIB + 10 * BLOCK);
}

static void whatever_the_average_most_of_many_zeros_is_cut_at_the_largest_chunk(void **state)
{
    (void)state;
    for (uint64_t average = 4096; average <= MIB; average *= 2) {
        for (size_t lead = 1; lead < 300000; lead += 29989) {
            struct cut_list cuts;
            cut_with_zeros(CUT_BYTE, average, lead, 3 * MIB, BLOCK, &cuts);
            size_t largest = 0;
            for (size_t i = 1; i < cuts.count; i++) {
                bool aligned = cuts.end[i - 1] % BLOCK == 0 && cuts.end[i] % BLOCK == 0;
                largest += aligned && cuts.end[i] - cuts.end[i - 1] == MIB ? 1 : 0;
            }
            assert_true(largest >= 2);
        }
    }
}

static void a_run_of_zeros_takes_the_short_end_of_the_partition_along(void **state)
{
    (void)state;
    struct cut_list cuts;
    cut_with_zeros(CUT_BYTE, 65536, 2 * BLOCK - 50, 3 * BLOCK + 150, 0, &cuts);
    assert_int_equal(cuts.count, 2);
    assert_int_equal(cuts.end[0], 2 * BLOCK);
    assert_int_equal(cuts.end[1], 5 * BLOCK + 100);
    cut_with_zeros(CUT_BYTE, 65536, 2 * BLOCK - 50, 3 * BLOCK + 50, 0,
                   &cuts); // three blocks and no more
    assert_int_equal(cuts.count, 1);
}

// The last block stands behind the longest chunk but for some bytes, which must not count as a
// whole zero block unless they are one.
static void a_piece_of_a_block_at_the_longest_chunk_is_no_block(void **state)
{
    (void)state;
    struct cutter c = byte_cutter(8192);
    size_t len = 6 * MIB;
    uint8_t *data = malloc(len);
    assert_non_null(data);
    memset(data, 1, len); // never cut by its hash
    size_t at = 100;      // the chunk ends at 32868, 100 bytes into block 8
    memset(data + 5 * BLOCK, 0, 3 * BLOCK + 100);
    assert_int_equal(cutter_next(&c, at, data + at, len - at), 32768);
    memset(data + 4 * BLOCK, 0, BLOCK);
    assert_int_equal(cutter_next(&c, at, data + at, len - at), 4 * BLOCK - at);
    memset(data + 4 * BLOCK, 1, BLOCK);
    // At the end of the partition it is one.
    assert_int_equal(cutter_next(&c, at, data + at, 32768), 5 * BLOCK - at);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cuts_are_the_documented_ones),
        cmocka_unit_test(odds_change_at_the_documented_lengths),
        cmocka_unit_test(a_run_of_one_byte_is_cut_at_the_longest_chunk),
        cmocka_unit_test(cuts_find_back_after_any_number_of_bytes_was_inserted),
        cmocka_unit_test(block_cuts_do_not_find_back_after_a_byte),
        cmocka_unit_test(a_run_of_four_zero_blocks_is_a_chunk_on_their_bounds),
        cmocka_unit_test(a_chunk_that_begins_among_zeros_ends_with_their_block),
        cmocka_unit_test(zeros_that_fill_no_four_blocks_are_data),
        cmocka_unit_test(a_long_run_of_zeros_is_cut_at_the_largest_chunk),
        cmocka_unit_test(whatever_the_average_most_of_many_zeros_is_cut_at_the_largest_chunk),
        cmocka_unit_test(a_run_of_zeros_takes_the_short_end_of_the_partition_along),
        cmocka_unit_test(a_piece_of_a_block_at_the_longest_chunk_is_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
