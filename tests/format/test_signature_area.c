// SPDX-License-Identifier: Apache-2.0
#include "format/signature_area.h"

#include "tests/support/expect.h"

#include <stdlib.h>

enum { AREA = 256 };

static struct signature_list parse(const uint8_t *area, size_t len)
{
    struct error e;
    struct signature_list list;
    assert_ok(signature_area_parse(area, len, &list, &e));
    return list;
}

static void append(uint8_t *area, size_t len, uint16_t type, const void *data, size_t data_len)
{
    struct error e;
    struct signature_list list = parse(area, len);
    assert_ok(signature_area_append(area, len, &list, type, data, data_len, &e));
}

static void refuses(const char *sentence, const uint8_t *area, size_t len)
{
    struct error e;
    struct signature_list list;
    assert_fails(ERR_FORMAT, sentence, signature_area_parse(area, len, &list, &e));
}

static void an_area_of_zeros_holds_no_record(void **state)
{
    (void)state;
    uint8_t area[AREA] = {0};
    struct signature_list list = parse(area, AREA);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.used_bytes, 0);
}

static void an_area_of_no_bytes_holds_no_record(void **state)
{
    (void)state;
    uint8_t byte = 0xff;
    struct signature_list list = parse(&byte, 0);
    assert_int_equal(list.count, 0);
}

static void records_are_read_back_in_order(void **state)
{
    (void)state;
    uint8_t area[AREA] = {0};
    append(area, AREA, SIGNATURE_CMS, "first", 5);
    append(area, AREA, SIGNATURE_ED25519, "second one", 10);
    struct signature_list list = parse(area, AREA);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.records[0].type, SIGNATURE_CMS);
    assert_int_equal(list.records[0].len, 5);
    assert_memory_equal(list.records[0].data, "first", 5);
    assert_int_equal(list.records[1].type, SIGNATURE_ED25519);
    assert_int_equal(list.records[1].len, 10);
    assert_memory_equal(list.records[1].data, "second one", 10);
    assert_int_equal(list.used_bytes, 8 + 5 + 8 + 10);
}

static void a_record_stands_as_the_format_page_says(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x01, 0x00, 0x00, 0x00, 0x03, 0x00,
                                       0x00, 0x00, 'a',  'b',  'c',  0x00};
    uint8_t area[AREA] = {0};
    append(area, AREA, SIGNATURE_CMS, "abc", 3);
    assert_memory_equal(area, expected, sizeof(expected));
}

static void records_of_unknown_type_are_listed(void **state)
{
    (void)state;
    uint8_t area[AREA] = {0};
    append(area, AREA, 0x7fff, "new", 3);
    append(area, AREA, SIGNATURE_CMS, "old", 3);
    struct signature_list list = parse(area, AREA);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.records[0].type, 0x7fff);
}

static void a_record_may_fill_the_area_to_its_last_byte(void **state)
{
    (void)state;
    uint8_t area[16] = {0};
    append(area, sizeof(area), SIGNATURE_CMS, "12345678", 8);
    struct signature_list list = parse(area, sizeof(area));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.used_bytes, 16);
}

static void a_record_may_be_nothing_but_its_header(void **state)
{
    (void)state;
    struct error e;
    uint8_t area[8] = {0};
    const uint8_t data[] = {1};
    append(area, sizeof(area), 0x7fff, data, 0);
    struct signature_list list = parse(area, sizeof(area));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.records[0].len, 0);
    assert_fails(ERR_FORMAT, "9 bytes of room are missing",
                 signature_area_append(area, sizeof(area), &list, SIGNATURE_CMS, data, 1, &e));
}

static void a_rest_too_short_for_a_record_must_be_zero(void **state)
{
    (void)state;
    uint8_t area[23] = {0}; // 16 bytes of record, 7 behind it
    append(area, sizeof(area), SIGNATURE_CMS, "12345678", 8);
    assert_int_equal(parse(area, sizeof(area)).count, 1);
    area[22] = 1;
    refuses("bytes other than zero behind the last record, at offset 16", area, sizeof(area));
    area[22] = 0;
    area[16] = 1;
    refuses("bytes other than zero behind the last record, at offset 16", area, sizeof(area));
}

static void bytes_behind_the_last_record_must_be_zero(void **state)
{
    (void)state;
    for (size_t i = 18; i < AREA; i++) {
        uint8_t area[AREA] = {0};
        append(area, AREA, SIGNATURE_CMS, "12345678", 8);
        area[i] = 1; // the type of a further record stays 0
        refuses("bytes other than zero behind the last record", area, AREA);
    }
}

