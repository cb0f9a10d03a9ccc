// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_image.h"

#include "tests/support/expect.h"

#include <zlib.h>

enum { SIZE = 512 };

// A copy with `data` and a right CRC; `fill` behind it.
static void make_image(uint8_t image[SIZE], uint8_t flag, const void *data, size_t len, int fill)
{
    memset(image, fill, SIZE);
    memcpy(image + 5, data, len);
    uint32_t crc = (uint32_t)crc32(0, image + 5, SIZE - 5);
    memcpy(image, &crc, sizeof crc);
    image[4] = flag;
}

static void a_copy_is_whole_only_while_no_byte_of_its_data_changes(void **state)
{
    (void)state;
    uint8_t image[SIZE];
    make_image(image, 1, "a=1\0", 5, 0);
    assert_true(env_image_is_whole(image, SIZE));
    for (size_t i = 0; i < SIZE; i++) {
        image[i] ^= 1;
        // The flag is not covered: that is why it must share a sector with the CRC.
        assert_int_equal(env_image_is_whole(image, SIZE), i == 4);
        image[i] ^= 1;
    }
    assert_false(env_image_is_whole(image, SIZE - 1));
}

static void erased_flash_is_no_whole_copy(void **state)
{
    (void)state;
    uint8_t image[SIZE];
    memset(image, 0xff, SIZE);
    assert_false(env_image_is_whole(image, SIZE));
    memset(image, 0, SIZE);
    assert_false(env_image_is_whole(image, SIZE));
}

static void the_higher_flag_is_newer_and_0_follows_255(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags[2];
        int newer;
    } rows[] = {
        {{0, 0}, 0},   {{1, 0}, 0},   {{0, 1}, 1},   {{1, 2}, 1},     {{2, 1}, 0},
        {{255, 0}, 1}, {{0, 255}, 0}, {{255, 1}, 0}, {{254, 255}, 1}, {{255, 255}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t images[2][8] = {{0}};
        images[0][4] = rows[i].flags[0];
        images[1][4] = rows[i].flags[1];
        assert_int_equal(env_image_newer(images[0], images[1]), rows[i].newer);
    }
}

static void variables_are_read_up_to_the_empty_entry(void **state)
{
    (void)state;
    struct error e;
    static const char data[] = "b=2\0a=1=1\0empty=\0=odd\0\0behind=1";
    uint8_t image[SIZE];
    make_image(image, 0, data, sizeof data, 0xe5);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_ok(env_image_parse(image, SIZE, &vars, &e));
    assert_int_equal(vars.count, 4);
    assert_string_equal(env_vars_get(&vars, "a"), "1=1");
    assert_string_equal(env_vars_get(&vars, "b"), "2");
    assert_string_equal(env_vars_get(&vars, "empty"), "");
    assert_string_equal(env_vars_get(&vars, ""), "odd");
    assert_null(env_vars_get(&vars, "behind"));
}

static void an_empty_environment_is_an_environment(void **state)
{
    (void)state;
    struct error e;
    uint8_t image[SIZE];
    make_image(image, 0, "", 1, 0xff);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_ok(env_image_parse(image, SIZE, &vars, &e));
    assert_int_equal(vars.count, 0);
}

static void of_a_repeated_name_the_last_value_counts(void **state)
{
    (void)state;
    struct error e;
    static const char data[] = "a=1\0b=1\0a=2\0";
    uint8_t image[SIZE];
    make_image(image, 0, data, sizeof data, 0);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_ok(env_image_parse(image, SIZE, &vars, &e));
    assert_string_equal(env_vars_get(&vars, "a"), "2");
    assert_int_equal(vars.count, 2);
}

static void an_entry_without_an_equals_sign_is_no_variable(void **state)
{
    (void)state;
    struct error e;
    static const char data[] = "a=1\0word\0b=2\0";
    uint8_t image[SIZE];
    make_image(image, 0, data, sizeof data, 0);
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_ok(env_image_parse(image, SIZE, &vars, &e));
    assert_int_equal(vars.count, 2);
    assert_null(env_vars_get(&vars, "word"));
}

static void variables_without_an_end_are_refused(void **state)
{
    (void)state;
    struct error e;
    uint8_t image[SIZE];
    char data[SIZE - 5];
    memset(data, 'x', sizeof data);
    data[1] = '=';
    make_image(image, 0, data, sizeof data, 0);
    struct env_vars vars = {0};
    assert_fails(ERR_FORMAT, "have no end", env_image_parse(image, SIZE, &vars, &e));
    assert_null(vars.items);

    // One NUL at the very end closes the entry, but not the list.
    data[sizeof data - 1] = '\0';
    make_image(image, 0, data, sizeof data, 0);
    assert_fails(ERR_FORMAT, "have no end", env_image_parse(image, SIZE, &vars, &e));

    data[sizeof data - 2] = '\0';
    make_image(image, 0, data, sizeof data, 0);
    assert_ok(env_image_parse(image, SIZE, &vars, &e));
    assert_int_equal(vars.count, 1);
    env_vars_clear(&vars);
}

static void variables_fit_with_their_end_or_not_at_all(void **state)
{
    (void)state;
    struct error e;
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    assert_true(env_image_fits(&vars, 6));
    assert_false(env_image_fits(&vars, 5));
    assert_ok(env_vars_set(&vars, "a", "1", &e));
    assert_ok(env_vars_set(&vars, "bc", "", &e));
    assert_true(env_image_fits(&vars, 5 + 4 + 4 + 1));
    assert_false(env_image_fits(&vars, 5 + 4 + 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_whole_only_while_no_byte_of_its_data_changes),
        cmocka_unit_test(erased_flash_is_no_whole_copy),
        cmocka_unit_test(the_higher_flag_is_newer_and_0_follows_255),
        cmocka_unit_test(variables_are_read_up_to_the_empty_entry),
        cmocka_unit_test(an_empty_environment_is_an_environment),
        cmocka_unit_test(of_a_repeated_name_the_last_value_counts),
        cmocka_unit_test(an_entry_without_an_equals_sign_is_no_variable),
        cmocka_unit_test(variables_without_an_end_are_refused),
        cmocka_unit_test(variables_fit_with_their_end_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
