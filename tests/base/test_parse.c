// SPDX-License-Identifier: Apache-2.0
#include "base/parse.h"

#include "tests/support/expect.h"

struct good {
    const char *text;
    uint64_t want;
};

static void check_good(bool (*parse)(const char *, uint64_t *), const struct good *cases,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t got = 0;
        if (!parse(cases[i].text, &got) || got != cases[i].want) {
            fail_msg("expected %llu of '%s', got %llu", (unsigned long long)cases[i].want,
                     cases[i].text, (unsigned long long)got);
        }
    }
}

static void check_bad(bool (*parse)(const char *, uint64_t *), const char *const *cases,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t got = 4711;
        if (parse(cases[i], &got)) {
            fail_msg("expected a refusal of '%s', got %llu", cases[i], (unsigned long long)got);
        }
        assert_int_equal(got, 4711);
    }
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_decimal_number_is_read(void **state)
{
    (void)state;
    static const struct good cases[] = {
        {"0", 0}, {"7", 7}, {"42", 42}, {"007", 7}, {"18446744073709551615", UINT64_MAX},
    };
    check_good(parse_u64, cases, COUNT(cases));
}

static void anything_but_a_decimal_number_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "0x1",
        "1e3",
        "1.0",
        "a",
        "1a",
        "1K",
        "--",
        "\xb2",
        ":",
        "/",
        "1,000",
        "18446744073709551616",
        "99999999999999999999",
        "184467440737095516150",
    };
    check_bad(parse_u64, cases, COUNT(cases));
}

static void a_size_takes_powers_of_1024(void **state)
{
    (void)state;
    static const struct good cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"1K", 1024},
        {"64M", UINT64_C(64) << 20},
        {"3G", UINT64_C(3) << 30},
        {"2T", UINT64_C(2) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
    };
    check_good(parse_size, cases, COUNT(cases));
}

static void a_size_with_another_unit_or_too_large_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "K",
        "1k",
        "1KB",
        "1KiB",
        "1 K",
        "1B",
        "1P",
        "-1",
        "1.5",
        "1KK",
        "16777216T",
        "1K ",
        " 1K",
        "0x1K",
        "18446744073709551616",
        "18446744073709551615K",
    };
    check_bad(parse_size, cases, COUNT(cases));
}

static void a_duration_takes_a_unit(void **state)
{
    (void)state;
    static const struct good cases[] = {
        {"0", 0},
        {"0s", 0},
        {"250ms", 250},
        {"30s", 30000},
        {"5min", 300000},
        {"2h", 7200000},
        {"7d", UINT64_C(604800000)},
    };
    check_good(parse_duration, cases, COUNT(cases));
}

static void a_duration_without_unit_or_too_long_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "30",
        "00",
        "1m",
        "1sec",
        "1 s",
        "-1s",
        "1.5s",
        "s",
        "1H",
        "1s ",
        " 1s",
        "1s1s",
        "1w",
        "18446744073709551615s",
        "213503982335d",
    };
    check_bad(parse_duration, cases, COUNT(cases));
}

static void yes_and_no_have_three_words_each(void **state)
{
    (void)state;
    static const char *const yes[] = {"yes", "true", "1"};
    static const char *const no[] = {"no", "false", "0"};
    for (size_t i = 0; i < COUNT(yes); i++) {
        bool v = false;
        assert_true(parse_bool(yes[i], &v));
        assert_true(v);
        assert_true(parse_bool(no[i], &v));
        assert_false(v);
    }
}

static void any_other_word_is_neither_yes_nor_no(void **state)
{
    (void)state;
    static const char *const cases[] = {"",  "Yes", "TRUE", "on",  "off",
                                        "2", "01",  "yes ", " no", "y"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool v = true;
        if (parse_bool(cases[i], &v)) {
            fail_msg("expected a refusal of '%s'", cases[i]);
        }
        assert_true(v);
    }
}

static void a_name_has_1_to_64_characters_of_its_alphabet(void **state)
{
    (void)state;
    char longest[NAME_MAX_LEN + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_true(is_name("a"));
    assert_true(is_name("rootfs"));
    assert_true(is_name("2.0.1-rc1+git~5:a_B"));
    assert_true(is_name(longest));
}

static void a_name_too_long_or_with_another_character_is_refused(void **state)
{
    (void)state;
    char too_long[NAME_MAX_LEN + 2];
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    assert_false(is_name(too_long));
    static const char *const cases[] = {"",    " ",    "a b",  "a/b",      "a\n",
                                        "a=b", "a\"b", "a\\b", "\xc3\xa4", "a,b",
                                        "a;b", "a#b",  "a@b",  "[a]",      "a\x7f"};
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (is_name(cases[i])) {
            fail_msg("expected a refusal of '%s'", cases[i]);
        }
    }
}

static void sizes_are_written_for_people(void **state)
{
    (void)state;
    static const struct good cases[] = {
        {"0 B", 0},
        {"300 B", 300},
        {"1023 B", 1023},
        {"1.0 KiB", 1024},
        {"1.4 MiB", 1500000},
        {"1023.9 KiB", (1 << 20) - 1},
        {"6.0 GiB", UINT64_C(6) << 30},
        {"15.9 EiB", UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char buf[16];
        assert_string_equal(format_size(cases[i].want, buf, sizeof buf), cases[i].text);
    }
}

static void durations_are_written_for_people(void **state)
{
    (void)state;
    static const struct good cases[] = {
        {"0 ms", 0},
        {"40 ms", 40},
        {"1 s", 1999},
        {"59 s", 59999},
        {"1 min", 60000},
        {"2 min 5 s", 125000},
        {"1 h", 3600000 + 59000},
        {"1 h 1 min", 3660000},
        {"2 d 3 h", UINT64_C(2) * 86400000 + 3 * 3600000},
        {"213503982334 d 14 h", UINT64_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char buf[32];
        assert_string_equal(format_duration(cases[i].want, buf, sizeof buf), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decimal_number_is_read),
        cmocka_unit_test(anything_but_a_decimal_number_is_refused),
        cmocka_unit_test(a_size_takes_powers_of_1024),
        cmocka_unit_test(a_size_with_another_unit_or_too_large_is_refused),
        cmocka_unit_test(a_duration_takes_a_unit),
        cmocka_unit_test(a_duration_without_unit_or_too_long_is_refused),
        cmocka_unit_test(yes_and_no_have_three_words_each),
        cmocka_unit_test(any_other_word_is_neither_yes_nor_no),
        cmocka_unit_test(a_name_has_1_to_64_characters_of_its_alphabet),
        cmocka_unit_test(a_name_too_long_or_with_another_character_is_refused),
        cmocka_unit_test(sizes_are_written_for_people),
        cmocka_unit_test(durations_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
