// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

#include "tests/support/expect.h"

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0xff};

static void numbers_are_little_endian(void **state)
{
    (void)state;
    struct cursor c = cursor_over(bytes, sizeof bytes);
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u24 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    assert_true(cursor_u8(&c, &u8));
    assert_true(cursor_u16(&c, &u16));
    assert_true(cursor_u24(&c, &u24));
    assert_true(cursor_u32(&c, &u32));
    assert_true(cursor_u64(&c, &u64));
    assert_int_equal(u8, 0x01);
    assert_int_equal(u16, 0x0302);
    assert_int_equal(u24, 0x060504);
    assert_int_equal(u32, 0x0a090807);
    assert_int_equal(u64, UINT64_C(0xff11100f0e0d0c0b));
    assert_int_equal(cursor_left(&c), 0);
}

static void the_highest_numbers_are_read(void **state)
{
    (void)state;
    uint8_t ones[8];
    memset(ones, 0xff, sizeof ones);
    struct cursor c = cursor_over(ones, sizeof ones);
    uint64_t u64 = 0;
    assert_true(cursor_u64(&c, &u64));
    assert_true(u64 == UINT64_MAX);
    c = cursor_over(ones, sizeof ones);
    uint32_t u32 = 0;
    assert_true(cursor_u24(&c, &u32));
    assert_int_equal(u32, 0xffffff);
    assert_true(cursor_u32(&c, &u32));
    assert_true(u32 == UINT32_MAX);
}

static void a_number_past_the_end_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    uint8_t u8 = 7;
    uint16_t u16 = 7;
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    struct cursor c = cursor_over(bytes, 0);
    assert_false(cursor_u8(&c, &u8));
    c = cursor_over(bytes, 1);
    assert_false(cursor_u16(&c, &u16));
    c = cursor_over(bytes, 2);
    assert_false(cursor_u24(&c, &u32));
    c = cursor_over(bytes, 3);
    assert_false(cursor_u32(&c, &u32));
    c = cursor_over(bytes, 7);
    assert_false(cursor_u64(&c, &u64));
    assert_int_equal(c.pos, 0);
    assert_int_equal(u8, 7);
    assert_int_equal(u16, 7);
    assert_int_equal(u32, 7);
    assert_int_equal(u64, 7);
}

static void a_refused_read_leaves_the_position(void **state)
{
    (void)state;
    struct cursor c = cursor_over(bytes, 3);
    uint16_t u16 = 0;
    assert_true(cursor_u16(&c, &u16));
    assert_false(cursor_u16(&c, &u16));
    assert_int_equal(c.pos, 2);
    assert_int_equal(u16, 0x0201);
    uint8_t u8 = 0;
    assert_true(cursor_u8(&c, &u8));
    assert_int_equal(u8, 0x03);
}

static void bytes_point_into_the_buffer(void **state)
{
    (void)state;
    struct cursor c = cursor_over(bytes, 4);
    const uint8_t *p = NULL;
    assert_true(cursor_bytes(&c, 3, &p));
    assert_ptr_equal(p, bytes);
    assert_true(cursor_bytes(&c, 0, &p));
    assert_ptr_equal(p, bytes + 3);
    assert_int_equal(cursor_left(&c), 1);
}

static void more_bytes_than_are_left_are_refused(void **state)
{
    (void)state;
    struct cursor c = cursor_over(bytes, 4);
    const uint8_t *p = NULL;
    assert_true(cursor_bytes(&c, 1, &p));
    assert_false(cursor_bytes(&c, 4, &p));
    assert_false(cursor_bytes(&c, SIZE_MAX, &p));
    assert_ptr_equal(p, bytes);
    assert_int_equal(c.pos, 1);
}

static void zeros_are_taken(void **state)
{
    (void)state;
    static const uint8_t z[] = {0, 0, 0, 1};
    struct cursor c = cursor_over(z, sizeof z);
    assert_true(cursor_zeros(&c, 3));
    assert_int_equal(c.pos, 3);
}

