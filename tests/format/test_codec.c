// SPDX-License-Identifier: Apache-2.0
#include "format/codec.h"

#include "tests/support/codec_room.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <malloc.h>
#include <zstd.h>

static const enum codec coders[] = {CODEC_ZLIB, CODEC_ZSTD};
enum { CODERS = 2 };

static void what_is_encoded_is_decoded(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    static const size_t sizes[] = {100, 4096, 65536, 300001, CHUNK_RAW_MAX};
    for (size_t c = 0; c < CODERS; c++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            size_t n = codec_encode_text(r, coders[c], sizes[i]);
            assert_true(n < sizes[i] / 2 + 64);
            memset(r->back, 0xee, sizes[i]);
            assert_ok(decoder_run(r->decoder, coders[c], r->stored, n, r->back, sizes[i], &e));
            assert_memory_equal(r->back, r->raw, sizes[i]);
        }
    }
}

static void every_level_is_decoded(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    for (int level = 1; level <= 22; level++) {
        for (size_t c = 0; c < CODERS; c++) {
            if (coders[c] == CODEC_ZLIB && level > 9) {
                continue;
            }
            enum codec used;
            size_t n = codec_encode(coders[c], level, r->raw, CODEC_TEXT, r->stored, &used);
            assert_int_equal(used, coders[c]);
            assert_ok(decoder_run(r->decoder, coders[c], r->stored, n, r->back, CODEC_TEXT, &e));
            assert_memory_equal(r->back, r->raw, CODEC_TEXT);
        }
    }
}

static void level_zero_is_the_default_of_the_codec(void **state)
{
    struct codec_room *r = *state;
    static const int defaults[] = {6, 12};
    for (size_t c = 0; c < CODERS; c++) {
        enum codec used;
        size_t n = codec_encode(coders[c], defaults[c], r->raw, CHUNK_RAW_MAX, r->stored, &used);
        assert_int_equal(codec_encode(coders[c], 0, r->raw, CHUNK_RAW_MAX, r->again, &used), n);
        assert_memory_equal(r->stored, r->again, n);
        assert_int_not_equal(codec_encode(coders[c], 1, r->raw, CHUNK_RAW_MAX, r->again, &used), n);
    }
}

static void a_level_out_of_range_is_refused(void **state)
{
    (void)state;
    struct error e;
    struct encoder *enc = NULL;
    assert_fails(ERR_USAGE, "codec zstd: level 23 is not allowed, only 0 to 22",
                 encoder_new(CODEC_ZSTD, 23, &enc, &e));
    assert_fails(ERR_USAGE, "codec zstd: level -1", encoder_new(CODEC_ZSTD, -1, &enc, &e));
    assert_fails(ERR_USAGE, "codec zlib: level 10 is not allowed, only 0 to 9",
                 encoder_new(CODEC_ZLIB, 10, &enc, &e));
    assert_fails(ERR_USAGE, "codec raw: level 1 is not allowed, only 0 to 0",
                 encoder_new(CODEC_RAW, 1, &enc, &e));
    assert_null(enc);
}

static void the_zero_codec_cannot_be_chosen(void **state)
{
    (void)state;
    struct error e;
    struct encoder *enc = NULL;
    assert_fails(ERR_USAGE, "choose raw, zlib or zstd", encoder_new(CODEC_ZERO, 0, &enc, &e));
}

static void the_output_depends_on_the_input_only(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    for (size_t c = 0; c < CODERS; c++) {
        struct encoder *used = NULL;
        enum codec codec;
        size_t n = 0;
        size_t fresh = codec_encode(coders[c], 9, r->raw + 5000, 70000, r->stored, &codec);
        assert_ok(encoder_new(coders[c], 9, &used, &e));
        for (size_t i = 0; i < 5; i++) {
            fill_random(r->back, 5000, i);
            assert_ok(encoder_run(used, r->back, 5000, r->again, &n, &codec, &e));
            assert_ok(encoder_run(used, r->raw, CHUNK_RAW_MAX, r->again, &n, &codec, &e));
            assert_ok(encoder_run(used, r->raw + 5000, 70000, r->again, &n, &codec, &e));
            assert_int_equal(n, fresh);
            assert_memory_equal(r->again, r->stored, n);
        }
        encoder_free(used);
    }
}

static void what_does_not_shrink_is_stored_raw(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    static const size_t sizes[] = {1, 2, 9, 4096, 65536, CHUNK_RAW_MAX};
    fill_random(r->raw, sizeof(r->raw), 7);
    for (size_t c = 0; c < CODERS; c++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            enum codec used;
            size_t n = codec_encode(coders[c], 0, r->raw, sizes[i], r->stored, &used);
            assert_int_equal(used, CODEC_RAW);
            assert_int_equal(n, sizes[i]);
            assert_memory_equal(r->stored, r->raw, n);
            assert_ok(decoder_run(r->decoder, used, r->stored, n, r->back, sizes[i], &e));
            assert_memory_equal(r->back, r->raw, sizes[i]);
        }
    }
}

static void the_raw_codec_copies(void **state)
{
    struct codec_room *r = *state;
    enum codec used;
    size_t n = codec_encode(CODEC_RAW, 0, r->raw, CODEC_TEXT, r->stored, &used);
    assert_int_equal(used, CODEC_RAW);
    assert_int_equal(n, CODEC_TEXT);
    assert_memory_equal(r->stored, r->raw, CODEC_TEXT);
}

