// SPDX-License-Identifier: Apache-2.0
#include "updater/printable.h"

#include "tests/support/expect.h"

static void expect_copy(const char *text, size_t size, const char *want)
{
    char buf[64];
    memset(buf, 'x', sizeof buf);
    assert_ptr_equal(printable_copy(text, strlen(text), buf, size), buf);
    assert_string_equal(buf, want);
    assert_int_equal(buf[size], 'x');
}

static void letters_of_any_language_stay(void **state)
{
    (void)state;
    expect_copy("", 8, "");
    expect_copy("a b~", 8, "a b~");
    expect_copy("Tür €", 16, "Tür €");
}

static void control_characters_become_question_marks(void **state)
{
    (void)state;
    expect_copy("a\x1b[31mb", 16, "a?[31mb");
    expect_copy("a\nb\tc\x7f", 16, "a?b?c?");
    // CSI as one character of two bytes; U+00A0 is none, nor is half a character.
    expect_copy("a\xc2\x9b"
                "31m",
                16, "a?31m");
    expect_copy("a\xc2\xa0z", 16, "a\xc2\xa0z");
    expect_copy("a\xc2", 16, "a\xc2");
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    expect_copy("abcd", 1, "");
    expect_copy("abcd", 4, "abc");
    expect_copy("abcd", 5, "abcd");
    expect_copy("ab€", 5, "ab");
    expect_copy("ab€", 6, "ab€");
    expect_copy("€", 3, "");
}

static void lines_are_found_and_blanks_around_them_dropped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *first, *last;
    } cases[] = {
        {"", "", ""},
        {" \r\n\t\n", "", ""},
        {"one", "one", "one"},
        {"one\n", "one", "one"},
        {"\n\n  one  \r\ntwo\r\n\n", "one", "two"},
        {"one\n two\x1b\n", "one", " two?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buf[32];
        assert_string_equal(printable_first_line(cases[i].text, buf, sizeof buf), cases[i].first);
        assert_string_equal(printable_last_line(cases[i].text, buf, sizeof buf), cases[i].last);
    }
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    char buf[4];
    assert_string_equal(printable_first_line("abcdef\nghijkl", buf, sizeof buf), "abc");
    assert_string_equal(printable_last_line("abcdef\nghijkl", buf, sizeof buf), "ghi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_any_language_stay),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(lines_are_found_and_blanks_around_them_dropped),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
