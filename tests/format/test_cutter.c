// SPDX-License-Identifier: Apache-2.0
#include "format/cutter.h"

#include "base/parse.h"
#include "format/chunk_table.h"
#include "tests/support/cut_list.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { BLOCK = 4096, MIB = 1024 * 1024 };

static struct cutter block_cutter(uint64_t average)
{
    return cutter_for(CUT_BLOCK, average);
}

static void an_average_that_is_no_power_of_two_in_range_is_refused(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0, 1, 2048, 4095, 6144, 2u * MIB, UINT64_C(1) << 40, UINT64_MAX};
    struct error e;
    struct cutter c;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_fails(ERR_USAGE, "must be a power of two from 4096 to 1048576",
                     cutter_init(&c, CUT_BLOCK, bad[i], &e));
    }
    for (uint64_t good = 4096; good <= MIB; good *= 2) {
        assert_ok(cutter_init(&c, CUT_FIXED, good, &e));
        assert_int_equal(c.average, good);
    }
}

static void the_name_is_the_one_the_manifest_carries(void **state)
{
    (void)state;
    struct error e;
    struct cutter c;
    char name[NAME_MAX_LEN + 1];
    assert_ok(cutter_init(&c, CUT_BLOCK, 65536, &e));
    assert_string_equal(cutter_name(&c, name, sizeof(name)), "block:65536");
    assert_true(is_name(name));
    assert_ok(cutter_init(&c, CUT_FIXED, 4096, &e));
    assert_string_equal(cutter_name(&c, name, sizeof(name)), "fixed:4096");
    assert_ok(cutter_init(&c, CUT_BYTE, 1048576, &e));
    assert_string_equal(cutter_name(&c, name, sizeof(name)), "byte:1048576");
    assert_true(is_name(name));
}

static void a_name_gives_the_cutter_back(void **state)
{
    (void)state;
    struct error e;
    static const enum cut_rule rules[] = {CUT_BLOCK, CUT_FIXED, CUT_BYTE};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        for (uint64_t average = 4096; average <= MIB; average *= 2) {
            struct cutter c;
            struct cutter again = {0};
            char name[NAME_MAX_LEN + 1];
            assert_ok(cutter_init(&c, rules[i], average, &e));
            assert_true(cutter_from_name(cutter_name(&c, name, sizeof(name)), &again));
            assert_int_equal(again.rule, rules[i]);
            assert_int_equal(again.average, average);
        }
    }
}

static void a_rule_has_a_name_by_itself(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "auto", "Byte", "byt", "bytes", "byte:", "byte:4096"};
    enum cut_rule rule = CUT_BLOCK;
    assert_true(cut_rule_from_name("byte", &rule));
    assert_int_equal(rule, CUT_BYTE);
    assert_true(cut_rule_from_name("fixed", &rule));
    assert_int_equal(rule, CUT_FIXED);
    assert_true(cut_rule_from_name("block", &rule));
    assert_int_equal(rule, CUT_BLOCK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(cut_rule_from_name(bad[i], &rule));
    }
}

static void no_other_name_gives_a_cutter(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ":",
        "block",
        "block:",
        ":65536",
        "blocks:65536",
        "bloc:65536",
        "Block:65536",
        "rabin:65536",
        " block:65536",
        "block :65536",
        "block: 65536",
        "block:65536 ",
        "block:+65536",
        "block:065536",
        "block:0x10000",
        "block:64K",
        "block:65536:1",
        "block::65536",
        "block:0",
        "block:2048",
        "block:65535",
        "block:2097152",
        "block:18446744073709617152", // 2^64 + 65536
        "fixed:-4096",
        "fixed:4096.0",
        "bytes:65536",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cutter c = {.average = 1};
        if (cutter_from_name(bad[i], &c)) {
            fail_msg("'%s' gave a cutter", bad[i]);
        }
        assert_int_equal(c.average, 1);
    }
}

static void fixed_cuts_fall_on_multiples_of_the_average(void **state)
{
    (void)state;
    struct error e;
    struct cutter c;
    uint8_t *data = calloc(1, 3 * MIB);
    struct cut_list cuts;
    assert_non_null(data);
    assert_ok(cutter_init(&c, CUT_FIXED, 65536, &e));
    cut_through(&c, data, 3 * MIB - 100, SIZE_MAX, &cuts);
    assert_int_equal(cuts.count, 48);
    for (size_t i = 0; i < 47; i++) {
        assert_int_equal(cuts.end[i], (i + 1) * 65536);
    }
    assert_int_equal(cuts.end[47], 3 * MIB - 100);
    free(data);
}

