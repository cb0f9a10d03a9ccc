// SPDX-License-Identifier: Apache-2.0
#include "image-tools/delta_coder.h"

#include <zstd.h>
#include <zstd_errors.h>

enum {
    LEVEL = 19,      // a pack is made once and fetched by a fleet
    WINDOW_LOG = 21, // log2 of DELTA_FRAME_WINDOW_MAX: the window of the base and the chunk
};

struct delta_coder {
    ZSTD_CCtx *zstd;
};

enum err delta_coder_new(struct delta_coder **ret, struct error *e)
{
    static const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, LEVEL}, {ZSTD_c_windowLog, WINDOW_LOG},
        {ZSTD_c_contentSizeFlag, 1},      {ZSTD_c_checksumFlag, 0},
        {ZSTD_c_dictIDFlag, 0},
    };
    CLEANUP(cleanup_delta_coder) struct delta_coder *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return fail_memory(e);
    }
    c->zstd = ZSTD_createCCtx();
    if (c->zstd == NULL) {
        return fail_memory(e);
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        size_t set = ZSTD_CCtx_setParameter(c->zstd, settings[i].parameter, settings[i].value);
        if (ZSTD_isError(set)) {
            return fail(e, ERR_INTERNAL, 0, "zstd encoder: %s", ZSTD_getErrorName(set));
        }
    }
    *ret = TAKE_PTR(c);
    return OK;
}

void delta_coder_free(struct delta_coder *c)
{
    if (c == NULL) {
        return;
    }
    ZSTD_freeCCtx(c->zstd);
    free(c);
}

enum err delta_coder_run(struct delta_coder *c, const uint8_t *window, size_t window_len,
                         const uint8_t *raw, size_t raw_len, uint8_t *stored, size_t room,
                         size_t *ret_len, struct error *e)
{
    // A frame that did not fit is still under way.
    size_t n = ZSTD_CCtx_reset(c->zstd, ZSTD_reset_session_only);
    if (!ZSTD_isError(n)) {
        n = ZSTD_CCtx_refPrefix(c->zstd, window, window_len);
    }
    if (!ZSTD_isError(n)) {
        n = ZSTD_compress2(c->zstd, stored, room, raw, raw_len);
    }
    if (!ZSTD_isError(n)) {
        *ret_len = n;
        return OK;
    }
    if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall) {
        *ret_len = 0;
        return OK;
    }
    return fail(e, ERR_INTERNAL, 0, "zstd encoder: %s", ZSTD_getErrorName(n));
}
