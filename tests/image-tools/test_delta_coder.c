// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_coder.h"

#include "format/codec.h"
#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

struct room {
    struct delta_coder *coder;
    struct decoder *decoder;
    uint8_t window[DELTA_WINDOW_MAX];
    uint8_t raw[CHUNK_RAW_MAX];
    uint8_t back[CHUNK_RAW_MAX];
    uint8_t stored[CHUNK_STORED_MAX];
};

static int setup(void **state)
{
    struct error e;
    struct room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    assert_ok(delta_coder_new(&r->coder, &e));
    assert_ok(decoder_new(&r->decoder, &e));
    fill_random(r->window, sizeof(r->window), 1);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct room *r = *state;
    delta_coder_free(r->coder);
    decoder_free(r->decoder);
    free(r);
    return 0;
}

static size_t run(struct room *r, size_t window_len, size_t raw_len, size_t room)
{
    struct error e;
    size_t n = 12345;
    assert_ok(
        delta_coder_run(r->coder, r->window, window_len, r->raw, raw_len, r->stored, room, &n, &e));
    return n;
}

static void what_is_in_the_window_takes_next_to_nothing(void **state)
{
    struct room *r = *state;
    struct error e;
    static const size_t lens[] = {1000, 65536, DELTA_WINDOW_MAX};
    for (size_t i = 0; i < 3; i++) {
        memcpy(r->raw, r->window + (DELTA_WINDOW_MAX - lens[i]) / 2, lens[i]);
        size_t n = run(r, DELTA_WINDOW_MAX, lens[i], CHUNK_STORED_MAX);
        assert_in_range(n, 1, 200);
        assert_ok(decoder_run_delta(r->decoder, r->window, DELTA_WINDOW_MAX, r->stored, n, r->back,
                                    lens[i], &e));
        assert_memory_equal(r->back, r->raw, lens[i]);
    }
}

static void the_largest_chunk_is_coded(void **state)
{
    struct room *r = *state;
    struct error e;
    fill_text(r->raw, CHUNK_RAW_MAX, 3);
    memcpy(r->raw + CHUNK_RAW_MAX - 100000, r->window, 100000);
    size_t n = run(r, DELTA_WINDOW_MAX, CHUNK_RAW_MAX, CHUNK_STORED_MAX);
    assert_in_range(n, 1, CHUNK_RAW_MAX / 2);
    assert_ok(decoder_run_delta(r->decoder, r->window, DELTA_WINDOW_MAX, r->stored, n, r->back,
                                CHUNK_RAW_MAX, &e));
    assert_memory_equal(r->back, r->raw, CHUNK_RAW_MAX);
}

static void what_does_not_fit_is_told_by_its_length(void **state)
{
    struct room *r = *state;
    fill_random(r->raw, 10000, 4);
    assert_int_equal(run(r, 4096, 10000, 5000), 0);
    size_t n = run(r, 4096, 10000, 11000);
    assert_true(n > 5000);
    // The coder is as good as new.
    memcpy(r->raw, r->window, 1000);
    assert_in_range(run(r, 4096, 1000, 500), 1, 100);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    struct room *r = *state;
    struct error e;
    struct delta_coder *other = NULL;
    fill_text(r->raw, 100000, 5);
    memcpy(r->raw + 30000, r->window + 400000, 30000);
    size_t n = run(r, DELTA_WINDOW_MAX, 100000, CHUNK_STORED_MAX);
    memcpy(r->back, r->stored, n);
    // After something else, and by another coder.
    (void)run(r, 1, 5, CHUNK_STORED_MAX);
    assert_int_equal(run(r, DELTA_WINDOW_MAX, 100000, CHUNK_STORED_MAX), n);
    assert_memory_equal(r->stored, r->back, n);
    assert_ok(delta_coder_new(&other, &e));
    delta_coder_free(r->coder);
    r->coder = other;
    assert_int_equal(run(r, DELTA_WINDOW_MAX, 100000, CHUNK_STORED_MAX), n);
    assert_memory_equal(r->stored, r->back, n);
}

#define in_room(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_room(what_is_in_the_window_takes_next_to_nothing),
        in_room(the_largest_chunk_is_coded),
        in_room(what_does_not_fit_is_told_by_its_length),
        in_room(the_same_input_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
