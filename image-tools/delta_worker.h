// SPDX-License-Identifier: Apache-2.0
// The delta of one chunk: finds windows of the base, codes the chunk against each, keeps the
// smallest, and decodes it again.
//
// Invariants
// 1. The result depends on the two images and the version of libzstd only.
// 2. A worker belongs to one thread at a time; index, files and contents are shared.
#ifndef IMAGE_TOOLS_DELTA_WORKER_H
#define IMAGE_TOOLS_DELTA_WORKER_H

#include "format/pack_table.h"
#include "image-tools/base_index.h"

// A delta that saves less is not worth a request of its own and a decoder's time.
enum { DELTA_SAVES_MIN = 64 };

// What all workers share. Everything here must outlive them.
struct delta_images {
    const struct image_file *base_file;
    const struct image_contents *base;
    const struct base_index *index; // of the base
    const struct image_file *target_file;
    const struct image_contents *target;
};

struct delta_worker;

MUST_CHECK enum err delta_worker_new(const struct delta_images *images, struct delta_worker **ret,
                                     struct error *e);
void delta_worker_free(struct delta_worker *w);
DEFINE_CLEANUP(delta_worker, struct delta_worker *, delta_worker_free)

// `chunk`: a record of the target's table with stored bytes of its own. `*ret` is set but for
// stored_off; its stored_len is 0 when no delta is worth it. `ret_stored` has room for
// CHUNK_STORED_MAX bytes.
MUST_CHECK enum err delta_worker_run(struct delta_worker *w, uint32_t chunk,
                                     struct pack_record *ret, uint8_t *ret_stored, struct error *e);

#endif
