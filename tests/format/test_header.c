// SPDX-License-Identifier: Apache-2.0
#include "format/header.h"

#include "tests/support/expect.h"

#include <stdlib.h>

// Where the fields stand: from docs/image-format.md, not from the code.
enum {
    AT_MAJOR = 8,
    AT_MINOR = 10,
    AT_HEADER_SIZE = 12,
    AT_INCOMPAT = 16,
    AT_COMPAT = 20,
    AT_FILE_SIZE = 24,
    AT_MANIFEST_SIZE = 32,
    AT_SIGNATURE_SIZE = 36,
    AT_TABLE_OFFSET = 40,
    AT_TABLE_SIZE = 48,
    AT_RESERVED = 52,
    AT_PAYLOAD_OFFSET = 56,
    AT_PAYLOAD_SIZE = 64,
    AT_MANIFEST_SHA256 = 72,
    AT_RESERVED_TAIL = 104,
    AT_CRC = 124,
};

static void put_le(uint8_t *bytes, size_t at, size_t width, uint64_t v)
{
    for (size_t i = 0; i < width; i++) {
        bytes[at + i] = (uint8_t)(v >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *bytes, size_t at, size_t width)
{
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++) {
        v |= (uint64_t)bytes[at + i] << (8 * i);
    }
    return v;
}

static void seal(uint8_t *bytes)
{
    put_le(bytes, AT_CRC, 4, crc32c(bytes, AT_CRC));
}

static struct header small_header(void)
{
    struct error e;
    struct header h = {
        .manifest_size = 1000, .signature_area_size = 500, .table_size = 640, .payload_size = 9999};
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        h.manifest_sha256[i] = (uint8_t)(i + 1);
    }
    assert_ok(header_lay_out(&h, &e));
    return h;
}

static void small_bytes(uint8_t bytes[HEADER_SIZE])
{
    struct header h = small_header();
    header_write(&h, bytes);
}

// The header with one field of `width` bytes changed and a CRC that holds.
static void refuses(const char *sentence, size_t at, size_t width, uint64_t value)
{
    struct error e;
    struct header h;
    uint8_t bytes[HEADER_SIZE];
    small_bytes(bytes);
    put_le(bytes, at, width, value);
    seal(bytes);
    assert_fails(ERR_FORMAT, sentence, header_parse(bytes, &h, &e));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_header();
    h.format_minor = 7;
    h.compat_flags = 0xa5a5a5a5;
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    struct header back = {0};
    assert_ok(header_parse(bytes, &back, &e));
    assert_int_equal(back.format_minor, 7);
    assert_int_equal(back.compat_flags, 0xa5a5a5a5);
    assert_int_equal(back.file_size, h.file_size);
    assert_int_equal(back.manifest_size, 1000);
    assert_int_equal(back.signature_area_size, 500);
    assert_int_equal(back.table_offset, h.table_offset);
    assert_int_equal(back.table_size, 640);
    assert_int_equal(back.payload_offset, h.payload_offset);
    assert_int_equal(back.payload_size, 9999);
    assert_memory_equal(back.manifest_sha256, h.manifest_sha256, SHA256_SIZE);
}

