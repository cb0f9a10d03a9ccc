// SPDX-License-Identifier: Apache-2.0
#include "tests/support/codec_room.h"

#include "tests/support/expect.h"
#include "tests/support/test_data.h"

#include <stdlib.h>

int codec_room_setup(void **state)
{
    struct error e;
    struct codec_room *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    fill_text(r->raw, sizeof(r->raw), 1);
    assert_ok(decoder_new(&r->decoder, &e));
    *state = r;
    return 0;
}

int codec_room_teardown(void **state)
{
    struct codec_room *r = *state;
    decoder_free(r->decoder);
    free(r);
    return 0;
}

size_t codec_encode(enum codec codec, int level, const uint8_t *raw, size_t len, uint8_t *stored,
                    enum codec *ret_codec)
{
    struct error e;
    struct encoder *enc = NULL;
    size_t stored_len = 0;
    assert_ok(encoder_new(codec, level, &enc, &e));
    assert_ok(encoder_run(enc, raw, len, stored, &stored_len, ret_codec, &e));
    encoder_free(enc);
    return stored_len;
}

size_t codec_encode_text(struct codec_room *r, enum codec codec, size_t len)
{
    enum codec used;
    size_t n = codec_encode(codec, 0, r->raw, len, r->stored, &used);
    assert_int_equal(used, codec);
    return n;
}

void codec_refuses(struct codec_room *r, const char *sentence, enum codec codec, size_t stored_len,
                   size_t raw_len)
{
    struct error e;
    assert_fails(ERR_FORMAT, sentence,
                 decoder_run(r->decoder, codec, r->stored, stored_len, r->back, raw_len, &e));
}
