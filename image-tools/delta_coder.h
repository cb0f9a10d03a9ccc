// SPDX-License-Identifier: Apache-2.0
// A chunk as a zstd frame that refers back to a window of the base: the writer's side of
// decoder_run_delta().
//
// Invariants
// 1. The output depends on window, chunk and the version of libzstd only.
#ifndef IMAGE_TOOLS_DELTA_CODER_H
#define IMAGE_TOOLS_DELTA_CODER_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct delta_coder;

MUST_CHECK enum err delta_coder_new(struct delta_coder **ret, struct error *e);
void delta_coder_free(struct delta_coder *c);
DEFINE_CLEANUP(delta_coder, struct delta_coder *, delta_coder_free)

// `window`: 1..DELTA_WINDOW_MAX bytes, `raw`: 1..CHUNK_RAW_MAX. `*ret_len` is 0 when the frame
// takes more than `room` bytes.
MUST_CHECK enum err delta_coder_run(struct delta_coder *c, const uint8_t *window, size_t window_len,
                                    const uint8_t *raw, size_t raw_len, uint8_t *stored,
                                    size_t room, size_t *ret_len, struct error *e);

#endif