static void fields_stand_where_the_format_page_says(void **state)
{
    (void)state;
    static const uint8_t magic[] = {0x89, 0x56, 0x56, 0x49, 0x0d, 0x0a, 0x1a, 0x0a};
    struct header h = small_header();
    h.format_minor = 0x1234;
    h.compat_flags = 0x11223344;
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    assert_memory_equal(bytes, magic, sizeof(magic));
    assert_int_equal(get_le(bytes, AT_MAJOR, 2), 1);
    assert_int_equal(get_le(bytes, AT_MINOR, 2), 0x1234);
    assert_int_equal(get_le(bytes, AT_HEADER_SIZE, 4), 128);
    assert_int_equal(get_le(bytes, AT_INCOMPAT, 4), 0);
    assert_int_equal(get_le(bytes, AT_COMPAT, 4), 0x11223344);
    assert_int_equal(get_le(bytes, AT_FILE_SIZE, 8), 4096 + 9999);
    assert_int_equal(get_le(bytes, AT_MANIFEST_SIZE, 4), 1000);
    assert_int_equal(get_le(bytes, AT_SIGNATURE_SIZE, 4), 500);
    assert_int_equal(get_le(bytes, AT_TABLE_OFFSET, 8), 1664);
    assert_int_equal(get_le(bytes, AT_TABLE_SIZE, 4), 640);
    assert_int_equal(get_le(bytes, AT_RESERVED, 4), 0);
    assert_int_equal(get_le(bytes, AT_PAYLOAD_OFFSET, 8), 4096);
    assert_int_equal(get_le(bytes, AT_PAYLOAD_SIZE, 8), 9999);
    assert_memory_equal(bytes + AT_MANIFEST_SHA256, h.manifest_sha256, SHA256_SIZE);
    for (size_t i = AT_RESERVED_TAIL; i < AT_CRC; i++) {
        assert_int_equal(bytes[i], 0);
    }
    assert_int_equal(get_le(bytes, AT_CRC, 4), crc32c(bytes, AT_CRC));
}

static void sections_stand_at_their_first_allowed_alignment(void **state)
{
    (void)state;
    struct error e;
    // 128 + 60 + 4 = 192 is a multiple of 64 already; 192 + 3904 = 4096 one of 4096.
    struct header h = {
        .manifest_size = 60, .signature_area_size = 4, .table_size = 3904, .payload_size = 1};
    assert_ok(header_lay_out(&h, &e));
    assert_int_equal(h.table_offset, 192);
    assert_int_equal(h.payload_offset, 4096);
    assert_int_equal(h.file_size, 4097);
    h.manifest_size = 61;
    assert_ok(header_lay_out(&h, &e));
    assert_int_equal(h.table_offset, 256);
    assert_int_equal(h.payload_offset, 8192);
}

static void the_largest_prefix_fits_its_limit(void **state)
{
    (void)state;
    struct error e;
    struct header h = {.manifest_size = MANIFEST_MAX,
                       .signature_area_size = SIGNATURE_AREA_MAX,
                       .table_size = TABLE_MAX};
    assert_ok(header_lay_out(&h, &e));
    assert_true(h.payload_offset <= IMAGE_PREFIX_MAX);
    assert_int_equal(h.file_size, h.payload_offset);
}

static void the_smallest_sections_are_laid_out(void **state)
{
    (void)state;
    struct error e;
    struct header h = {.manifest_size = 1, .table_size = 64};
    assert_ok(header_lay_out(&h, &e));
    assert_int_equal(h.table_offset, 192);
    assert_int_equal(h.file_size, 4096);
}

static void the_largest_file_size_is_the_highest_signed_number(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_header();
    h.payload_size = (uint64_t)INT64_MAX - 4096;
    assert_ok(header_lay_out(&h, &e));
    assert_true(h.file_size == INT64_MAX);
}

static void sizes_of_six_gib_are_kept(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_header();
    h.payload_size = UINT64_C(6) << 30;
    assert_ok(header_lay_out(&h, &e));
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    struct header back;
    assert_ok(header_parse(bytes, &back, &e));
    assert_true(back.payload_size == UINT64_C(6442450944));
    assert_true(back.file_size == UINT64_C(6442450944) + 4096);
}

static void a_signature_covers_header_and_manifest(void **state)
{
    (void)state;
    struct header h = small_header();
    assert_int_equal(header_signed_size(&h), 1128);
    assert_int_equal(header_head_size(&h), 1628);
}

