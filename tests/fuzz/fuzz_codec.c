// SPDX-License-Identifier: Apache-2.0
// decoder_run(): never writes past the raw length; encoder_run() and decoder_run() undo each
// other.
#include "format/codec.h"

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void decode(struct decoder *d, enum codec codec, const uint8_t *data, size_t size,
                   size_t raw_len)
{
    struct error e;
    // Of exactly that size, so that the address sanitizer sees one byte more.
    uint8_t *raw = malloc(raw_len);
    fuzz_must(raw != NULL);
    enum err err = decoder_run(d, codec, data, size, raw, raw_len, &e);
    fuzz_must(err == OK || err == ERR_FORMAT);
    free(raw);
}

// Codes `data` and decodes it again; then once more with one stored byte changed, which must not
// be called anything but a success or a refusal.
static void round_trip(struct decoder *d, enum codec codec, uint8_t spoil, const uint8_t *data,
                       size_t size)
{
    struct error e;
    struct encoder *enc = NULL;
    size_t stored_len = 0;
    enum codec used;
    uint8_t *stored = malloc(size + CHUNK_STORED_SLACK);
    uint8_t *raw = calloc(1, size);
    fuzz_must(stored != NULL && raw != NULL);
    fuzz_must(encoder_new(codec, 1, &enc, &e) == OK);
    fuzz_must(encoder_run(enc, data, size, stored, &stored_len, &used, &e) == OK);
    fuzz_must(stored_len <= size);
    if (used != CODEC_ZERO) {
        fuzz_must(decoder_run(d, used, stored, stored_len, raw, size, &e) == OK);
    }
    fuzz_must(memcmp(raw, data, size) == 0);
    if (used == codec) {
        stored[data[0] % stored_len] ^= spoil;
        decode(d, codec, stored, stored_len, size);
        decode(d, codec, stored, stored_len, size - 1 + data[0] % 3u);
    }
    encoder_free(enc);
    free(stored);
    free(raw);
}

// Byte 0 chooses what is done, bytes 1 to 3 the raw length, the rest is the chunk.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error e;
    if (size < 5) {
        return 0;
    }
    struct decoder *d = NULL;
    fuzz_must(decoder_new(&d, &e) == OK);
    size_t raw_len = (fuzz_get_u32(data) >> 8) % CHUNK_RAW_MAX + 1;
    enum codec codec = (enum codec)(data[0] % 3);
    if ((data[0] & 0x80) == 0) {
        decode(d, codec, data + 4, size - 4, raw_len);
    } else if (codec != CODEC_RAW) {
        round_trip(d, codec, data[1], data + 4, size - 4);
    }
    decoder_free(d);
    return 0;
}
