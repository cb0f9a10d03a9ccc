// SPDX-License-Identifier: Apache-2.0
// zlib then takes its input as const.
#define ZLIB_CONST

#include "format/codec.h"

#include "format/zstd_frame.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    ZLIB_LEVEL_DEFAULT = 6,
    ZSTD_LEVEL_DEFAULT = 12, // what the measured download sizes were made with
    ZSTD_WINDOW_LOG = 20,    // log2 of CHUNK_RAW_MAX
    // zlib asks for its state at once and for its 32 KiB window during the first chunk that does
    // not end where it should. Both come from here, so that memory is settled in decoder_new().
    INFLATE_ARENA = 64 * 1024,
};

static const char *const codec_names[] = {"raw", "zlib", "zstd", "zero"};

const char *codec_name(enum codec codec)
{
    return codec_names[codec];
}

bool codec_from_name(const char *name, enum codec *ret)
{
    for (size_t i = 0; i < sizeof(codec_names) / sizeof(codec_names[0]); i++) {
        if (strcmp(name, codec_names[i]) == 0) {
            *ret = (enum codec)i;
            return true;
        }
    }
    return false;
}

// --- Decoder ---

struct decoder {
    ZSTD_DCtx *zstd;
    z_stream inflate;
    bool inflate_ready;
    size_t arena_used;
    _Alignas(max_align_t) uint8_t arena[INFLATE_ARENA];
};

static voidpf arena_alloc(voidpf opaque, uInt items, uInt size)
{
    struct decoder *d = opaque;
    size_t align = _Alignof(max_align_t);
    size_t room = INFLATE_ARENA - d->arena_used;
    size_t bytes;
    if (__builtin_mul_overflow((size_t)items, (size_t)size, &bytes) || bytes > room - align) {
        return Z_NULL;
    }
    void *at = d->arena + d->arena_used;
    d->arena_used += (bytes + align - 1) / align * align;
    return at;
}

static void arena_free(voidpf opaque, voidpf address)
{
    (void)opaque;
    (void)address;
}

static enum err open_unzstd(struct decoder *d, struct error *e)
{
    d->zstd = ZSTD_createDCtx();
    if (d->zstd == NULL) {
        return fail_memory(e);
    }
    size_t set = ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    if (ZSTD_isError(set)) {
        return fail(e, ERR_INTERNAL, 0, "zstd decoder: %s", ZSTD_getErrorName(set));
    }
    return OK;
}

static enum err open_inflate(struct decoder *d, struct error *e)
{
    d->inflate = (z_stream){.zalloc = arena_alloc, .zfree = arena_free, .opaque = d};
    if (inflateInit(&d->inflate) != Z_OK) {
        return fail(e, ERR_INTERNAL, 0, "zlib decoder: it needs more than %d bytes of memory",
                    INFLATE_ARENA);
    }
    d->inflate_ready = true;
    return OK;
}

enum err decoder_new(struct decoder **ret, struct error *e)
{
    CLEANUP(cleanup_decoder) struct decoder *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return fail_memory(e);
    }
    enum err err = open_unzstd(d, e);
    if (err == OK) {
        err = open_inflate(d, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(d);
    }
    return err;
}

void decoder_free(struct decoder *d)
{
    if (d == NULL) {
        return;
    }
    if (d->inflate_ready) {
        inflateEnd(&d->inflate);
    }
    ZSTD_freeDCtx(d->zstd);
    free(d);
}

static enum err decode_raw(const uint8_t *stored, size_t stored_len, uint8_t *raw, size_t raw_len,
                           struct error *e)
{
    if (stored_len != raw_len) {
        return fail(e, ERR_FORMAT, 0, "raw chunk: %zu bytes, expected %zu", stored_len, raw_len);
    }
    memcpy(raw, stored, raw_len);
    return OK;
}

static enum err refuse_inflate(const z_stream *z, int status, size_t raw_len, struct error *e)
{
    if (status == Z_NEED_DICT) {
        return fail(e, ERR_FORMAT, 0, "zlib chunk: it needs a dictionary");
    }
    if (status == Z_DATA_ERROR) {
        return fail(e, ERR_FORMAT, 0, "zlib chunk: %s", z->msg != NULL ? z->msg : "damaged");
    }
    if (status != Z_OK && status != Z_BUF_ERROR) {
        return fail(e, ERR_INTERNAL, 0, "zlib chunk: status %d", status);
    }
    if (z->avail_in == 0) {
        return fail(e, ERR_FORMAT, 0, "zlib chunk: it ends early");
    }
    return fail(e, ERR_FORMAT, 0, "zlib chunk: it decodes to more than %zu bytes", raw_len);
}

