// SPDX-License-Identifier: Apache-2.0
// Step 6, the making end: chunks of an image, fetched, decoded and hashed ahead of the one that
// writes them.
//
//     lanes: ranges from the source -> workers: stored hash, decode, raw hash -> pipeline_take()
//     a lane: the delta pack  -> workers: stored hash, read window, decode, raw hash -^
//                      seeds.h says where -> workers: read, raw hash -^
//
// The one that writes says which chunks it will take, and takes them in target order. Threads work
// ahead of it as far as memory goes; without threads each chunk is made when it is taken. What it
// has synced is read back from the medium: by workers that have nothing else to do, or at once.
//
// Invariants
// 1. What is taken, and in which order, does not depend on the number of threads, nor on which of
//    them was quicker. So neither does anything that is written; but which deltas were still made
//    when their pack failed, and which are fetched instead, is a matter of time.
// 2. A piece that is `made` was hashed where it stands.
// 3. Memory is allocated by pipeline_new() and when threads start, and by nothing in between but
//    the chunk that was tried, the window of a delta pack (512 KiB) and some 30 KiB for each delta
//    in libzstd: two rings, whose size follows from the longest chunk of the image.
// 4. At most FETCH_IN_FLIGHT_MAX bytes are asked for and not yet taken (or one chunk a lane, where
//    chunks are that long).
// 5. The first lane is the source itself, with its retries, and tells what is wrong with it. The
//    others are there for speed: one that fails hands its range back and rests, so that a server
//    that serves one connection at a time is served by one.
// 6. A delta pack has a lane of its own, which ends when it fails, or when the first lane does: no
//    chunk depends on it, and then the image is tried once more without it.
#ifndef UPDATER_PIPELINE_H
#define UPDATER_PIPELINE_H

#include "base/cleanup.h"
#include "format/image.h"
#include "updater/deltas.h"
#include "updater/seeds.h"
#include "updater/source.h"

enum { PIPELINE_WORKERS_MAX = 8, PIPELINE_LANES_MAX = 6 };

struct pipeline;

struct pipeline_options {
    unsigned workers; // threads that decode; 0: no thread at all is started, and one lane is enough
    unsigned lanes;   // ranges that are fetched side by side; 1..PIPELINE_LANES_MAX
    // What is written to, with what is held back of it; NULL: nothing is read back here.
    const struct slot *slot;
    const struct heads *heads;
};

// `source`, `image` (with its table), slot and heads outlive it.
MUST_CHECK enum err pipeline_new(struct source *source, const struct image *image,
                                 const struct pipeline_options *options, struct pipeline **ret,
                                 struct error *e);
void pipeline_free(struct pipeline *p);
DEFINE_CLEANUP(pipeline, struct pipeline *, pipeline_free)

// Of CHUNK_RAW_MAX bytes at least, aligned; the caller's while nothing is begun or nothing taken.
uint8_t *pipeline_scratch(struct pipeline *p);

enum piece_from {
    PIECE_FETCHED, // from the source
    PIECE_DELTA,   // from the delta pack, and what the running slot has
    PIECE_COPIED,  // from a seed
    PIECE_TAKERS,  // the taker makes it himself
};

// The chunks that will be taken, in target order (no zeros), and where each is to come from. Then
// nothing more is added until pipeline_end(), which seeds and deltas (NULL: none) outlive. Nothing
// is fetched yet.
void pipeline_want(struct pipeline *p, uint32_t index, enum piece_from from);
void pipeline_begin(struct pipeline *p, const struct seeds *seeds, const struct deltas *deltas);
bool pipeline_has_begun(const struct pipeline *p);

// Fetches and verifies the first chunk that comes from the source, which is not fetched again.
MUST_CHECK enum err pipeline_try_first(struct pipeline *p, struct error *e);

struct piece {
    uint8_t *raw; // BLK_ALIGN-aligned, as long as the chunk; good until the next pipeline_take()
    enum piece_from from;
    uint32_t fetched_len; // bytes that came for it
    bool made; // else seed or delta did not lead to it, or it is the taker's: `raw` is to be filled
};

// Chunk `index` is the next one of those to be taken. ERR_FORMAT: not what the image says.
MUST_CHECK enum err pipeline_take(struct pipeline *p, uint32_t index, struct piece *ret,
                                  struct error *e);

// All chunks before `end` are in the slot and on the medium, and no block of them is written again
// until pipeline_end(): they are read back, and compared with what was hashed when they were made.
// What was taken is no longer used.
void pipeline_synced(struct pipeline *p, uint32_t end);

// All was taken, or no more will be: stops the threads, after they have read back what there is.
void pipeline_end(struct pipeline *p);

// After pipeline_end(): why the deltas were given up since the last pipeline_begin(), once they
// were for good. NULL: they were not.
const char *pipeline_lost_deltas(const struct pipeline *p);

// Why no thread could be started since the last pipeline_begin(), where some were wanted. NULL:
// they could.
const char *pipeline_lost_threads(const struct pipeline *p);

// Chunks that were read back since the last pipeline_begin() and are right. Good until the next.
const struct chunk_set *pipeline_verified(const struct pipeline *p);

#endif