static void a_record_longer_than_the_area_is_corrupt(void **state)
{
    (void)state;
    uint8_t area[AREA] = {1, 0, 0, 0, AREA - 8 + 1};
    refuses("corrupt: the record at offset 0 has 249 bytes, only 248 are left", area, AREA);
    area[4] = area[5] = area[6] = area[7] = 0xff;
    refuses("corrupt: the record at offset 0 has 4294967295 bytes", area, AREA);
}

static void a_record_with_flags_is_unsupported(void **state)
{
    (void)state;
    uint8_t area[AREA] = {1, 0, 0, 0x80, 1};
    refuses("unsupported flags 0x8000 in the record at offset 0", area, AREA);
}

static void more_records_than_allowed_are_refused(void **state)
{
    (void)state;
    uint8_t area[AREA] = {0};
    for (size_t i = 0; i < SIGNATURE_RECORDS_MAX; i++) {
        append(area, AREA, SIGNATURE_CMS, "x", 1);
    }
    assert_int_equal(parse(area, AREA).count, SIGNATURE_RECORDS_MAX);
    area[(size_t)SIGNATURE_RECORDS_MAX * 9] = SIGNATURE_CMS;
    refuses("corrupt: more than 16 records", area, AREA);
}

static void a_seventeenth_record_is_not_appended(void **state)
{
    (void)state;
    struct error e;
    uint8_t area[AREA] = {0};
    for (size_t i = 0; i < SIGNATURE_RECORDS_MAX; i++) {
        append(area, AREA, SIGNATURE_CMS, "x", 1);
    }
    struct signature_list list = parse(area, AREA);
    const uint8_t data[] = {1};
    assert_fails(ERR_FORMAT, "already holds 16 records",
                 signature_area_append(area, AREA, &list, SIGNATURE_CMS, data, 1, &e));
}

static void a_record_without_room_says_how_much_is_missing(void **state)
{
    (void)state;
    struct error e;
    uint8_t area[100] = {0};
    uint8_t untouched[100] = {0};
    const uint8_t data[200] = {1};
    struct signature_list list = parse(area, sizeof(area));
    assert_fails(ERR_FORMAT, "108 bytes of room are missing for a signature of 200 bytes",
                 signature_area_append(area, sizeof(area), &list, SIGNATURE_CMS, data, 200, &e));
    assert_contains(e.msg, "--sig-reserve");
    assert_fails(ERR_FORMAT, "1 bytes of room are missing",
                 signature_area_append(area, sizeof(area), &list, SIGNATURE_CMS, data, 93, &e));
    assert_fails(ERR_FORMAT, "6 bytes of room are missing",
                 signature_area_append(area, 7, &list, SIGNATURE_CMS, data, 5, &e));
    assert_memory_equal(area, untouched, sizeof(area));
    assert_ok(signature_area_append(area, sizeof(area), &list, SIGNATURE_CMS, data, 92, &e));
}

static void a_caller_that_breaks_the_contract_is_told_so(void **state)
{
    (void)state;
    struct error e;
    uint8_t area[AREA] = {0};
    const uint8_t data[] = {1};
    struct signature_list list = parse(area, AREA);
    assert_fails(ERR_INTERNAL, "record of type 0",
                 signature_area_append(area, AREA, &list, 0, data, 1, &e));
    list.used_bytes = AREA + 1;
    assert_fails(ERR_INTERNAL, "at 257 of 256 bytes",
                 signature_area_append(area, AREA, &list, SIGNATURE_CMS, data, 1, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_area_of_zeros_holds_no_record),
        cmocka_unit_test(an_area_of_no_bytes_holds_no_record),
        cmocka_unit_test(records_are_read_back_in_order),
        cmocka_unit_test(a_record_stands_as_the_format_page_says),
        cmocka_unit_test(records_of_unknown_type_are_listed),
        cmocka_unit_test(a_record_may_fill_the_area_to_its_last_byte),
        cmocka_unit_test(a_record_may_be_nothing_but_its_header),
        cmocka_unit_test(a_rest_too_short_for_a_record_must_be_zero),
        cmocka_unit_test(bytes_behind_the_last_record_must_be_zero),
        cmocka_unit_test(a_record_longer_than_the_area_is_corrupt),
        cmocka_unit_test(a_record_with_flags_is_unsupported),
        cmocka_unit_test(more_records_than_allowed_are_refused),
        cmocka_unit_test(a_seventeenth_record_is_not_appended),
        cmocka_unit_test(a_record_without_room_says_how_much_is_missing),
        cmocka_unit_test(a_caller_that_breaks_the_contract_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
