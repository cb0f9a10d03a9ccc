// SPDX-License-Identifier: Apache-2.0
#include "updater/decode.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <string.h>

enum { RAW_LEN = 20000 };

struct sample {
    struct hasher *hasher;
    struct decoder *decoder;
    struct chunk chunk;
    uint8_t content[RAW_LEN];
    uint8_t stored[CHUNK_STORED_MAX];
    uint8_t raw[RAW_LEN];
};

static void hash_stored(struct sample *s)
{
    struct error e;
    uint8_t digest[SHA256_SIZE];
    assert_ok(hasher_sha256(s->hasher, s->stored, s->chunk.stored_len, digest, &e));
    memcpy(s->chunk.stored_sha256, digest, STORED_HASH_SIZE);
}

static int make(void **state)
{
    struct error e;
    struct encoder *encoder = NULL;
    struct sample *s = calloc(1, sizeof *s);
    size_t len = 0;
    assert_non_null(s);
    fill_text(s->content, RAW_LEN, 3);
    assert_ok(hasher_new(&s->hasher, &e));
    assert_ok(decoder_new(&s->decoder, &e));
    assert_ok(encoder_new(CODEC_ZSTD, 0, &encoder, &e));
    assert_ok(encoder_run(encoder, s->content, RAW_LEN, s->stored, &len, &s->chunk.codec, &e));
    encoder_free(encoder);
    s->chunk.raw_len = RAW_LEN;
    s->chunk.stored_len = (uint32_t)len;
    assert_ok(hasher_sha256(s->hasher, s->content, RAW_LEN, s->chunk.raw_sha256, &e));
    hash_stored(s);
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct sample *s = *state;
    decoder_free(s->decoder);
    hasher_free(s->hasher);
    free(s);
    return 0;
}

static void a_good_chunk_is_decoded(void **state)
{
    struct error e;
    struct sample *s = *state;
    assert_int_equal(s->chunk.codec, CODEC_ZSTD);
    assert_ok(decode_chunk(s->decoder, s->hasher, &s->chunk, s->stored, s->raw, &e));
    assert_memory_equal(s->raw, s->content, RAW_LEN);
}

static void stored_bytes_with_a_wrong_hash_never_reach_the_decoder(void **state)
{
    struct error e;
    struct sample *s = *state;
    s->stored[s->chunk.stored_len / 2] ^= 1;
    memset(s->raw, 0xee, RAW_LEN);
    assert_fails(ERR_FORMAT, "stored bytes do not match",
                 decode_chunk(s->decoder, s->hasher, &s->chunk, s->stored, s->raw, &e));
    for (size_t i = 0; i < RAW_LEN; i++) {
        assert_int_equal(s->raw[i], 0xee); // nothing was put there
    }
}

static void stored_bytes_that_do_not_decode_are_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    s->stored[0] ^= 1; // the magic of the frame
    hash_stored(s);
    assert_int_equal(decode_chunk(s->decoder, s->hasher, &s->chunk, s->stored, s->raw, &e),
                     ERR_FORMAT);
}

static void raw_bytes_with_a_wrong_hash_are_refused(void **state)
{
    struct error e;
    struct sample *s = *state;
    s->chunk.raw_sha256[31] ^= 1;
    assert_fails(ERR_FORMAT, "raw bytes do not match",
                 decode_chunk(s->decoder, s->hasher, &s->chunk, s->stored, s->raw, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_chunk_is_decoded, make, clear),
        cmocka_unit_test_setup_teardown(stored_bytes_with_a_wrong_hash_never_reach_the_decoder,
                                        make, clear),
        cmocka_unit_test_setup_teardown(stored_bytes_that_do_not_decode_are_refused, make, clear),
        cmocka_unit_test_setup_teardown(raw_bytes_with_a_wrong_hash_are_refused, make, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
