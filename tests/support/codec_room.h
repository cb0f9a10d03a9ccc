// SPDX-License-Identifier: Apache-2.0
// What the codec tests share: buffers of the largest chunk, text to code, and a decoder.
#ifndef TESTS_SUPPORT_CODEC_ROOM_H
#define TESTS_SUPPORT_CODEC_ROOM_H

#include "format/codec.h"

enum { CODEC_TEXT = 40000 };

struct codec_room {
    uint8_t raw[CHUNK_RAW_MAX];
    uint8_t back[CHUNK_RAW_MAX];
    uint8_t stored[CHUNK_STORED_MAX];
    uint8_t again[CHUNK_STORED_MAX];
    struct decoder *decoder;
};

// `raw` is full of text, the rest is zero. For cmocka_unit_test_setup_teardown().
int codec_room_setup(void **state);
int codec_room_teardown(void **state);

// With an encoder of its own; returns the stored length.
size_t codec_encode(enum codec codec, int level, const uint8_t *raw, size_t len, uint8_t *stored,
                    enum codec *ret_codec);
// The first `len` bytes of text, coded into r->stored.
size_t codec_encode_text(struct codec_room *r, enum codec codec, size_t len);

// The running test fails unless the first `stored_len` bytes of r->stored are refused.
void codec_refuses(struct codec_room *r, const char *sentence, enum codec codec, size_t stored_len,
                   size_t raw_len);

#endif
