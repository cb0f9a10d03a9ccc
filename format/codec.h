// SPDX-License-Identifier: Apache-2.0
// One chunk in, one chunk out: raw, zlib, zstd.
//
// Invariants
// 1. A decoder never writes past the raw length it was told and never accepts another length, a
//    frame without content size, a window over CHUNK_RAW_MAX, a skippable or dictionary frame,
//    several frames, or input left over. All of these are ERR_FORMAT.
// 2. A decoder allocates once, in decoder_new(); only decoder_run_delta() takes some 30 KiB more
//    for libzstd's view of the window, and gives them back.
// 3. The output of an encoder depends on codec, level and input only.
#ifndef FORMAT_CODEC_H
#define FORMAT_CODEC_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"

#include <stddef.h>
#include <stdint.h>

enum {
    DELTA_WINDOW_MAX = 512 * 1024,            // bytes of the base
    DELTA_FRAME_WINDOW_MAX = 2 * 1024 * 1024, // what a frame may look back: them and the chunk
};

struct decoder;
MUST_CHECK enum err decoder_new(struct decoder **ret, struct error *e);
void decoder_free(struct decoder *d);
DEFINE_CLEANUP(decoder, struct decoder *, decoder_free)
// Exactly `raw_len` bytes into `raw`. CODEC_ZERO is not decoded here: ERR_INTERNAL.
MUST_CHECK enum err decoder_run(struct decoder *d, enum codec codec, const uint8_t *stored,
                                size_t stored_len, uint8_t *raw, size_t raw_len, struct error *e);
// The same for a zstd frame that refers back to `window`: 1..DELTA_WINDOW_MAX bytes, which stand in
// front of the chunk and are nothing but content, whatever they begin with. With a window that is
// not the writer's the result is other bytes or ERR_FORMAT.
MUST_CHECK enum err decoder_run_delta(struct decoder *d, const uint8_t *window, size_t window_len,
                                      const uint8_t *stored, size_t stored_len, uint8_t *raw,
                                      size_t raw_len, struct error *e);

struct encoder;
// `level` 0 is the codec's default; out of its range: ERR_USAGE.
MUST_CHECK enum err encoder_new(enum codec codec, int level, struct encoder **ret, struct error *e);
void encoder_free(struct encoder *enc);
DEFINE_CLEANUP(encoder, struct encoder *, encoder_free)
// At most CHUNK_STORED_MAX bytes into `stored`. Falls back to CODEC_RAW when coding does not make
// the chunk smaller; all zeros become CODEC_ZERO with no bytes. `ret_codec` says which.
MUST_CHECK enum err encoder_run(struct encoder *enc, const uint8_t *raw, size_t raw_len,
                                uint8_t *stored, size_t *ret_stored_len, enum codec *ret_codec,
                                struct error *e);

// "zstd" and back; false for an unknown name.
const char *codec_name(enum codec codec);
MUST_CHECK bool codec_from_name(const char *name, enum codec *ret);

#endif
