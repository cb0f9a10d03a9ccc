// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/plain_text.h"

#include "tests/support/expect.h"

static const char *copy_of(const char *text, size_t size)
{
    static char buf[256];
    assert_true(size <= sizeof buf);
    memset(buf, 'x', sizeof buf);
    plain_text_copy(buf, size, text);
    assert_true(strlen(buf) < size);
    return buf;
}

static void what_is_plain_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "tv_api: HTTP 500", "Gr\303\274\303\237e", "\342\202\254 1", "\360\237\232\200",
        "\302\240"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(copy_of(texts[i], 64), texts[i]);
    }
    assert_string_equal(copy_of(NULL, 64), "");
}

static void no_text_starts_a_new_line_or_reaches_a_terminal_as_a_command(void **state)
{
    (void)state;
    assert_string_equal(copy_of("a\nb\r\nc\td", 64), "a b  c d");
    assert_string_equal(copy_of("\033[2J\a\177", 64), "?[2J??");
    assert_string_equal(copy_of("\302\233"
                                "2J\302\200\302\237",
                                64),
                        "?2J??");
}

static void bytes_that_are_no_utf8_are_question_marks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"\374ber", "?ber"},                // Latin-1
        {"\200\277", "??"},                 // nothing to continue
        {"a\303", "a?"},                    // cut off
        {"a\342\202", "a??"},               //
        {"a\360\237\232", "a???"},          //
        {"\300\257", "??"},                 // overlong '/'
        {"\340\200\257", "???"},            //
        {"\360\200\200\257", "????"},       //
        {"\355\240\200", "???"},            // a surrogate
        {"\364\220\200\200", "????"},       // above U+10FFFF
        {"\365\200\200\200", "????"},       //
        {"\377\376", "??"},                 //
        {"\355\237\277!", "\355\237\277!"}, // the last before the surrogates
        {"\364\217\277\277", "\364\217\277\277"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(copy_of(rows[i].text, 64), rows[i].want);
        json_t *value = json_string(rows[i].want);
        assert_non_null(value);
        json_decref(value);
    }
}

static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    static const char text[] = "a\303\244\342\202\254\360\237\232\200z"; // 1, 2, 3, 4 and 1 bytes
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t size = 1; size <= sizeof want / sizeof want[0]; size++) {
        const char *got = copy_of(text, size);
        if (strlen(got) != want[size - 1]) {
            fail_msg("expected %zu bytes in %zu, got %zu", want[size - 1], size, strlen(got));
        }
        assert_memory_equal(got, text, want[size - 1]);
    }
}

static void a_copy_of_a_copy_of_any_two_bytes_is_the_same(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 0x10000; n++) {
        const char text[] = {(char)(n >> 8 == 0 ? 'a' : n >> 8), (char)n, '\0'};
        char first[8];
        char second[8];
        plain_text_copy(first, sizeof first, text);
        plain_text_copy(second, sizeof second, first);
        assert_string_equal(first, second);
        assert_true(strlen(first) <= strlen(text));
        json_t *value = json_string(first); // NULL: not UTF-8
        assert_non_null(value);
        json_decref(value);
    }
}

static void a_member_is_read_when_it_is_a_string(void **state)
{
    (void)state;
    char buf[4] = "old";
    CLEANUP(cleanup_json) json_t *obj = json_pack("{s:s, s:i}", "text", "abcdef", "number", 1);
    assert_false(plain_text_read(obj, "number", buf, sizeof buf));
    assert_false(plain_text_read(obj, "missing", buf, sizeof buf));
    assert_false(plain_text_read(NULL, "text", buf, sizeof buf));
    assert_string_equal(buf, "old");
    assert_true(plain_text_read(obj, "text", buf, sizeof buf));
    assert_string_equal(buf, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_stays_as_it_is),
        cmocka_unit_test(no_text_starts_a_new_line_or_reaches_a_terminal_as_a_command),
        cmocka_unit_test(bytes_that_are_no_utf8_are_question_marks),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(a_copy_of_a_copy_of_any_two_bytes_is_the_same),
        cmocka_unit_test(a_member_is_read_when_it_is_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