static void a_reserved_byte_that_is_set_is_refused(void **state)
{
    (void)state;
    static const uint8_t z[] = {0, 0, 0, 1};
    struct cursor c = cursor_over(z, sizeof z);
    assert_false(cursor_zeros(&c, 4));
    assert_int_equal(c.pos, 0);
}

static void zeros_past_the_end_are_refused(void **state)
{
    (void)state;
    static const uint8_t z[4] = {0};
    struct cursor c = cursor_over(z, sizeof z);
    assert_false(cursor_zeros(&c, 5));
    assert_false(cursor_zeros(&c, SIZE_MAX));
    assert_int_equal(c.pos, 0);
}

static void an_empty_buffer_may_be_null(void **state)
{
    (void)state;
    struct cursor c = cursor_over(NULL, 0);
    const uint8_t *p = bytes;
    uint8_t u8 = 0;
    assert_true(cursor_bytes(&c, 0, &p));
    assert_null(p);
    assert_true(cursor_zeros(&c, 0));
    assert_false(cursor_u8(&c, &u8));
    struct out_cursor out = out_cursor_over(NULL, 0);
    assert_true(put_bytes(&out, NULL, 0));
    assert_true(put_zeros(&out, 0));
    assert_false(put_u8(&out, 1));
}

static void what_is_put_is_read_back(void **state)
{
    (void)state;
    uint8_t buf[23];
    memset(buf, 0xaa, sizeof buf);
    struct out_cursor out = out_cursor_over(buf, sizeof buf);
    assert_true(put_u8(&out, 0x01));
    assert_true(put_u16(&out, 0x0302));
    assert_true(put_u24(&out, 0x060504));
    assert_true(put_u32(&out, 0x0a090807));
    assert_true(put_u64(&out, UINT64_C(0xff11100f0e0d0c0b)));
    assert_true(put_zeros(&out, 2));
    assert_true(put_bytes(&out, "abc", 3));
    assert_int_equal(out.pos, sizeof buf);
    assert_memory_equal(buf, bytes, 18);
    assert_memory_equal(buf + 18, "\0\0abc", 5);
}

static void a_value_past_the_end_is_not_put(void **state)
{
    (void)state;
    uint8_t buf[8];
    memset(buf, 0xaa, sizeof buf);
    struct out_cursor out = out_cursor_over(buf, 0);
    assert_false(put_u8(&out, 1));
    out = out_cursor_over(buf, 1);
    assert_false(put_u16(&out, 1));
    out = out_cursor_over(buf, 2);
    assert_false(put_u24(&out, 1));
    out = out_cursor_over(buf, 3);
    assert_false(put_u32(&out, 1));
    assert_false(put_bytes(&out, "abcd", 4));
    assert_false(put_zeros(&out, 4));
    assert_false(put_zeros(&out, SIZE_MAX));
    out = out_cursor_over(buf, 7);
    assert_false(put_u64(&out, 1));
    assert_int_equal(out.pos, 0);
    for (size_t i = 0; i < sizeof buf; i++) {
        assert_int_equal(buf[i], 0xaa);
    }
}

static void a_number_over_24_bits_is_not_put_as_24(void **state)
{
    (void)state;
    uint8_t buf[3];
    struct out_cursor out = out_cursor_over(buf, sizeof buf);
    assert_false(put_u24(&out, 0x1000000));
    assert_int_equal(out.pos, 0);
    assert_true(put_u24(&out, 0xffffff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(the_highest_numbers_are_read),
        cmocka_unit_test(a_number_past_the_end_is_refused_and_changes_nothing),
        cmocka_unit_test(a_refused_read_leaves_the_position),
        cmocka_unit_test(bytes_point_into_the_buffer),
        cmocka_unit_test(more_bytes_than_are_left_are_refused),
        cmocka_unit_test(zeros_are_taken),
        cmocka_unit_test(a_reserved_byte_that_is_set_is_refused),
        cmocka_unit_test(zeros_past_the_end_are_refused),
        cmocka_unit_test(an_empty_buffer_may_be_null),
        cmocka_unit_test(what_is_put_is_read_back),
        cmocka_unit_test(a_value_past_the_end_is_not_put),
        cmocka_unit_test(a_number_over_24_bits_is_not_put_as_24),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
