// SPDX-License-Identifier: Apache-2.0
// decoder_run_delta(): a frame and the window it refers back to.
#include "format/codec.h"
#include "tests/support/codec_room.h"
#include "tests/support/expect.h"
#include "tests/support/pack_builder.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

enum { LEN = 200000 };

struct pair {
    struct codec_room room;
    uint8_t window[DELTA_WINDOW_MAX];
    size_t window_len;
    size_t stored_len;
};

// Random bytes in the window, and a chunk that has most of them, shifted: nothing but the window
// makes it small.
static int setup(void **state)
{
    struct error e;
    struct pair *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    assert_ok(decoder_new(&p->room.decoder, &e));
    p->window_len = DELTA_WINDOW_MAX;
    fill_random(p->window, p->window_len, 1);
    memcpy(p->room.raw, p->window + 300001, LEN);
    fill_random(p->room.raw + 1000, 100, 2);
    p->stored_len = delta_encode(p->window, p->window_len, p->room.raw, LEN, p->room.stored);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;
    decoder_free(p->room.decoder);
    free(p);
    return 0;
}

static enum err decode(struct pair *p, struct error *e)
{
    memset(p->room.back, 0xee, sizeof(p->room.back));
    return decoder_run_delta(p->room.decoder, p->window, p->window_len, p->room.stored,
                             p->stored_len, p->room.back, LEN, e);
}

static void refuses(struct pair *p, const char *sentence)
{
    struct error e;
    assert_fails(ERR_FORMAT, sentence, decode(p, &e));
}

static void a_delta_is_small_and_gives_the_chunk(void **state)
{
    struct pair *p = *state;
    struct error e;
    assert_in_range(p->stored_len, 100, 500);
    assert_ok(decode(p, &e));
    assert_memory_equal(p->room.back, p->room.raw, LEN);
    assert_int_equal(p->room.back[LEN], 0xee);
}

static void another_window_gives_other_bytes(void **state)
{
    struct pair *p = *state;
    struct error e;
    p->window[300001 + 5000] ^= 1;
    assert_ok(decode(p, &e));
    assert_int_not_equal(memcmp(p->room.back, p->room.raw, LEN), 0);
}

static void a_window_that_is_too_short_is_refused(void **state)
{
    struct pair *p = *state;
    p->window_len = 1000;
    refuses(p, "zstd chunk: damaged: ");
}

static void a_window_that_looks_like_a_dictionary_is_content(void **state)
{
    struct pair *p = *state;
    struct error e;
    static const uint8_t dictionary_magic[] = {0x37, 0xa4, 0x30, 0xec};
    memcpy(p->window, dictionary_magic, sizeof(dictionary_magic));
    p->stored_len = delta_encode(p->window, p->window_len, p->room.raw, LEN, p->room.stored);
    assert_ok(decode(p, &e));
    assert_memory_equal(p->room.back, p->room.raw, LEN);
}

// A frame that refers to the window must not decode by a window of before.
static void a_window_is_forgotten(void **state)
{
    struct pair *p = *state;
    struct error e;
    enum codec used;
    assert_ok(decode(p, &e));
    assert_fails(ERR_FORMAT, "zstd chunk: damaged: ",
                 decoder_run(p->room.decoder, CODEC_ZSTD, p->room.stored, p->stored_len,
                             p->room.back, LEN, &e));
    // After a delta that was refused, too.
    p->room.stored[p->stored_len - 1] ^= 0xff;
    p->room.stored[p->stored_len - 2] ^= 0xff;
    (void)decode(p, &e);
    p->room.stored[p->stored_len - 1] ^= 0xff;
    p->room.stored[p->stored_len - 2] ^= 0xff;
    assert_fails(ERR_FORMAT, "zstd chunk: damaged: ",
                 decoder_run(p->room.decoder, CODEC_ZSTD, p->room.stored, p->stored_len,
                             p->room.back, LEN, &e));
    // And plain chunks come out as ever.
    fill_text(p->room.raw, LEN, 3);
    size_t n = codec_encode(CODEC_ZSTD, 0, p->room.raw, LEN, p->room.stored, &used);
    assert_ok(decoder_run(p->room.decoder, CODEC_ZSTD, p->room.stored, n, p->room.back, LEN, &e));
    assert_memory_equal(p->room.back, p->room.raw, LEN);
}

