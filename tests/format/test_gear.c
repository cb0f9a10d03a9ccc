// SPDX-License-Identifier: Apache-2.0
#include "format/gear.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

enum { LEN = 4096 };

// The formula of docs/image-format.md.
static uint64_t documented_entry(unsigned byte)
{
    uint64_t z = (byte + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void the_table_is_the_documented_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(gear_table[i], documented_entry(i));
    }
    assert_int_equal(gear_table[0], 0xe220a8397b1dcdaf);
    assert_int_equal(gear_table[255], 0x5a5832bb47bcf19e);
}

static void the_hash_is_the_documented_sum(void **state)
{
    (void)state;
    uint8_t data[GEAR_WINDOW];
    for (uint64_t seed = 1; seed < 100; seed++) {
        fill_random(data, sizeof(data), seed);
        uint64_t sum = 0;
        for (unsigned back = 1; back <= GEAR_WINDOW; back++) {
            sum += documented_entry(data[GEAR_WINDOW - back]) << (back - 1);
        }
        assert_int_equal(gear_hash(data), sum);
    }
}

static void the_check_values_are_the_documented_ones(void **state)
{
    (void)state;
    uint8_t data[GEAR_WINDOW];
    memset(data, 0, sizeof(data));
    assert_int_equal(gear_hash(data), 0x1ddf57c684e23251);
    for (unsigned i = 0; i < GEAR_WINDOW; i++) {
        data[i] = (uint8_t)i;
    }
    assert_int_equal(gear_hash(data), 0xec2ef8432972abfd);
}

static void what_stands_before_the_window_is_forgotten(void **state)
{
    (void)state;
    uint8_t data[LEN];
    size_t ignored;
    fill_random(data, sizeof(data), 1);
    uint64_t h = 12345;
    assert_false(gear_find(&h, data, sizeof(data), 0, &ignored));
    assert_int_equal(h, gear_hash(data + sizeof(data) - GEAR_WINDOW));
}

static void the_first_place_below_the_bound_is_found(void **state)
{
    (void)state;
    static uint8_t data[64 * LEN];
    const uint64_t below = UINT64_C(1) << 54;
    fill_random(data, sizeof(data), 2);
    uint64_t h = gear_hash(data);
    size_t found = 0;
    size_t n = 0;
    for (size_t end = GEAR_WINDOW + 1; end <= sizeof(data); end++) {
        n++;
        if (gear_hash(data + end - GEAR_WINDOW) >= below) {
            continue;
        }
        size_t taken = 0;
        assert_true(gear_find(&h, data + end - n, sizeof(data) - (end - n), below, &taken));
        assert_int_equal(taken, n);
        h = gear_hash(data + end - GEAR_WINDOW);
        n = 0;
        found++;
    }
    assert_in_range(found, 128, 512); // 256 on average
}

static void a_place_behind_the_length_is_not_found(void **state)
{
    (void)state;
    static uint8_t data[64 * LEN];
    const uint64_t below = UINT64_C(1) << 54;
    size_t first = 0;
    size_t again = 0;
    fill_random(data, sizeof(data), 3);
    uint64_t h = gear_hash(data);
    uint64_t start = h;
    assert_true(gear_find(&h, data + GEAR_WINDOW, sizeof(data) - GEAR_WINDOW, below, &first));
    h = start;
    assert_false(gear_find(&h, data + GEAR_WINDOW, first - 1, below, &again));
    assert_true(gear_find(&h, data + GEAR_WINDOW + first - 1, 1, below, &again));
    assert_int_equal(again, 1);
    h = start;
    assert_false(gear_find(&h, data + GEAR_WINDOW, 0, UINT64_MAX, &again));
    assert_int_equal(h, start);
}

static void behind_equal_bytes_the_hash_is_high(void **state)
{
    (void)state;
    uint8_t data[GEAR_WINDOW];
    for (int byte = 0; byte < 256; byte++) {
        memset(data, byte, sizeof(data));
        assert_true(gear_hash(data) >= UINT64_C(1) << 54);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_documented_one),
        cmocka_unit_test(the_hash_is_the_documented_sum),
        cmocka_unit_test(the_check_values_are_the_documented_ones),
        cmocka_unit_test(what_stands_before_the_window_is_forgotten),
        cmocka_unit_test(the_first_place_below_the_bound_is_found),
        cmocka_unit_test(a_place_behind_the_length_is_not_found),
        cmocka_unit_test(behind_equal_bytes_the_hash_is_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