static void zeros_become_a_zero_chunk_without_bytes(void **state)
{
    struct codec_room *r = *state;
    static const enum codec all[] = {CODEC_RAW, CODEC_ZLIB, CODEC_ZSTD};
    static const size_t sizes[] = {1, 2, 4096, CHUNK_RAW_MAX};
    memset(r->raw, 0, sizeof(r->raw));
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            enum codec used = CODEC_RAW;
            assert_int_equal(codec_encode(all[c], 0, r->raw, sizes[i], r->stored, &used), 0);
            assert_int_equal(used, CODEC_ZERO);
        }
        enum codec used = CODEC_ZERO;
        r->raw[4095] = 1;
        assert_true(codec_encode(all[c], 0, r->raw, 4096, r->stored, &used) > 0);
        assert_int_not_equal(used, CODEC_ZERO);
        r->raw[4095] = 0;
    }
}

static void an_encoder_takes_one_byte_to_one_mebibyte(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    struct encoder *enc = NULL;
    size_t n = 0;
    enum codec used;
    assert_ok(encoder_new(CODEC_ZSTD, 0, &enc, &e));
    assert_fails(ERR_INTERNAL, "a chunk of 0 bytes is out of range",
                 encoder_run(enc, r->raw, 0, r->stored, &n, &used, &e));
    assert_fails(ERR_INTERNAL, "a chunk of 1048577 bytes is out of range",
                 encoder_run(enc, r->raw, CHUNK_RAW_MAX + 1, r->stored, &n, &used, &e));
    encoder_free(enc);
}

static void a_decoder_takes_no_size_out_of_range(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    assert_fails(ERR_INTERNAL, "out of range",
                 decoder_run(r->decoder, CODEC_RAW, r->stored, 0, r->back, 0, &e));
    assert_fails(ERR_INTERNAL, "out of range",
                 decoder_run(r->decoder, CODEC_RAW, r->stored, CHUNK_RAW_MAX + 1, r->back,
                             CHUNK_RAW_MAX + 1, &e));
    assert_fails(
        ERR_INTERNAL, "out of range",
        decoder_run(r->decoder, CODEC_ZSTD, r->stored, CHUNK_STORED_MAX + 1, r->back, 1, &e));
}

static void a_zero_chunk_is_not_decoded(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    assert_fails(ERR_INTERNAL, "has no stored bytes to decode",
                 decoder_run(r->decoder, CODEC_ZERO, r->stored, 0, r->back, 10, &e));
}

static void a_raw_chunk_of_another_length_is_refused(void **state)
{
    struct codec_room *r = *state;
    codec_refuses(r, "raw chunk: 9 bytes, expected 10", CODEC_RAW, 9, 10);
    codec_refuses(r, "raw chunk: 11 bytes, expected 10", CODEC_RAW, 11, 10);
    codec_refuses(r, "raw chunk: 1048640 bytes, expected 10", CODEC_RAW, CHUNK_STORED_MAX, 10);
}

static void our_zstd_frames_carry_size_but_no_checksum_and_no_dictionary(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    assert_int_equal(ZSTD_getFrameContentSize(r->stored, n), CODEC_TEXT);
    assert_int_equal(r->stored[4] & 0x07, 0);
}

static void a_decoder_allocates_only_when_it_is_made(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    for (size_t round = 0; round < 2; round++) {
        for (size_t c = 0; c < CODERS; c++) {
            size_t n = codec_encode_text(r, coders[c], CODEC_TEXT);
            size_t before = mallinfo2().uordblks;
            assert_ok(decoder_run(r->decoder, coders[c], r->stored, n, r->back, CODEC_TEXT, &e));
            // A stream that stops early is what makes zlib want its window.
            codec_refuses(r, "", coders[c], n - 10, CODEC_TEXT);
            codec_refuses(r, "", coders[c], n, CODEC_TEXT - 100);
            assert_int_equal(mallinfo2().uordblks, before);
        }
    }
}

static void a_decoder_recovers_from_a_refused_chunk(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    for (size_t c = 0; c < CODERS; c++) {
        size_t n = codec_encode_text(r, coders[c], CODEC_TEXT);
        codec_refuses(r, "", coders[c], n - 7, CODEC_TEXT);
        assert_ok(decoder_run(r->decoder, coders[c], r->stored, n, r->back, CODEC_TEXT, &e));
        assert_memory_equal(r->back, r->raw, CODEC_TEXT);
    }
}

static void codecs_have_names(void **state)
{
    (void)state;
    enum codec codec = CODEC_RAW;
    assert_string_equal(codec_name(CODEC_RAW), "raw");
    assert_string_equal(codec_name(CODEC_ZLIB), "zlib");
    assert_string_equal(codec_name(CODEC_ZSTD), "zstd");
    assert_string_equal(codec_name(CODEC_ZERO), "zero");
    assert_true(codec_from_name("zstd", &codec));
    assert_int_equal(codec, CODEC_ZSTD);
    assert_false(codec_from_name("lzma", &codec));
    assert_false(codec_from_name("", &codec));
    assert_int_equal(codec, CODEC_ZSTD);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, codec_room_setup, codec_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(what_is_encoded_is_decoded),
        in_room(every_level_is_decoded),
        in_room(level_zero_is_the_default_of_the_codec),
        in_room(a_level_out_of_range_is_refused),
        in_room(the_zero_codec_cannot_be_chosen),
        in_room(the_output_depends_on_the_input_only),
        in_room(what_does_not_shrink_is_stored_raw),
        in_room(the_raw_codec_copies),
        in_room(zeros_become_a_zero_chunk_without_bytes),
        in_room(an_encoder_takes_one_byte_to_one_mebibyte),
        in_room(a_decoder_takes_no_size_out_of_range),
        in_room(a_zero_chunk_is_not_decoded),
        in_room(a_raw_chunk_of_another_length_is_refused),
        in_room(our_zstd_frames_carry_size_but_no_checksum_and_no_dictionary),
        in_room(a_decoder_allocates_only_when_it_is_made),
        in_room(a_decoder_recovers_from_a_refused_chunk),
        in_room(codecs_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
