// SPDX-License-Identifier: Apache-2.0
// `vv-image sign`: adds one signature to an image or a delta pack; "image" below is either.
//
// Invariants
// 1. After a cut at any point the path leads to the image without the signature or with it, whole.
// 2. Only bytes of the signature area change.
// 3. Of two that sign the same file at once, one is refused (ERR_AGAIN); no signature is lost.
#ifndef IMAGE_TOOLS_SIGN_H
#define IMAGE_TOOLS_SIGN_H

#include "base/command.h"
#include "keys/sign.h"

#include <stdint.h>

extern const struct option_spec sign_option_specs[];

// What one signature took and what is left.
struct sign_result {
    size_t signature_bytes;
    size_t records;    // in the area now
    size_t room_bytes; // behind them
};

// ERR_FORMAT: not a whole, consistent image, or no room. ERR_TRUST: this key has signed it already,
// or the image was created after the certificate ends, so that no device would take it.
MUST_CHECK enum err sign_image(const char *path, const struct signer *signer,
                               struct sign_result *ret, struct error *e);

// `context` is a struct tool.
MUST_CHECK enum err verb_sign(void *context, const struct parsed *args, struct error *e);

#endif