static void fixed_cuts_find_back_to_multiples_from_anywhere(void **state)
{
    (void)state;
    struct error e;
    struct cutter c;
    static const uint8_t data[9000];
    assert_ok(cutter_init(&c, CUT_FIXED, 4096, &e));
    assert_int_equal(cutter_next(&c, 4095, data, sizeof(data)), 1);
    assert_int_equal(cutter_next(&c, 4096, data, sizeof(data)), 4096);
    assert_int_equal(cutter_next(&c, 4097, data, sizeof(data)), 4095);
    assert_int_equal(cutter_next(&c, (UINT64_C(1) << 40) + 96, data, sizeof(data)), 4000);
    assert_int_equal(cutter_next(&c, 4097, data, 10), 10);
}

// The example of docs/image-format.md: a rescan by another program must find the same cuts.
static void the_cuts_are_the_documented_ones(void **state)
{
    (void)state;
    static const size_t expected_blocks[] = {4, 10, 20, 30, 33, 49, 72, 74, 89};
    const size_t expected_count = sizeof(expected_blocks) / sizeof(expected_blocks[0]);
    const size_t len = 100 * BLOCK + 5;
    uint8_t *data = malloc(101 * BLOCK);
    assert_non_null(data);
    for (size_t i = 0; i < 101 * BLOCK; i++) {
        size_t block = i / BLOCK;
        data[i] = block >= 20 && block < 30 ? 0 : (uint8_t)block;
    }
    data[0] = 1;
    struct cutter c = block_cutter(32768);
    struct cut_list cuts;
    cut_through(&c, data, len, SIZE_MAX, &cuts);
    assert_int_equal(cuts.count, expected_count + 1);
    for (size_t i = 0; i < expected_count; i++) {
        assert_int_equal(cuts.end[i], expected_blocks[i] * BLOCK);
    }
    assert_int_equal(cuts.end[expected_count], len);
    free(data);
}

static void block_cuts_lie_on_multiples_of_a_block(void **state)
{
    (void)state;
    size_t len = 16 * MIB + 1000;
    uint8_t *data = random_data(len);
    struct cutter c = block_cutter(65536);
    struct cut_list cuts;
    cut_through(&c, data, len, SIZE_MAX, &cuts);
    for (size_t i = 0; i + 1 < cuts.count; i++) {
        assert_int_equal(cuts.end[i] % BLOCK, 0);
    }
    assert_int_equal(cuts.end[cuts.count - 1], len);
    free(data);
}

static void cuts_find_back_after_a_block_was_inserted(void **state)
{
    (void)state;
    struct cutter c = block_cutter(65536);
    assert_true(lost_by_insertion(&c, 8 * MIB, 3 * MIB, BLOCK) <= 5);
}

static void a_changed_block_moves_no_cut_far_from_it(void **state)
{
    (void)state;
    size_t len = 8 * MIB;
    uint8_t *data = random_data(len);
    struct cutter c = block_cutter(65536);
    struct cut_list before;
    struct cut_list after;
    cut_through(&c, data, len, SIZE_MAX, &before);
    fill_random(data + 4 * MIB, BLOCK, 5);
    cut_through(&c, data, len, SIZE_MAX, &after);
    size_t lost = 0;
    for (size_t i = 0; i < before.count; i++) {
        lost += is_cut(&after, before.end[i]) ? 0 : 1;
    }
    assert_true(lost <= 4);
    free(data);
}

static void a_run_of_four_zero_blocks_is_a_chunk_of_its_own(void **state)
{
    (void)state;
    for (size_t lead = 0; lead < 12; lead++) {
        for (size_t blocks = 4; blocks < 40; blocks += 7) {
            struct cut_list cuts;
            cut_with_zeros(CUT_BLOCK, 65536, lead * BLOCK, blocks * BLOCK, 10 * BLOCK, &cuts);
            assert_true(lead == 0 || is_cut(&cuts, lead * BLOCK));
            assert_true(is_cut(&cuts, (lead + blocks) * BLOCK));
            for (size_t k = 1; k < blocks; k++) {
                assert_false(is_cut(&cuts, (lead + k) * BLOCK));
            }
        }
    }
}

static void a_run_of_three_zero_blocks_is_data(void **state)
{
    (void)state;
    struct cut_list cuts;
    // Shorter than a quarter of the average: one chunk.
    cut_with_zeros(CUT_BLOCK, 65536, BLOCK, 3 * BLOCK, BLOCK, &cuts);
    assert_int_equal(cuts.count, 1 + (cuts.end[0] == 4 * BLOCK ? 1 : 0));
    assert_false(is_cut(&cuts, BLOCK));
}

static void a_long_run_of_zeros_is_cut_at_the_largest_chunk(void **state)
{
    (void)state;
    struct cut_list cuts;
    cut_with_zeros(CUT_BLOCK, 65536, 0, 2 * MIB + 10 * BLOCK, BLOCK, &cuts);
    assert_int_equal(cuts.end[0], MIB);
    assert_int_equal(cuts.end[1], 2 * MIB);
    assert_int_equal(cuts.end[2], 2 * MIB + 10 * BLOCK);
}

