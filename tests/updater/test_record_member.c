// SPDX-License-Identifier: Apache-2.0
#include "updater/record_member.h"

#include "bootloader/boot_state.h"
#include "tests/support/expect.h"

#include <inttypes.h>

// What `text` says under "m", the caller frees it.
static json_t *object(const char *text)
{
    struct error e;
    char all[160];
    json_t *root = NULL;
    snprintf(all, sizeof all, "{\"m\":%s}", text);
    assert_ok(json_parse(all, strlen(all), &root, &e));
    return root;
}

static void a_number_is_taken_up_to_the_largest_of_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool u64, u32;
        uint64_t value;
    } rows[] = {
        {"0", true, true, 0},
        {"4294967295", true, true, UINT32_MAX},
        {"4294967296", true, false, UINT32_MAX + 1ull},
        {"9223372036854775807", true, false, INT64_MAX},
        {"-1", false, false, 0},
        {"\"1\"", false, false, 0},
        {"true", false, false, 0},
        {"null", false, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_json) json_t *root = object(rows[i].text);
        uint64_t u64 = 7;
        uint32_t u32 = 7;
        if (member_u64(root, "m", &u64) != rows[i].u64 ||
            member_u32(root, "m", &u32) != rows[i].u32) {
            fail_msg("%s: expected to fit 64 bits: %d, 32 bits: %d", rows[i].text, rows[i].u64,
                     rows[i].u32);
        }
        assert_true(!rows[i].u64 || u64 == rows[i].value);
        assert_int_equal(u32, rows[i].u32 ? rows[i].value : 7);
    }
}

static void a_slot_is_one_of_two_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int slot; // -2: refused
    } rows[] = {{"-2", -2}, {"-1", SLOT_NONE},  {"0", 0},     {"1", 1},
                {"2", -2},  {"4294967296", -2}, {"null", -2}, {"\"0\"", -2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_json) json_t *root = object(rows[i].text);
        int slot = -2;
        bool good = member_slot(root, "m", &slot);
        if (slot != rows[i].slot || good != (rows[i].slot != -2)) {
            fail_msg("%s: expected %d, got %d", rows[i].text, rows[i].slot, slot);
        }
    }
}

static void a_truth_value_is_nothing_else(void **state)
{
    (void)state;
    CLEANUP(cleanup_json) json_t *yes = object("true");
    CLEANUP(cleanup_json) json_t *no = object("false");
    CLEANUP(cleanup_json) json_t *one = object("1");
    bool found = false;
    assert_true(member_bool(yes, "m", &found) && found);
    assert_true(member_bool(no, "m", &found) && !found);
    assert_false(member_bool(one, "m", &found));
}

static void a_text_that_does_not_fit_is_not_cut(void **state)
{
    (void)state;
    CLEANUP(cleanup_json) json_t *root = object("\"1234\"");
    CLEANUP(cleanup_json) json_t *number = object("1234");
    char text[8] = "x";
    assert_false(member_text(root, "m", text, 4));
    assert_false(member_text(number, "m", text, sizeof text));
    assert_string_equal(text, "x");
    assert_true(member_text(root, "m", text, 5));
    assert_string_equal(text, "1234");
}

static void a_word_is_one_of_those_it_can_be(void **state)
{
    (void)state;
    static const char *const names[] = {"idle", "trial"};
    static const struct {
        const char *text;
        unsigned index; // 2: refused
    } rows[] = {{"\"idle\"", 0},   {"\"trial\"", 1}, {"\"tria\"", 2},
                {"\"trials\"", 2}, {"\"\"", 2},      {"1", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_json) json_t *root = object(rows[i].text);
        unsigned index = 2;
        bool good = member_word(root, "m", names, 2, &index);
        if (index != rows[i].index || good != (rows[i].index != 2)) {
            fail_msg("%s: expected %u, got %u", rows[i].text, rows[i].index, index);
        }
    }
}

static void a_member_that_is_missing_is_none(void **state)
{
    (void)state;
    static const char *const names[] = {"idle"};
    CLEANUP(cleanup_json) json_t *root = object("1");
    uint64_t u64;
    uint32_t u32;
    bool truth;
    int slot;
    char text[8];
    unsigned index;
    assert_false(member_u64(root, "n", &u64));
    assert_false(member_u32(root, "n", &u32));
    assert_false(member_bool(root, "n", &truth));
    assert_false(member_slot(root, "n", &slot));
    assert_false(member_text(root, "n", text, sizeof text));
    assert_false(member_word(root, "n", names, 1, &index));
    assert_false(member_u64(NULL, "n", &u64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_taken_up_to_the_largest_of_its_kind),
        cmocka_unit_test(a_slot_is_one_of_two_or_none),
        cmocka_unit_test(a_truth_value_is_nothing_else),
        cmocka_unit_test(a_text_that_does_not_fit_is_not_cut),
        cmocka_unit_test(a_word_is_one_of_those_it_can_be),
        cmocka_unit_test(a_member_that_is_missing_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
