// SPDX-License-Identifier: Apache-2.0
// The delta pack of an update, if there is one: chunks of the image that come as what differs from
// the running slot. docs/delta-pack.md.
//
// Invariants
// 1. A pack is never needed. Whatever is wrong with it costs a line in the log and the chunks that
//    are fetched from the image instead.
// 2. It is signed like the image and for it, and for the image that the running slot holds by its
//    record. What is decoded has the raw hash of the image's table.
// 3. Nothing changes after deltas_open(), but for the source.
// 4. Memory: its table, 48 bytes a chunk that it brings (3 MiB at most), and a connection.
// 5. No more is fetched before its first delta than half of what it could save.
#ifndef UPDATER_DELTAS_H
#define UPDATER_DELTAS_H

#include "base/cleanup.h"
#include "format/pack.h"
#include "updater/device.h"
#include "updater/seeds.h"
#include "updater/source.h"

// Less than this is not worth the requests for head and table of a pack.
enum { DELTAS_WORTH = 32 * 1024 };

struct deltas {
    struct source *source; // of the pack
    struct pack *pack;
    const struct image *base; // of the seeds
    const struct seeds *seeds;
};

// Asks for the pack beside the image: IMAGE.from-INDEX.vvd. NULL if there is none that can be used.
// `worth_bytes` is what would be fetched without it. `seeds`, which may be NULL, outlive it.
struct deltas *deltas_open(struct device *d, struct source *image_source, const struct image *image,
                           const struct seeds *seeds, uint64_t worth_bytes);
void deltas_free(struct deltas *x);
DEFINE_CLEANUP(deltas, struct deltas *, deltas_free)

// False: the pack does not bring the chunk. `x` may be NULL: there is no pack.
MUST_CHECK bool deltas_find(const struct deltas *x, uint32_t chunk, struct pack_record *ret);
// The window of a record, r->base_len bytes; unverified.
MUST_CHECK enum err deltas_read_window(const struct deltas *x, const struct pack_record *r,
                                       uint8_t *ret, struct error *e);

#endif
