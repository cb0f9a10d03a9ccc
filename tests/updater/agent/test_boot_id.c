// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/boot_id.h"

#include "tests/support/expect.h"

static void it_is_the_same_within_a_boot_and_has_no_end_of_line(void **state)
{
    (void)state;
    struct error e;
    char first[BOOT_ID_SIZE];
    char second[BOOT_ID_SIZE];
    assert_ok(boot_id_read(first, &e));
    assert_ok(boot_id_read(second, &e));
    assert_string_equal(first, second);
    assert_int_equal(strlen(first), BOOT_ID_SIZE - 1);
    assert_int_equal(strspn(first, "0123456789abcdef-"), BOOT_ID_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_same_within_a_boot_and_has_no_end_of_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