static void a_file_without_the_magic_is_not_an_image(void **state)
{
    (void)state;
    struct error e;
    struct header h;
    for (size_t i = 0; i < 8; i++) {
        uint8_t bytes[HEADER_SIZE];
        small_bytes(bytes);
        bytes[i] ^= 0x80;
        seal(bytes);
        assert_fails(ERR_FORMAT, "not a .vvi image", header_parse(bytes, &h, &e));
    }
}

static void any_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEADER_SIZE * 8; i++) {
        struct error e = {0};
        struct header h;
        uint8_t bytes[HEADER_SIZE];
        small_bytes(bytes);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        if (header_parse(bytes, &h, &e) != ERR_FORMAT) {
            fail_msg("bit %zu of byte %zu went unnoticed", i % 8, i / 8);
        }
    }
}

static void a_wrong_checksum_is_corrupt(void **state)
{
    (void)state;
    struct error e;
    struct header h;
    uint8_t bytes[HEADER_SIZE];
    small_bytes(bytes);
    bytes[AT_MANIFEST_SHA256] ^= 1;
    assert_fails(ERR_FORMAT, "corrupt: the checksum does not match", header_parse(bytes, &h, &e));
}

static void another_major_version_is_unsupported(void **state)
{
    (void)state;
    refuses("unsupported format version 2, this program reads version 1", AT_MAJOR, 2, 2);
    refuses("unsupported format version 0", AT_MAJOR, 2, 0);
}

static void another_major_version_is_not_called_damage(void **state)
{
    (void)state;
    struct error e;
    struct header h;
    uint8_t bytes[HEADER_SIZE];
    small_bytes(bytes);
    bytes[AT_MAJOR] = 2; // and a CRC that another major may keep elsewhere
    assert_fails(ERR_FORMAT, "unsupported format version 2", header_parse(bytes, &h, &e));
}

static void another_header_size_is_unsupported(void **state)
{
    (void)state;
    refuses("unsupported header size 192", AT_HEADER_SIZE, 4, 192);
}

static void an_unknown_feature_flag_is_unsupported(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        refuses("unsupported feature flags", AT_INCOMPAT, 4, UINT64_C(1) << bit);
    }
}

static void unknown_compatible_flags_are_ignored(void **state)
{
    (void)state;
    struct error e;
    struct header h;
    uint8_t bytes[HEADER_SIZE];
    small_bytes(bytes);
    put_le(bytes, AT_COMPAT, 4, UINT32_MAX);
    seal(bytes);
    assert_ok(header_parse(bytes, &h, &e));
}

static void a_reserved_byte_that_is_set_is_unsupported(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        refuses("unsupported: a reserved byte is set", AT_RESERVED + i, 1, 1);
    }
    for (size_t i = AT_RESERVED_TAIL; i < AT_CRC; i++) {
        refuses("unsupported: a reserved byte is set", i, 1, 0x80);
    }
}

static void a_manifest_size_out_of_range_is_refused(void **state)
{
    (void)state;
    refuses("corrupt: the manifest is 0 bytes", AT_MANIFEST_SIZE, 4, 0);
    refuses("corrupt: the manifest is 65537 bytes", AT_MANIFEST_SIZE, 4, 65537);
    refuses("corrupt: the manifest is 4294967295 bytes", AT_MANIFEST_SIZE, 4, UINT32_MAX);
}

static void a_signature_area_out_of_range_is_refused(void **state)
{
    (void)state;
    refuses("the signature area is 65537 bytes", AT_SIGNATURE_SIZE, 4, 65537);
    refuses("the signature area is 4294967295 bytes", AT_SIGNATURE_SIZE, 4, UINT32_MAX);
}

static void a_table_size_out_of_range_is_refused(void **state)
{
    (void)state;
    refuses("the chunk table is 0 bytes", AT_TABLE_SIZE, 4, 0);
    refuses("the chunk table is 4194368 bytes", AT_TABLE_SIZE, 4, TABLE_MAX + 64);
    refuses("the chunk table is 4294967232 bytes", AT_TABLE_SIZE, 4, 4294967232);
}