static enum err decode_zlib(struct decoder *d, const uint8_t *stored, size_t stored_len,
                            uint8_t *raw, size_t raw_len, struct error *e)
{
    z_stream *z = &d->inflate;
    if (inflateReset(z) != Z_OK) {
        return fail(e, ERR_INTERNAL, 0, "zlib chunk: the decoder cannot be reset");
    }
    z->next_in = stored;
    z->avail_in = (uInt)stored_len;
    z->next_out = raw;
    z->avail_out = (uInt)raw_len;
    int status = inflate(z, Z_FINISH);
    if (status != Z_STREAM_END) {
        return refuse_inflate(z, status, raw_len, e);
    }
    if (z->total_out != raw_len) {
        return fail(e, ERR_FORMAT, 0, "zlib chunk: it decodes to %lu bytes, expected %zu",
                    z->total_out, raw_len);
    }
    if (z->avail_in != 0) {
        return fail(e, ERR_FORMAT, 0, "zlib chunk: %u bytes are left over behind it", z->avail_in);
    }
    return OK;
}

// The frame was checked.
static enum err decode_frame(struct decoder *d, const uint8_t *stored, size_t stored_len,
                             uint8_t *raw, size_t raw_len, struct error *e)
{
    size_t n = ZSTD_decompressDCtx(d->zstd, raw, raw_len, stored, stored_len);
    if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation) {
        return fail_memory(e);
    }
    // libzstd compares the length with the content size, which is raw_len; believe it, but look.
    if (ZSTD_isError(n) || n != raw_len) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: damaged: %s", ZSTD_getErrorName(n));
    }
    return OK;
}

static enum err decode_zstd(struct decoder *d, const uint8_t *stored, size_t stored_len,
                            uint8_t *raw, size_t raw_len, struct error *e)
{
    enum err err = zstd_frame_check(stored, stored_len, raw_len, CHUNK_RAW_MAX, e);
    return err == OK ? decode_frame(d, stored, stored_len, raw, raw_len, e) : err;
}

enum err decoder_run_delta(struct decoder *d, const uint8_t *window, size_t window_len,
                           const uint8_t *stored, size_t stored_len, uint8_t *raw, size_t raw_len,
                           struct error *e)
{
    if (raw_len < 1 || raw_len > CHUNK_RAW_MAX || stored_len > CHUNK_STORED_MAX || window_len < 1 ||
        window_len > DELTA_WINDOW_MAX) {
        return fail(e, ERR_INTERNAL, 0,
                    "decoder: %zu bytes from %zu with a window of %zu are out of range", raw_len,
                    stored_len, window_len);
    }
    enum err err = zstd_frame_check(stored, stored_len, raw_len, DELTA_FRAME_WINDOW_MAX, e);
    if (err != OK) {
        return err;
    }
    // As content and never as a dictionary of entropy tables, whatever its first bytes are.
    if (ZSTD_isError(ZSTD_DCtx_refPrefix(d->zstd, window, window_len))) {
        return fail_memory(e);
    }
    err = decode_frame(d, stored, stored_len, raw, raw_len, e);
    // Also after a frame that was refused before the prefix was used up: the next one must not see
    // it, and the caller's buffer is referred to, not copied.
    size_t cleared = ZSTD_DCtx_refPrefix(d->zstd, NULL, 0);
    if (err == OK && ZSTD_isError(cleared)) {
        err = fail(e, ERR_INTERNAL, 0, "zstd decoder: %s", ZSTD_getErrorName(cleared));
    }
    return err;
}

enum err decoder_run(struct decoder *d, enum codec codec, const uint8_t *stored, size_t stored_len,
                     uint8_t *raw, size_t raw_len, struct error *e)
{
    if (raw_len < 1 || raw_len > CHUNK_RAW_MAX || stored_len > CHUNK_STORED_MAX) {
        return fail(e, ERR_INTERNAL, 0, "decoder: %zu bytes from %zu are out of range", raw_len,
                    stored_len);
    }
    switch (codec) {
    case CODEC_RAW:
        return decode_raw(stored, stored_len, raw, raw_len, e);
    case CODEC_ZLIB:
        return decode_zlib(d, stored, stored_len, raw, raw_len, e);
    case CODEC_ZSTD:
        return decode_zstd(d, stored, stored_len, raw, raw_len, e);
    case CODEC_ZERO:
        break;
    }
    return fail(e, ERR_INTERNAL, 0, "decoder: codec %d has no stored bytes to decode", codec);
}

// --- Encoder ---

struct encoder {
    enum codec codec;
    ZSTD_CCtx *zstd;
    z_stream deflate;
    bool deflate_ready;
};

static enum err check_level(enum codec codec, int level, int max, struct error *e)
{
    if (level < 0 || level > max) {
        return fail(e, ERR_USAGE, 0, "codec %s: level %d is not allowed, only 0 to %d",
                    codec_name(codec), level, max);
    }
    return OK;
}

static enum err open_zlib(struct encoder *enc, int level, struct error *e)
{
    enum err err = check_level(CODEC_ZLIB, level, Z_BEST_COMPRESSION, e);
    if (err != OK) {
        return err;
    }
    if (deflateInit(&enc->deflate, level == 0 ? ZLIB_LEVEL_DEFAULT : level) != Z_OK) {
        return fail_memory(e);
    }
    enc->deflate_ready = true;
    return OK;
}

