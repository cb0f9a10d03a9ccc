// SPDX-License-Identifier: Apache-2.0
#include "format/zstd_frame.h"

#include "base/cursor.h"

#include <inttypes.h>
#include <zstd.h>

// RFC 8878, 3.1.1.1. The stable part of libzstd tells the content size, but neither the window nor
// whether there is a dictionary field; these stand in the two bytes behind the magic number.
static enum err check_descriptor(const uint8_t *stored, size_t stored_len, uint32_t window_max,
                                 struct error *e)
{
    struct cursor c = cursor_over(stored, stored_len);
    uint32_t magic;
    uint8_t descriptor;
    uint8_t window;
    if (!cursor_u32(&c, &magic) || magic != ZSTD_MAGICNUMBER) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: it does not begin with a zstd frame");
    }
    if (!cursor_u8(&c, &descriptor) || !cursor_u8(&c, &window)) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: its header is cut short");
    }
    if ((descriptor & 0x03) != 0) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: it needs a dictionary");
    }
    bool single_segment = (descriptor & 0x20) != 0;
    if (single_segment) {
        return OK; // no window byte: the window is the content, whose size is checked
    }
    uint64_t base = UINT64_C(1) << (10 + (window >> 3));
    uint64_t size = base + base / 8 * (window & 7);
    if (size > window_max) {
        return fail(e, ERR_FORMAT, 0,
                    "zstd chunk: its window is %" PRIu64 " bytes, at most %" PRIu32, size,
                    window_max);
    }
    return OK;
}

enum err zstd_frame_check(const uint8_t *stored, size_t stored_len, size_t raw_len,
                          uint32_t window_max, struct error *e)
{
    enum err err = check_descriptor(stored, stored_len, window_max, e);
    if (err != OK) {
        return err;
    }
    unsigned long long content = ZSTD_getFrameContentSize(stored, stored_len);
    if (content == ZSTD_CONTENTSIZE_UNKNOWN) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: the frame does not say its content size");
    }
    if (content == ZSTD_CONTENTSIZE_ERROR) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: its frame header is damaged");
    }
    if (content != raw_len) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: its content size is %llu bytes, expected %zu",
                    content, raw_len);
    }
    size_t frame = ZSTD_findFrameCompressedSize(stored, stored_len);
    if (ZSTD_isError(frame)) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: its blocks do not end within its %zu bytes",
                    stored_len);
    }
    if (frame != stored_len) {
        return fail(e, ERR_FORMAT, 0, "zstd chunk: %zu bytes are left over behind it",
                    stored_len - frame);
    }
    return OK;
}
