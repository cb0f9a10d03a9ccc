// SPDX-License-Identifier: Apache-2.0
// What a zstd frame says in its header, before anything is decoded. Rules: docs/image-format.md,
// "Codecs"; docs/delta-pack.md, "Stored bytes".
#ifndef FORMAT_ZSTD_FRAME_H
#define FORMAT_ZSTD_FRAME_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

// One frame, not skippable, that fills `stored` exactly, says that its content is `raw_len` bytes,
// names no dictionary and has a window of at most `window_max` bytes. ERR_FORMAT says what is not
// so.
MUST_CHECK enum err zstd_frame_check(const uint8_t *stored, size_t stored_len, size_t raw_len,
                                     uint32_t window_max, struct error *e);

#endif
