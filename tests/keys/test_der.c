// SPDX-License-Identifier: Apache-2.0
#include "keys/der.h"

#include "tests/support/expect.h"

#include <stdlib.h>

static bool reads(const void *bytes, size_t len, struct der *ret)
{
    struct cursor c = cursor_over(bytes, len);
    return der_next(&c, ret);
}

#define READS(ret, ...)                                                                            \
    reads((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (ret))

static void an_element_gives_its_tag_its_body_and_itself(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x04, 0x02, 0xaa, 0xbb, 0x05, 0x00};
    struct cursor c = cursor_over(bytes, sizeof(bytes));
    struct der element;
    assert_true(der_next(&c, &element));
    assert_int_equal(element.tag, DER_OCTET_STRING);
    assert_ptr_equal(element.whole, bytes);
    assert_int_equal(element.whole_len, 4);
    assert_ptr_equal(element.body.data, bytes + 2);
    assert_int_equal(element.body.len, 2);
    assert_int_equal(element.body.pos, 0);
    assert_true(der_next(&c, &element));
    assert_int_equal(element.tag, DER_NULL);
    assert_int_equal(cursor_left(&c), 0);
}

static void lengths_of_one_two_and_three_bytes_are_read(void **state)
{
    (void)state;
    static uint8_t bytes[5 + 0x10000];
    struct der element;
    bytes[0] = DER_OCTET_STRING;
    bytes[1] = 0x7f;
    assert_true(reads(bytes, 2 + 0x7f, &element));
    assert_int_equal(element.body.len, 0x7f);
    bytes[1] = 0x81;
    bytes[2] = 0x80;
    assert_true(reads(bytes, 3 + 0x80, &element));
    assert_int_equal(element.body.len, 0x80);
    bytes[1] = 0x82;
    bytes[2] = 0x01;
    bytes[3] = 0x00;
    assert_true(reads(bytes, 4 + 0x100, &element));
    assert_int_equal(element.body.len, 0x100);
    bytes[1] = 0x83;
    bytes[2] = 0x01;
    bytes[3] = 0x00;
    bytes[4] = 0x00;
    assert_true(reads(bytes, sizeof(bytes), &element));
    assert_int_equal(element.body.len, 0x10000);
}

static void a_length_in_more_bytes_than_needed_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[0x10000];
    struct der element;
    const uint8_t headers[][5] = {
        {0x04, 0x81, 0x7f},
        {0x04, 0x82, 0x00, 0xff},
        {0x04, 0x83, 0x00, 0xff, 0xff},
    };
    for (size_t i = 0; i < 3; i++) {
        memcpy(bytes, headers[i], sizeof(headers[i]));
        assert_false(reads(bytes, sizeof(bytes), &element));
    }
}

static void an_indefinite_length_is_refused(void **state)
{
    (void)state;
    struct der element;
    assert_false(READS(&element, 0x30, 0x80, 0x05, 0x00, 0x00, 0x00));
}

static void a_length_of_four_bytes_is_refused_even_if_so_much_is_there(void **state)
{
    (void)state;
    enum { LARGE = 1 << 24, HEADER = 6 };
    const uint8_t header[HEADER] = {0x04, 0x84, 0x01, 0x00, 0x00, 0x00};
    uint8_t *bytes = calloc(1, HEADER + LARGE);
    struct der element;
    assert_non_null(bytes);
    memcpy(bytes, header, HEADER);
    assert_false(reads(bytes, HEADER + LARGE, &element));
    free(bytes);
}

static void a_tag_of_several_bytes_is_refused(void **state)
{
    (void)state;
    struct der element;
    assert_false(READS(&element, 0x1f, 0x01, 0x00));
    assert_false(READS(&element, 0xbf, 0x01, 0x00));
}

static void an_element_that_ends_behind_its_parent_is_refused(void **state)
{
    (void)state;
    struct der element;
    assert_false(READS(&element, 0x04));
    assert_false(READS(&element, 0x04, 0x01));
    assert_false(READS(&element, 0x04, 0x82, 0x01));
    assert_false(READS(&element, 0x04, 0x03, 0xaa, 0xbb));
    assert_false(reads("", 0, &element));
}

static void a_refusal_moves_no_cursor_and_writes_no_element(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x04, 0x01, 0xaa};
    struct cursor c = cursor_over(bytes, sizeof(bytes));
    struct der element = {.tag = 0x77};
    assert_false(der_take(&c, DER_SEQUENCE, &element));
    assert_int_equal(c.pos, 0);
    assert_int_equal(element.tag, 0x77);
    assert_false(der_take_exactly(&c, "\x04\x01\xab", 3));
    assert_false(der_take_exactly(&c, "\x04\x01", 2));
    assert_int_equal(c.pos, 0);
    struct cursor cut = cursor_over(bytes, 2);
    assert_false(der_next(&cut, &element));
    assert_int_equal(cut.pos, 0);
    assert_int_equal(element.tag, 0x77);
}

static void an_element_is_taken_by_its_tag_or_by_its_bytes(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x04, 0x01, 0xaa, 0x02, 0x01, 0x01};
    struct cursor c = cursor_over(bytes, sizeof(bytes));
    struct der element;
    assert_true(der_take(&c, DER_OCTET_STRING, &element));
    assert_true(der_take_exactly(&c, "\x02\x01\x01", 3));
    assert_int_equal(cursor_left(&c), 0);
}

static void only_equal_elements_are_the_same(void **state)
{
    (void)state;
    struct der a, b, c, d;
    assert_true(reads("\x02\x01\x05", 3, &a));
    assert_true(reads("\x02\x01\x05.", 4, &b));
    assert_true(reads("\x02\x01\x06", 3, &c));
    assert_true(reads("\x02\x02\x05\x00", 4, &d));
    assert_true(der_same(&a, &b));
    assert_false(der_same(&a, &c));
    assert_false(der_same(&a, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_element_gives_its_tag_its_body_and_itself),
        cmocka_unit_test(lengths_of_one_two_and_three_bytes_are_read),
        cmocka_unit_test(a_length_in_more_bytes_than_needed_is_refused),
        cmocka_unit_test(an_indefinite_length_is_refused),
        cmocka_unit_test(a_length_of_four_bytes_is_refused_even_if_so_much_is_there),
        cmocka_unit_test(a_tag_of_several_bytes_is_refused),
        cmocka_unit_test(an_element_that_ends_behind_its_parent_is_refused),
        cmocka_unit_test(a_refusal_moves_no_cursor_and_writes_no_element),
        cmocka_unit_test(an_element_is_taken_by_its_tag_or_by_its_bytes),
        cmocka_unit_test(only_equal_elements_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