static void a_run_of_zeros_takes_the_short_end_of_the_partition_along(void **state)
{
    (void)state;
    struct cut_list cuts;
    cut_with_zeros(CUT_BLOCK, 65536, 2 * BLOCK, 3 * BLOCK + 100, 0, &cuts);
    assert_int_equal(cuts.count, 2);
    assert_int_equal(cuts.end[0], 2 * BLOCK);
    assert_int_equal(cuts.end[1], 5 * BLOCK + 100);
}

// --- Both rules that go by the content ---

static const enum cut_rule by_content[] = {CUT_BLOCK, CUT_BYTE};

static void chunks_stay_between_a_quarter_and_four_times_the_average(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t average = 4096; average <= MIB; average *= 4) {
            struct cut_list cuts;
            cut_with_zeros(by_content[k], average, 32 * MIB, 0, 0, &cuts);
            for (size_t i = 0; i < cuts.count; i++) {
                size_t n = cuts.end[i] - (i == 0 ? 0 : cuts.end[i - 1]);
                assert_true(n >= average / 4 || i + 1 == cuts.count);
                assert_true(n <= 4 * average);
            }
        }
    }
}

static void chunks_have_the_average_that_was_asked_for(void **state)
{
    (void)state;
    static const size_t parts[] = {8, 16}; // of the average, that it may be off
    for (size_t k = 0; k < 2; k++) {
        for (size_t average = 4096; average <= 65536; average *= 2) {
            struct cut_list cuts;
            cut_with_zeros(by_content[k], average, 32 * MIB, 0, 0, &cuts);
            assert_in_range(32 * MIB / cuts.count, average - average / parts[k],
                            average + average / parts[k]);
        }
    }
}

static void cuts_do_not_depend_on_how_much_was_read_ahead(void **state)
{
    (void)state;
    size_t len = 12 * MIB + 777;
    static const uint64_t averages[] = {4096, 65536, 262144, MIB};
    for (size_t k = 0; k < 2; k++) {
        // Runs of zeros that begin before, at and behind the places where a chunk must end; for
        // the byte rule not at blocks.
        size_t off = by_content[k] == CUT_BLOCK ? 0 : 11;
        uint8_t *data = random_data(len);
        for (size_t run = 0; run < 9; run++) {
            memset(data + (run + 1) * MIB + run * (BLOCK + off) - 4 * BLOCK, 0, (run + 1) * BLOCK);
        }
        memset(data + 10 * MIB + off, 0, MIB + 3 * BLOCK);
        memset(data + len - 6 * BLOCK, 0, 6 * BLOCK);
        for (size_t i = 0; i < sizeof(averages) / sizeof(averages[0]); i++) {
            struct cutter c = cutter_for(by_content[k], averages[i]);
            expect_same_cuts_in_any_window(&c, data, len);
        }
        free(data);
    }
}

static void a_partition_smaller_than_a_block_is_one_chunk(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct cutter c = cutter_for(by_content[k], 65536);
        uint8_t *data = random_data(BLOCK);
        for (size_t len = 1; len < BLOCK; len += 511) {
            assert_int_equal(cutter_next(&c, 0, data, len), len);
        }
        memset(data, 0, BLOCK);
        assert_int_equal(cutter_next(&c, 0, data, 1), 1);
        assert_int_equal(cutter_next(&c, 1, data, 1), 1);
        assert_int_equal(cutter_next(&c, 0, data, BLOCK - 1), BLOCK - 1);
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_average_that_is_no_power_of_two_in_range_is_refused),
        cmocka_unit_test(the_name_is_the_one_the_manifest_carries),
        cmocka_unit_test(a_name_gives_the_cutter_back),
        cmocka_unit_test(a_rule_has_a_name_by_itself),
        cmocka_unit_test(no_other_name_gives_a_cutter),
        cmocka_unit_test(fixed_cuts_fall_on_multiples_of_the_average),
        cmocka_unit_test(fixed_cuts_find_back_to_multiples_from_anywhere),
        cmocka_unit_test(the_cuts_are_the_documented_ones),
        cmocka_unit_test(block_cuts_lie_on_multiples_of_a_block),
        cmocka_unit_test(cuts_find_back_after_a_block_was_inserted),
        cmocka_unit_test(a_changed_block_moves_no_cut_far_from_it),
        cmocka_unit_test(a_run_of_four_zero_blocks_is_a_chunk_of_its_own),
        cmocka_unit_test(a_run_of_three_zero_blocks_is_data),
        cmocka_unit_test(a_long_run_of_zeros_is_cut_at_the_largest_chunk),
        cmocka_unit_test(a_run_of_zeros_takes_the_short_end_of_the_partition_along),
        cmocka_unit_test(chunks_stay_between_a_quarter_and_four_times_the_average),
        cmocka_unit_test(chunks_have_the_average_that_was_asked_for),
        cmocka_unit_test(cuts_do_not_depend_on_how_much_was_read_ahead),
        cmocka_unit_test(a_partition_smaller_than_a_block_is_one_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
