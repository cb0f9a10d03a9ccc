// SPDX-License-Identifier: Apache-2.0
// What a decoder must not accept.
#include "format/codec.h"

#include "tests/support/codec_room.h"
#include "tests/support/expect.h"

#include <zlib.h>
#include <zstd.h>

// A zstd frame made with settings our encoder does not use.
static size_t foreign_zstd(struct codec_room *r, size_t len, ZSTD_cParameter parameter, int value)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    assert_non_null(cctx);
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(cctx, parameter, value)));
    size_t n = ZSTD_compress2(cctx, r->stored, sizeof(r->stored), r->raw, len);
    assert_false(ZSTD_isError(n));
    ZSTD_freeCCtx(cctx);
    return n;
}

static void a_zlib_stream_that_is_shorter_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZLIB, CODEC_TEXT);
    codec_refuses(r, "zlib chunk: it decodes to 40000 bytes, expected 40001", CODEC_ZLIB, n,
                  CODEC_TEXT + 1);
}

static void a_zlib_stream_that_is_longer_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZLIB, CODEC_TEXT);
    r->back[CODEC_TEXT - 1] = 0xee;
    codec_refuses(r, "zlib chunk: it decodes to more than 39999 bytes", CODEC_ZLIB, n,
                  CODEC_TEXT - 1);
    assert_int_equal(r->back[CODEC_TEXT - 1], 0xee);
}

static void a_zlib_stream_with_input_left_over_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZLIB, CODEC_TEXT);
    codec_refuses(r, "zlib chunk: 1 bytes are left over behind it", CODEC_ZLIB, n + 1, CODEC_TEXT);
}

static void a_zlib_stream_that_ends_early_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZLIB, 1000);
    for (size_t cut = 0; cut < n; cut++) {
        codec_refuses(r, "zlib chunk: it ends early", CODEC_ZLIB, cut, 1000);
    }
}

static void a_damaged_zlib_stream_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZLIB, CODEC_TEXT);
    r->stored[n - 1] ^= 1; // its checksum
    codec_refuses(r, "zlib chunk: incorrect data check", CODEC_ZLIB, n, CODEC_TEXT);
    memset(r->stored, 'x', n);
    codec_refuses(r, "zlib chunk: incorrect header check", CODEC_ZLIB, n, CODEC_TEXT);
}

static void a_zlib_stream_with_a_dictionary_is_refused(void **state)
{
    struct codec_room *r = *state;
    z_stream z = {0};
    assert_int_equal(deflateInit(&z, 6), Z_OK);
    assert_int_equal(deflateSetDictionary(&z, (const Bytef *)"chunk image", 11), Z_OK);
    z.next_in = r->raw;
    z.avail_in = CODEC_TEXT;
    z.next_out = r->stored;
    z.avail_out = sizeof(r->stored);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    codec_refuses(r, "zlib chunk: it needs a dictionary", CODEC_ZLIB, z.total_out, CODEC_TEXT);
}

static void a_gzip_stream_is_refused(void **state)
{
    struct codec_room *r = *state;
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = r->raw;
    z.avail_in = CODEC_TEXT;
    z.next_out = r->stored;
    z.avail_out = sizeof(r->stored);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    codec_refuses(r, "zlib chunk: incorrect header check", CODEC_ZLIB, z.total_out, CODEC_TEXT);
}

static void a_zstd_frame_without_its_magic_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    r->stored[0] ^= 1;
    codec_refuses(r, "zstd chunk: it does not begin with a zstd frame", CODEC_ZSTD, n, CODEC_TEXT);
    r->stored[0] ^= 1;
    codec_refuses(r, "zstd chunk: it does not begin with a zstd frame", CODEC_ZSTD, 3, CODEC_TEXT);
    codec_refuses(r, "zstd chunk: its header is cut short", CODEC_ZSTD, 5, CODEC_TEXT);
}

static void a_skippable_zstd_frame_is_refused(void **state)
{
    struct codec_room *r = *state;
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
    memcpy(r->stored, skippable, sizeof(skippable));
    size_t n = codec_encode(CODEC_ZSTD, 0, r->raw, CODEC_TEXT, r->stored + sizeof(skippable),
                            &(enum codec){CODEC_RAW});
    codec_refuses(r, "zstd chunk: it does not begin with a zstd frame", CODEC_ZSTD,
                  sizeof(skippable) + n, CODEC_TEXT);
    codec_refuses(r, "zstd chunk: it does not begin with a zstd frame", CODEC_ZSTD,
                  sizeof(skippable), CODEC_TEXT);
}

static void a_zstd_frame_without_content_size_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = foreign_zstd(r, CODEC_TEXT, ZSTD_c_contentSizeFlag, 0);
    codec_refuses(r, "zstd chunk: the frame does not say its content size", CODEC_ZSTD, n,
                  CODEC_TEXT);
}

static void a_zstd_frame_with_another_content_size_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    codec_refuses(r, "zstd chunk: its content size is 40000 bytes, expected 40001", CODEC_ZSTD, n,
                  CODEC_TEXT + 1);
    codec_refuses(r, "zstd chunk: its content size is 40000 bytes, expected 39999", CODEC_ZSTD, n,
                  CODEC_TEXT - 1);
}

