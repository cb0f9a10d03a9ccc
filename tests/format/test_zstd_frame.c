// SPDX-License-Identifier: Apache-2.0
// What a chunk's decoder refuses: test_codec_refusals.c; what a delta's does: test_codec_delta.c.
#include "format/zstd_frame.h"

#include "tests/support/codec_room.h"
#include "tests/support/expect.h"

enum { MIB = 1024 * 1024 };

// Descriptor of a frame of CODEC_TEXT bytes: 2-byte content size, single segment.
enum { AT_DESCRIPTOR = 4, SINGLE_SEGMENT_2 = 0x60 };

static void refuses(const struct codec_room *r, const char *sentence, size_t len)
{
    struct error e;
    assert_fails(ERR_FORMAT, sentence, zstd_frame_check(r->stored, len, CODEC_TEXT, MIB, &e));
}

static void a_frame_of_the_right_size_is_accepted(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    assert_int_equal(r->stored[AT_DESCRIPTOR], SINGLE_SEGMENT_2);
    assert_ok(zstd_frame_check(r->stored, n, CODEC_TEXT, MIB, &e));
}

static void every_rule_has_its_sentence(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    refuses(r, "5 bytes are left over behind it", n + 5);
    refuses(r, "its blocks do not end within its", n - 1);
    refuses(r, "it does not begin with a zstd frame", 3);
    refuses(r, "its header is cut short", 5);
    r->stored[AT_DESCRIPTOR] |= 1;
    refuses(r, "it needs a dictionary", n);
    r->stored[AT_DESCRIPTOR] = SINGLE_SEGMENT_2 | 0x08;
    refuses(r, "its frame header is damaged", n);
    r->stored[AT_DESCRIPTOR] = SINGLE_SEGMENT_2;
    r->stored[0] ^= 1;
    refuses(r, "it does not begin with a zstd frame", n);
    r->stored[0] ^= 1;
    r->stored[5] ^= 1; // content size
    refuses(r, "expected 40000", n);
}

static void a_frame_without_content_size_is_refused(void **state)
{
    struct codec_room *r = *state;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    // The window byte takes the place of the two bytes of content size.
    r->stored[AT_DESCRIPTOR] = 0;
    r->stored[5] = 0;
    memmove(r->stored + 6, r->stored + 7, n - 7);
    refuses(r, "the frame does not say its content size", n - 1);
}

static void the_window_is_limited_by_the_caller(void **state)
{
    struct codec_room *r = *state;
    struct error e;
    size_t n = codec_encode_text(r, CODEC_ZSTD, CODEC_TEXT);
    // Without the flag for a single segment a window byte stands before the content size.
    memmove(r->stored + 6, r->stored + 5, n - 5);
    r->stored[AT_DESCRIPTOR] = SINGLE_SEGMENT_2 & ~0x20;
    r->stored[5] = 11 << 3; // 2^21
    assert_ok(zstd_frame_check(r->stored, n + 1, CODEC_TEXT, 2 * MIB, &e));
    refuses(r, "its window is 2097152 bytes, at most 1048576", n + 1);
    r->stored[5] = (11 << 3) | 1;
    assert_fails(ERR_FORMAT, "its window is 2359296 bytes, at most 2097152",
                 zstd_frame_check(r->stored, n + 1, CODEC_TEXT, 2 * MIB, &e));
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, codec_room_setup, codec_room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_frame_of_the_right_size_is_accepted),
        in_room(every_rule_has_its_sentence),
        in_room(a_frame_without_content_size_is_refused),
        in_room(the_window_is_limited_by_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
