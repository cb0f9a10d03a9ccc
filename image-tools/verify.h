// SPDX-License-Identifier: Apache-2.0
// `vv-image verify`: everything a device would check, and the whole payload. Of a delta pack:
// image-tools/verify_pack.h.
#ifndef IMAGE_TOOLS_VERIFY_H
#define IMAGE_TOOLS_VERIFY_H

#include "base/command.h"
#include "base/progress.h"
#include "format/image.h"
#include "image-tools/image_file.h"
#include "keys/trust.h"

#include <stdint.h>

extern const struct option_spec verify_option_specs[];

struct verify_request {
    const struct trust_store *store;
    unsigned signers;    // how many distinct keys must have signed
    uint64_t time_floor; // seconds since 1970; what expires is compared with it
    unsigned jobs;
};

struct verify_result {
    struct image *image; // image_free()
    uint64_t file_bytes;
    struct signer_name signers[SIGNATURE_RECORDS_MAX];
    size_t signer_count;
};

// Header, pads, signatures, manifest, chunk table, every stored and every raw chunk, exact length.
// ERR_TRUST or ERR_FORMAT say what is wrong first; an image past its not_after is ERR_TRUST.
MUST_CHECK enum err verify_image(const struct image_file *f, const struct verify_request *r,
                                 struct progress *progress, struct verify_result *ret,
                                 struct error *e);

// Who signed a head that was verified; `ret` has room for SIGNATURE_RECORDS_MAX.
MUST_CHECK enum err verify_list_signers(const uint8_t *head, const struct header *h,
                                        const struct verify_request *r, struct signer_name *ret,
                                        size_t *ret_count, struct error *e);

// `context` is a struct tool.
MUST_CHECK enum err verb_verify(void *context, const struct parsed *args, struct error *e);

#endif