static void a_zstd_frame_with_a_reserved_bit_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    r->stored[4] |= 0x08;
    codec_refuses(r, "zstd chunk: its frame header is damaged", CODEC_ZSTD, n, CODEC_TEXT);
}

static void a_zstd_window_above_one_mebibyte_is_refused(void **state)
{
    struct codec_room *r = *state;
    // Descriptor 0xa0: 4-byte content size, single segment; without bit 5 a window byte follows.
    size_t n = codec_encode_text(r, CODEC_ZSTD, CHUNK_RAW_MAX);
    assert_int_equal(r->stored[4], 0xa0);
    memmove(r->stored + 6, r->stored + 5, n - 5);
    r->stored[4] = 0x80;
    r->stored[5] = 10 << 3; // 2^20
    struct error e;
    assert_ok(decoder_run(r->decoder, CODEC_ZSTD, r->stored, n + 1, r->back, CHUNK_RAW_MAX, &e));
    r->stored[5] = (10 << 3) | 1; // 2^20 and an eighth
    codec_refuses(r, "zstd chunk: its window is 1179648 bytes, at most 1048576", CODEC_ZSTD, n + 1,
                  CHUNK_RAW_MAX);
    r->stored[5] = 11 << 3;
    codec_refuses(r, "zstd chunk: its window is 2097152 bytes", CODEC_ZSTD, n + 1, CHUNK_RAW_MAX);
    r->stored[5] = 0xff;
    codec_refuses(r, "zstd chunk: its window is 4123168604160 bytes", CODEC_ZSTD, n + 1,
                  CHUNK_RAW_MAX);
}

static void a_zstd_frame_with_a_dictionary_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    for (uint8_t flag = 1; flag < 4; flag++) {
        r->stored[4] = (uint8_t)((r->stored[4] & 0xfc) | flag);
        codec_refuses(r, "zstd chunk: it needs a dictionary", CODEC_ZSTD, n, CODEC_TEXT);
    }
}

static void bytes_behind_a_zstd_frame_are_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    codec_refuses(r, "zstd chunk: 5 bytes are left over behind it", CODEC_ZSTD, n + 5, CODEC_TEXT);
}

static void several_zstd_frames_are_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT / 2);
    memmove(r->stored + n, r->stored, n);
    codec_refuses(r, "zstd chunk: its content size is 20000 bytes", CODEC_ZSTD, 2 * n, CODEC_TEXT);
    codec_refuses(r, "bytes are left over behind it", CODEC_ZSTD, 2 * n, CODEC_TEXT / 2);
}

static void a_zstd_frame_that_ends_early_is_refused(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    size_t n = codec_encode_text(r, CODEC_ZSTD, 1000);
    codec_refuses(r, "zstd chunk: its blocks do not end within its", CODEC_ZSTD, n - 1, 1000);
    for (size_t cut = 0; cut < n; cut++) {
        assert_fails(ERR_FORMAT, "zstd chunk: ",
                     decoder_run(r->decoder, CODEC_ZSTD, r->stored, cut, r->back, 1000, &e));
    }
}

static void a_damaged_zstd_frame_is_refused_or_of_the_right_length(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, 2000);
    for (size_t i = 0; i < n * 8; i++) {
        struct error e = {0};
        r->stored[i / 8] ^= (uint8_t)(1u << i % 8);
        r->back[2000] = 0xee;
        enum err err = decoder_run(r->decoder, CODEC_ZSTD, r->stored, n, r->back, 2000, &e);
        assert_true(err == OK || err == ERR_FORMAT);
        assert_int_equal(r->back[2000], 0xee);
        r->stored[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    memset(r->stored + 20, 0xff, n - 20);
    codec_refuses(r, "zstd chunk: damaged: ", CODEC_ZSTD, n, 2000);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, codec_room_setup, codec_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_zlib_stream_that_is_shorter_is_refused),
        in_room(a_zlib_stream_that_is_longer_is_refused),
        in_room(a_zlib_stream_with_input_left_over_is_refused),
        in_room(a_zlib_stream_that_ends_early_is_refused),
        in_room(a_damaged_zlib_stream_is_refused),
        in_room(a_zlib_stream_with_a_dictionary_is_refused),
        in_room(a_gzip_stream_is_refused),
        in_room(a_zstd_frame_without_its_magic_is_refused),
        in_room(a_skippable_zstd_frame_is_refused),
        in_room(a_zstd_frame_without_content_size_is_refused),
        in_room(a_zstd_frame_with_another_content_size_is_refused),
        in_room(a_zstd_frame_with_a_reserved_bit_is_refused),
        in_room(a_zstd_window_above_one_mebibyte_is_refused),
        in_room(a_zstd_frame_with_a_dictionary_is_refused),
        in_room(bytes_behind_a_zstd_frame_are_refused),
        in_room(several_zstd_frames_are_refused),
        in_room(a_zstd_frame_that_ends_early_is_refused),
        in_room(a_damaged_zstd_frame_is_refused_or_of_the_right_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