static void a_table_size_off_its_record_size_is_refused(void **state)
{
    (void)state;
    refuses("641 bytes is not a multiple of 64", AT_TABLE_SIZE, 4, 641);
    refuses("703 bytes is not a multiple of 64", AT_TABLE_SIZE, 4, 703);
}

static void a_table_out_of_its_place_is_refused(void **state)
{
    (void)state;
    refuses("the chunk table stands at 1600, expected 1664", AT_TABLE_OFFSET, 8, 1600);
    refuses("the chunk table stands at 1728, expected 1664", AT_TABLE_OFFSET, 8, 1728);
    refuses("the chunk table stands at 0,", AT_TABLE_OFFSET, 8, 0);
    refuses("the chunk table stands at 18446744073709551615", AT_TABLE_OFFSET, 8, UINT64_MAX);
}

static void a_payload_out_of_its_place_is_refused(void **state)
{
    (void)state;
    refuses("the payload stands at 0, expected 4096", AT_PAYLOAD_OFFSET, 8, 0);
    refuses("the payload stands at 8192, expected 4096", AT_PAYLOAD_OFFSET, 8, 8192);
    refuses("the payload stands at 4097, expected 4096", AT_PAYLOAD_OFFSET, 8, 4097);
}

static void a_payload_size_that_overflows_is_refused(void **state)
{
    (void)state;
    refuses("overflows the file size", AT_PAYLOAD_SIZE, 8, UINT64_MAX);
    refuses("overflows the file size", AT_PAYLOAD_SIZE, 8, UINT64_MAX - 4095);
    refuses("overflows the file size", AT_PAYLOAD_SIZE, 8, (uint64_t)INT64_MAX - 4095);
}

static void a_file_size_other_than_the_end_of_the_payload_is_refused(void **state)
{
    (void)state;
    refuses("the file size is given as 14094, its parts end at 14095", AT_FILE_SIZE, 8, 14094);
    refuses("the file size is given as 14096, its parts end at 14095", AT_FILE_SIZE, 8, 14096);
}

static void what_a_reader_refuses_is_not_laid_out(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_header();
    struct header before = h;
    h.manifest_size = 0;
    assert_fails(ERR_FORMAT, "the manifest is 0 bytes", header_lay_out(&h, &e));
    h = before;
    h.signature_area_size = SIGNATURE_AREA_MAX + 1;
    assert_fails(ERR_FORMAT, "the signature area is 65537", header_lay_out(&h, &e));
    h = before;
    h.table_size = 65;
    assert_fails(ERR_FORMAT, "not a multiple of 64", header_lay_out(&h, &e));
    h = before;
    h.payload_size = UINT64_MAX;
    assert_fails(ERR_FORMAT, "overflows the file size", header_lay_out(&h, &e));
    assert_int_equal(h.file_size, before.file_size);
}

// --- A delta pack's header ---

static struct header small_pack(void)
{
    struct error e;
    struct header h = small_header();
    h.kind = FILE_PACK;
    h.table_size = 480;
    assert_ok(header_lay_out(&h, &e));
    return h;
}

static void a_pack_differs_in_its_magic(void **state)
{
    (void)state;
    struct error e;
    static const uint8_t magic[] = {0x89, 0x56, 0x56, 0x44, 0x0d, 0x0a, 0x1a, 0x0a};
    struct header h = small_pack();
    struct header back = {0};
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    assert_memory_equal(bytes, magic, sizeof(magic));
    assert_ok(header_parse_kind(bytes, FILE_PACK, &back, &e));
    assert_memory_equal(&back, &h, sizeof(h));
}

