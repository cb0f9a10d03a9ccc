// SPDX-License-Identifier: Apache-2.0
#include "updater/json_text.h"

#include "tests/support/expect.h"

static void utf8_is_kept_as_it_is(void **state)
{
    (void)state;
    CLEANUP(cleanup_json) json_t *v = json_text("slot b: gr\303\274n");
    assert_string_equal(json_string_value(v), "slot b: gr\303\274n");
}

static void what_is_not_utf8_is_kept_as_ascii(void **state)
{
    (void)state;
    CLEANUP(cleanup_json) json_t *latin = json_text("gr\374n");
    assert_string_equal(json_string_value(latin), "gr?n");
    // A sentence that was cut in the middle of a character.
    CLEANUP(cleanup_json) json_t *cut = json_text("gr\303\274n gr\303");
    assert_string_equal(json_string_value(cut), "gr??n gr?");
}

static void nothing_is_null(void **state)
{
    (void)state;
    CLEANUP(cleanup_json) json_t *none = json_text_or_null(NULL);
    assert_true(json_is_null(none));
    CLEANUP(cleanup_json) json_t *empty = json_text_or_null("");
    assert_string_equal(json_string_value(empty), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_kept_as_it_is),
        cmocka_unit_test(what_is_not_utf8_is_kept_as_ascii),
        cmocka_unit_test(nothing_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
