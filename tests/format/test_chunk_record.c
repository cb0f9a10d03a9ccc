// SPDX-License-Identifier: Apache-2.0
// One chunk record by itself.
#include "format/chunk_table.h"

#include "tests/support/expect.h"

enum { MIB = 1024 * 1024 };

static void refuses_record(const char *sentence, const struct chunk *c)
{
    struct error e;
    struct chunk back;
    uint8_t bytes[CHUNK_RECORD_SIZE];
    chunk_record_write(c, bytes);
    assert_fails(ERR_FORMAT, sentence, chunk_record_parse(bytes, &back, &e));
}

static void a_record_stands_as_the_format_page_says(void **state)
{
    (void)state;
    struct error e;
    struct chunk c = {.codec = CODEC_ZSTD,
                      .raw_len = 0x0a0b0c,
                      .stored_len = 0x010203,
                      .stored_off = 0x1122334455667788};
    static const uint8_t tail[] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
                                   0x03, 0x02, 0x01, 0x00, 0x0c, 0x0b, 0x0a, 0x02};
    uint8_t bytes[CHUNK_RECORD_SIZE];
    memset(c.raw_sha256, 0xaa, SHA256_SIZE);
    memset(c.stored_sha256, 0xbb, STORED_HASH_SIZE);
    chunk_record_write(&c, bytes);
    assert_memory_equal(bytes, c.raw_sha256, 32);
    assert_memory_equal(bytes + 32, c.stored_sha256, 16);
    assert_memory_equal(bytes + 48, tail, sizeof(tail));
    struct chunk back = {0};
    assert_ok(chunk_record_parse(bytes, &back, &e));
    uint8_t again[CHUNK_RECORD_SIZE];
    chunk_record_write(&back, again);
    assert_memory_equal(again, bytes, sizeof(bytes));
}

static void an_unknown_codec_is_unsupported(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_ZSTD, .raw_len = 10, .stored_len = 10};
    uint8_t bytes[CHUNK_RECORD_SIZE];
    chunk_record_write(&c, bytes);
    for (unsigned codec = 4; codec < 256; codec++) {
        struct error e;
        struct chunk back;
        bytes[63] = (uint8_t)codec;
        assert_fails(ERR_FORMAT, "unsupported codec", chunk_record_parse(bytes, &back, &e));
    }
}

static void a_raw_length_out_of_range_is_refused(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_ZSTD, .raw_len = 0, .stored_len = 10};
    refuses_record("0 raw bytes, allowed are 1 to 1048576", &c);
    c.raw_len = MIB + 1;
    refuses_record("1048577 raw bytes", &c);
    c.raw_len = 0xffffff;
    refuses_record("16777215 raw bytes", &c);
}

static void a_stored_length_above_its_slack_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct chunk c = {.codec = CODEC_ZLIB, .raw_len = 10, .stored_len = 75};
    refuses_record("75 stored bytes for 10 raw ones, at most 64 more are allowed", &c);
    c.stored_len = UINT32_MAX;
    refuses_record("4294967295 stored bytes", &c);
    c.stored_len = 74;
    uint8_t bytes[CHUNK_RECORD_SIZE];
    chunk_record_write(&c, bytes);
    assert_ok(chunk_record_parse(bytes, &c, &e));
}

static void no_stored_bytes_are_refused_unless_zero(void **state)
{
    (void)state;
    static const enum codec codecs[] = {CODEC_RAW, CODEC_ZLIB, CODEC_ZSTD};
    for (size_t i = 0; i < 3; i++) {
        struct chunk c = {.codec = codecs[i], .raw_len = 10};
        refuses_record("no stored bytes, but it is not a zero chunk", &c);
    }
}

static void a_zero_chunk_with_stored_bytes_is_refused(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_ZERO, .raw_len = 10, .stored_len = 1};
    refuses_record("a zero chunk with stored bytes", &c);
}

static void a_zero_chunk_with_a_stored_hash_is_refused(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_ZERO, .raw_len = 10};
    c.stored_sha256[15] = 1;
    refuses_record("a zero chunk with a hash of stored bytes", &c);
}

static void a_raw_chunk_of_another_stored_length_is_refused(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_RAW, .raw_len = 10, .stored_len = 9};
    refuses_record("a raw chunk of 10 bytes is stored as 9", &c);
    c.stored_len = 11;
    refuses_record("a raw chunk of 10 bytes is stored as 11", &c);
}

static void a_raw_chunk_of_two_hashes_is_refused(void **state)
{
    (void)state;
    struct chunk c = {.codec = CODEC_RAW, .raw_len = 10, .stored_len = 10};
    c.stored_sha256[0] = 1;
    refuses_record("a raw chunk whose two hashes differ", &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_stands_as_the_format_page_says),
        cmocka_unit_test(an_unknown_codec_is_unsupported),
        cmocka_unit_test(a_raw_length_out_of_range_is_refused),
        cmocka_unit_test(a_stored_length_above_its_slack_is_refused),
        cmocka_unit_test(no_stored_bytes_are_refused_unless_zero),
        cmocka_unit_test(a_zero_chunk_with_stored_bytes_is_refused),
        cmocka_unit_test(a_zero_chunk_with_a_stored_hash_is_refused),
        cmocka_unit_test(a_raw_chunk_of_another_stored_length_is_refused),
        cmocka_unit_test(a_raw_chunk_of_two_hashes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