static enum err open_zstd(struct encoder *enc, int level, struct error *e)
{
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, level == 0 ? ZSTD_LEVEL_DEFAULT : level},
        {ZSTD_c_windowLog, ZSTD_WINDOW_LOG},
        {ZSTD_c_contentSizeFlag, 1},
        {ZSTD_c_checksumFlag, 0},
        {ZSTD_c_dictIDFlag, 0},
    };
    enum err err = check_level(CODEC_ZSTD, level, ZSTD_maxCLevel(), e);
    if (err != OK) {
        return err;
    }
    enc->zstd = ZSTD_createCCtx();
    if (enc->zstd == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        size_t set = ZSTD_CCtx_setParameter(enc->zstd, settings[i].parameter, settings[i].value);
        if (ZSTD_isError(set)) {
            return fail(e, ERR_INTERNAL, 0, "zstd encoder: %s", ZSTD_getErrorName(set));
        }
    }
    return OK;
}

enum err encoder_new(enum codec codec, int level, struct encoder **ret, struct error *e)
{
    CLEANUP(cleanup_encoder) struct encoder *enc = calloc(1, sizeof(*enc));
    if (enc == NULL) {
        return fail_memory(e);
    }
    enc->codec = codec;
    enum err err = OK;
    switch (codec) {
    case CODEC_RAW:
        err = check_level(CODEC_RAW, level, 0, e);
        break;
    case CODEC_ZLIB:
        err = open_zlib(enc, level, e);
        break;
    case CODEC_ZSTD:
        err = open_zstd(enc, level, e);
        break;
    case CODEC_ZERO:
        err = fail(e, ERR_USAGE, 0,
                   "codec zero: zero chunks are found by themselves; choose raw, "
                   "zlib or zstd");
        break;
    }
    if (err == OK) {
        *ret = TAKE_PTR(enc);
    }
    return err;
}

void encoder_free(struct encoder *enc)
{
    if (enc == NULL) {
        return;
    }
    if (enc->deflate_ready) {
        deflateEnd(&enc->deflate);
    }
    ZSTD_freeCCtx(enc->zstd);
    free(enc);
}

// Both encoders get less room than the raw chunk takes: what does not fit is not worth coding, and
// `*ret_len` stays 0 for it.
static enum err encode_zlib(struct encoder *enc, const uint8_t *raw, size_t raw_len,
                            uint8_t *stored, size_t *ret_len, struct error *e)
{
    z_stream *z = &enc->deflate;
    if (deflateReset(z) != Z_OK) {
        return fail(e, ERR_INTERNAL, 0, "zlib encoder: it cannot be reset");
    }
    z->next_in = raw;
    z->avail_in = (uInt)raw_len;
    z->next_out = stored;
    z->avail_out = (uInt)(raw_len - 1);
    int status = deflate(z, Z_FINISH);
    if (status == Z_STREAM_END) {
        *ret_len = z->total_out;
        return OK;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) {
        return fail(e, ERR_INTERNAL, 0, "zlib encoder: status %d", status);
    }
    return OK;
}

static enum err encode_zstd(struct encoder *enc, const uint8_t *raw, size_t raw_len,
                            uint8_t *stored, size_t *ret_len, struct error *e)
{
    size_t n = ZSTD_compress2(enc->zstd, stored, raw_len - 1, raw, raw_len);
    if (!ZSTD_isError(n)) {
        *ret_len = n;
        return OK;
    }
    if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall) {
        return fail(e, ERR_INTERNAL, 0, "zstd encoder: %s", ZSTD_getErrorName(n));
    }
    return OK;
}

enum err encoder_run(struct encoder *enc, const uint8_t *raw, size_t raw_len, uint8_t *stored,
                     size_t *ret_stored_len, enum codec *ret_codec, struct error *e)
{
    if (raw_len < 1 || raw_len > CHUNK_RAW_MAX) {
        return fail(e, ERR_INTERNAL, 0, "encoder: a chunk of %zu bytes is out of range", raw_len);
    }
    if (raw[0] == 0 && memcmp(raw, raw + 1, raw_len - 1) == 0) {
        *ret_stored_len = 0;
        *ret_codec = CODEC_ZERO;
        return OK;
    }
    size_t coded_len = 0;
    enum err err = OK;
    if (enc->codec == CODEC_ZLIB) {
        err = encode_zlib(enc, raw, raw_len, stored, &coded_len, e);
    } else if (enc->codec == CODEC_ZSTD) {
        err = encode_zstd(enc, raw, raw_len, stored, &coded_len, e);
    }
    if (err != OK) {
        return err;
    }
    if (coded_len == 0) {
        memcpy(stored, raw, raw_len);
    }
    *ret_stored_len = coded_len == 0 ? raw_len : coded_len;
    *ret_codec = coded_len == 0 ? CODEC_RAW : enc->codec;
    return OK;
}
