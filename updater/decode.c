// SPDX-License-Identifier: Apache-2.0
#include "updater/decode.h"

enum err decode_chunk(struct decoder *decoder, struct hasher *hasher, const struct chunk *c,
                      const uint8_t *stored, uint8_t *raw, struct error *e)
{
    enum err err = chunk_check_stored(c, stored, hasher, e);
    if (err == OK) {
        err = decoder_run(decoder, c->codec, stored, c->stored_len, raw, c->raw_len, e);
    }
    if (err == OK) {
        err = chunk_check_raw(c, raw, hasher, e);
    }
    return err;
}
