// SPDX-License-Identifier: Apache-2.0
// Step 1: what an image is, from a source: its head, verified before it is parsed, and its chunk
// table.
//
// Invariants
// 1. Nothing of the head is used before its signatures hold by this device's trust settings, but
//    the sizes in the header, which are consistent by then.
// 2. The table is fetched only by its own call, so that policy comes in between.
#ifndef UPDATER_RELEASE_H
#define UPDATER_RELEASE_H

#include "format/image.h"
#include "format/pack.h"
#include "updater/device.h"
#include "updater/source.h"

// The first range: usually header, manifest and signatures. What it does not have of them, and the
// table, is asked for when its size is known: no byte in vain, but for an image smaller than this.
enum { RELEASE_FIRST_RANGE = 16 * 1024 };

// `*ret` has no table yet.
MUST_CHECK enum err release_fetch_head(struct device *d, struct source *source, struct image **ret,
                                       struct error *e);
// Directly after release_fetch_head(): reads on to the payload. What is left of the range stays
// with the source, which goes on with it when the payload is asked for.
MUST_CHECK enum err release_fetch_table(struct device *d, struct source *source,
                                        struct image *image, struct error *e);

struct pack_order {
    const struct image *target; // with its table
    const struct image *base;   // its head
    uint64_t most_bytes;        // for head and table
};
// A delta pack, head and table. Signed like an image; ERR_FORMAT when it is for others,
// ERR_TOO_LARGE when it is more than ordered.
MUST_CHECK enum err release_fetch_pack(struct device *d, struct source *source,
                                       const struct pack_order *order, struct pack **ret,
                                       struct error *e);

// When the first of the certificates that signed it ends: seconds since 1970.
MUST_CHECK enum err release_signer_not_after(struct device *d, const struct image *image,
                                             uint64_t *ret_s, struct error *e);

struct release_id release_id_of(const struct image *image);

#endif