static void the_largest_chunk_reaches_back_through_the_largest_window(void **state)
{
    struct pair *p = *state;
    struct error e;
    fill_random(p->room.raw, CHUNK_RAW_MAX, 4);
    // The far end of the window, at the far end of the chunk.
    memcpy(p->room.raw + CHUNK_RAW_MAX - 4096, p->window, 4096);
    size_t n = delta_encode(p->window, p->window_len, p->room.raw, CHUNK_RAW_MAX, p->room.stored);
    assert_ok(decoder_run_delta(p->room.decoder, p->window, p->window_len, p->room.stored, n,
                                p->room.back, CHUNK_RAW_MAX, &e));
    assert_memory_equal(p->room.back, p->room.raw, CHUNK_RAW_MAX);
}

static void a_frame_window_above_two_mebibytes_is_refused(void **state)
{
    struct pair *p = *state;
    struct error e;
    // Descriptor 0xa0: 4-byte content size, single segment; without bit 5 a window byte follows.
    assert_int_equal(p->room.stored[4], 0xa0);
    memmove(p->room.stored + 6, p->room.stored + 5, p->stored_len - 5);
    p->room.stored[4] = 0x80;
    p->stored_len++;
    p->room.stored[5] = 11 << 3;
    assert_ok(decode(p, &e));
    p->room.stored[5] = (11 << 3) | 1;
    refuses(p, "zstd chunk: its window is 2359296 bytes, at most 2097152");
}

static void what_no_chunk_may_be_no_delta_may_be(void **state)
{
    struct pair *p = *state;
    p->stored_len++;
    refuses(p, "zstd chunk: 1 bytes are left over behind it");
    p->stored_len -= 2;
    refuses(p, "zstd chunk: its blocks do not end within its");
    p->stored_len++;
    p->room.stored[4] |= 1;
    refuses(p, "zstd chunk: it needs a dictionary");
    p->room.stored[4] &= 0xfc;
    p->room.stored[5] ^= 1;
    refuses(p, "zstd chunk: its content size is");
    p->room.stored[0] ^= 1;
    refuses(p, "zstd chunk: it does not begin with a zstd frame");
}

static void sizes_out_of_range_are_the_callers_fault(void **state)
{
    struct pair *p = *state;
    struct error e;
    p->window_len = 0;
    assert_fails(ERR_INTERNAL, "out of range", decode(p, &e));
    p->window_len = DELTA_WINDOW_MAX + 1;
    assert_fails(ERR_INTERNAL, "out of range", decode(p, &e));
    p->window_len = DELTA_WINDOW_MAX;
    p->stored_len = CHUNK_STORED_MAX + 1;
    assert_fails(ERR_INTERNAL, "out of range", decode(p, &e));
    assert_fails(
        ERR_INTERNAL, "out of range",
        decoder_run_delta(p->room.decoder, p->window, 1, p->room.stored, 10, p->room.back, 0, &e));
    assert_fails(ERR_INTERNAL, "out of range",
                 decoder_run_delta(p->room.decoder, p->window, 1, p->room.stored, 10, p->room.back,
                                   CHUNK_RAW_MAX + 1, &e));
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(a_delta_is_small_and_gives_the_chunk),
        in_room(another_window_gives_other_bytes),
        in_room(a_window_that_is_too_short_is_refused),
        in_room(a_window_that_looks_like_a_dictionary_is_content),
        in_room(a_window_is_forgotten),
        in_room(the_largest_chunk_reaches_back_through_the_largest_window),
        in_room(a_frame_window_above_two_mebibytes_is_refused),
        in_room(what_no_chunk_may_be_no_delta_may_be),
        in_room(sizes_out_of_range_are_the_callers_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