static void a_file_of_the_other_kind_is_refused_and_named(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_pack();
    struct header back;
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    assert_fails(ERR_FORMAT, "not a .vvi image but a .vvd delta pack",
                 header_parse(bytes, &back, &e));
    small_bytes(bytes);
    assert_fails(ERR_FORMAT, "not a .vvd delta pack but a .vvi image",
                 header_parse_kind(bytes, FILE_PACK, &back, &e));
    bytes[1] = 'W';
    assert_fails(ERR_FORMAT, "not a .vvd delta pack (the magic number is missing)",
                 header_parse_kind(bytes, FILE_PACK, &back, &e));
}

static void the_magic_says_what_a_file_is(void **state)
{
    (void)state;
    struct header h = small_pack();
    enum file_kind kind = FILE_IMAGE;
    uint8_t bytes[HEADER_SIZE];
    header_write(&h, bytes);
    assert_true(header_kind(bytes, &kind));
    assert_int_equal(kind, FILE_PACK);
    assert_string_equal(file_kind_word(kind), "pack");
    assert_int_equal(file_kind_record_size(kind), 48);
    small_bytes(bytes);
    assert_true(header_kind(bytes, &kind));
    assert_int_equal(kind, FILE_IMAGE);
    assert_string_equal(file_kind_word(kind), "image");
    assert_int_equal(file_kind_record_size(kind), 64);
    bytes[7]++;
    assert_false(header_kind(bytes, &kind));
}

static void a_pack_table_is_made_of_48_byte_records(void **state)
{
    (void)state;
    struct error e;
    struct header h = small_pack();
    h.table_size = 48;
    assert_ok(header_lay_out(&h, &e));
    h.table_size = 64;
    assert_fails(ERR_FORMAT, "64 bytes is not a multiple of 48", header_lay_out(&h, &e));
    h.table_size = 0;
    assert_fails(ERR_FORMAT, "0 bytes, allowed are 48 to 4194304", header_lay_out(&h, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(fields_stand_where_the_format_page_says),
        cmocka_unit_test(sections_stand_at_their_first_allowed_alignment),
        cmocka_unit_test(the_largest_prefix_fits_its_limit),
        cmocka_unit_test(the_smallest_sections_are_laid_out),
        cmocka_unit_test(the_largest_file_size_is_the_highest_signed_number),
        cmocka_unit_test(sizes_of_six_gib_are_kept),
        cmocka_unit_test(a_signature_covers_header_and_manifest),
        cmocka_unit_test(a_file_without_the_magic_is_not_an_image),
        cmocka_unit_test(any_flipped_bit_is_refused),
        cmocka_unit_test(a_wrong_checksum_is_corrupt),
        cmocka_unit_test(another_major_version_is_unsupported),
        cmocka_unit_test(another_major_version_is_not_called_damage),
        cmocka_unit_test(another_header_size_is_unsupported),
        cmocka_unit_test(an_unknown_feature_flag_is_unsupported),
        cmocka_unit_test(unknown_compatible_flags_are_ignored),
        cmocka_unit_test(a_reserved_byte_that_is_set_is_unsupported),
        cmocka_unit_test(a_manifest_size_out_of_range_is_refused),
        cmocka_unit_test(a_signature_area_out_of_range_is_refused),
        cmocka_unit_test(a_table_size_out_of_range_is_refused),
        cmocka_unit_test(a_table_size_off_its_record_size_is_refused),
        cmocka_unit_test(a_table_out_of_its_place_is_refused),
        cmocka_unit_test(a_payload_out_of_its_place_is_refused),
        cmocka_unit_test(a_payload_size_that_overflows_is_refused),
        cmocka_unit_test(a_file_size_other_than_the_end_of_the_payload_is_refused),
        cmocka_unit_test(what_a_reader_refuses_is_not_laid_out),
        cmocka_unit_test(a_pack_differs_in_its_magic),
        cmocka_unit_test(a_file_of_the_other_kind_is_refused_and_named),
        cmocka_unit_test(the_magic_says_what_a_file_is),
        cmocka_unit_test(a_pack_table_is_made_of_48_byte_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
