// SPDX-License-Identifier: Apache-2.0
// `vv-image verify` of a delta pack: what a device checks of it without the two images, and all of
// its payload.
#ifndef IMAGE_TOOLS_VERIFY_PACK_H
#define IMAGE_TOOLS_VERIFY_PACK_H

#include "format/pack.h"
#include "image-tools/image_file.h"
#include "image-tools/verify.h"

struct verify_pack_result {
    struct pack *pack; // pack_free()
    uint64_t file_bytes;
    struct signer_name signers[SIGNATURE_RECORDS_MAX];
    size_t signer_count;
};

// Header, pads, signatures, manifest, table, the stored hash of every delta. `f` is of kind
// FILE_PACK. ERR_TRUST or ERR_FORMAT say what is wrong first.
MUST_CHECK enum err verify_pack(const struct image_file *f, const struct verify_request *r,
                                struct verify_pack_result *ret, struct error *e);

#endif
