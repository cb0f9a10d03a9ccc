// SPDX-License-Identifier: Apache-2.0
// From stored bytes to verified raw bytes, in the one order that is allowed.
//
// Invariants
// 1. No decoder sees stored bytes whose hash did not hold; nobody is handed raw bytes whose hash
//    did not hold.
#ifndef UPDATER_DECODE_H
#define UPDATER_DECODE_H

#include "format/codec.h"
#include "format/image.h"

// c->stored_len bytes at `stored` become c->raw_len bytes at `raw`, and those are the bytes that
// were hashed. ERR_FORMAT; what then stands at `raw` is not to be used. Not for CODEC_ZERO.
MUST_CHECK enum err decode_chunk(struct decoder *decoder, struct hasher *hasher,
                                 const struct chunk *c, const uint8_t *stored, uint8_t *raw,
                                 struct error *e);

#endif
