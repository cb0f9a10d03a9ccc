// SPDX-License-Identifier: Apache-2.0
// What the threads of the pipeline have in common: the chunks on their way, between the one that
// takes them (pipeline.c), the lanes (pipeline_lane.c) and the workers (pipeline_worker.c).
//
// A job is added at the window's end, in target order, with its places in the rings; goes through
// its states in any order beside the others; and is taken at the window's beginning.
//
//     WANTED --lane--> STORED --worker--> AT_WORK --> READY | FAILED
//
// A job whose chunk comes from a seed begins as STORED, one that the taker makes as READY.
//
// Invariants
// 1. While threads run, the window, and all of `struct pipeline` below `lock`, is touched under the
//    lock only. A job's
//    memory belongs to whoever moved it to its state: the lane that has its range while WANTED, the
//    worker while AT_WORK.
// 2. Only the taker adds and removes jobs, and calls the rings.
#ifndef UPDATER_PIPELINE_PARTS_H
#define UPDATER_PIPELINE_PARTS_H

#include "format/codec.h"
#include "updater/fingerprints.h"
#include "updater/pipeline.h"
#include "updater/range_queue.h"
#include "updater/ring.h"
#include "updater/scan.h"

#include <pthread.h>
#include <stdatomic.h>

enum { PIPELINE_WINDOW = 128 };

enum job_state { JOB_WANTED, JOB_STORED, JOB_AT_WORK, JOB_READY, JOB_FAILED };

struct job {
    uint32_t index;
    enum job_state state;
    enum piece_from from;
    bool made;
    struct chunk chunk;
    uint32_t stored_len; // bytes to be fetched
    uint8_t *stored, *raw;
};

enum lane_kind {
    LANE_FIRST, // the source is not the lane's own, and its failure is for good
    LANE_OTHER, // hands its range back
    LANE_DELTA, // of the pack; its failure ends it
};

struct lane {
    struct pipeline *pipeline;
    struct source *source;
    enum lane_kind kind;
    struct range_queue *ranges;
    struct fetcher fetcher;
    bool started; // there is a thread
    pthread_t thread;
    pthread_cond_t wake;
    bool waits;
    bool fetching; // without the lock, for the job of its range's next chunk
    bool ended;    // LANE_DELTA: it uses its source no more
    // Its range, while it has one.
    bool busy;
    struct fetch_range range;
    // After a failure it lets others fetch so many ranges, each time twice as many.
    uint64_t rest, rest_until;
};

// Chunks that are read back in one go are so many at most.
enum { CHECK_CHUNKS_MAX = 64 };

struct worker {
    struct pipeline *pipeline;
    pthread_t thread;
    struct hasher *hasher;
    struct decoder *decoder;
    struct fingerprinter *fingerprinter;
    struct fingerprint print; // of the job it made last
    // To read back with, where that is wanted; `buf` where it has a thread. Without one the memory
    // that jobs are made in is used: the last one was written.
    uint8_t *buf;
    struct chunk_set *differs;
    struct scan_print prints[CHECK_CHUNKS_MAX];
};

struct pipeline {
    const struct chunk_table *table;
    struct pipeline_options options;
    struct source *source;
    struct fetch_map image_map, pack_map;
    size_t lane_count, worker_count; // worker_count: threads that were started
    struct lane lanes[PIPELINE_LANES_MAX];
    struct lane delta_lane;                      // its source is NULL when there is no pack
    struct worker workers[PIPELINE_WORKERS_MAX]; // the first one works without a thread, too
    // Sources give up at once: all of them, that of the pack.
    atomic_bool interrupted, deltas_interrupted;
    bool without_deltas; // they were lost once

    // The taker's.
    bool begun, running;
    bool threads_lost; // they could not be started: `threads_error`
    struct error threads_error;
    struct chunk_set *taken, *fetched, *copied, *patched;
    const struct seeds *seeds;
    const struct deltas *deltas;
    uint8_t *base;   // window of the base, DELTA_WINDOW_MAX bytes; NULL: there are no deltas
    uint32_t cursor; // the next chunk that may have to be added
    size_t enough;   // jobs in the window that keep threads busy
    struct ring stored, raw;
    bool holds; // the window's first job was handed out

    // Written before threads start, and by the first lane then.
    uint32_t tried;
    uint8_t *tried_stored; // NULL: none

    pthread_mutex_t lock;
    pthread_cond_t work; // a job is STORED, or something is to be read back
    pthread_cond_t done; // the window's first job is READY, or all was read back, or a failure
    struct job window[PIPELINE_WINDOW];
    size_t first, count;
    // What is to be read back: [check_next, check_end).
    uint32_t check_next, check_end;
    size_t checks; // under way
    struct fingerprint_key print_key;
    struct fingerprints *prints; // of what was made and hashed
    struct chunk_set *verified;
    struct range_queue ranges, delta_ranges;
    uint64_t ranges_done;
    bool base_taken;  // by a worker
    bool deltas_lost; // they are fetched from the image; `lost_why` says why
    char lost_why[160];
    uint32_t deltas_made, deltas_wrong;
    bool stop;
    bool failed; // for good, `error` says why
    struct error error;
};

// The job of chunk `index`, NULL: it is not in the window. Under the lock.
struct job *pipeline_find(struct pipeline *p, uint32_t index);
// Something went wrong for good. Under the lock.
void pipeline_fail(struct pipeline *p, uint32_t index, const struct error *e);

void lane_init(struct lane *l, struct pipeline *p, struct source *source, enum lane_kind kind);
void *lane_main(void *lane);
// Fetches the chunk of `j` in the caller's thread.
MUST_CHECK enum err lane_fetch_alone(struct lane *l, const struct job *j, struct error *e);
// Under the lock: there may be something to do for it.
void lane_wake(struct lane *l);
// Under the lock: no deltas come any more.
void lane_lose_deltas(struct pipeline *p, const char *why);

// What it has already stays.
MUST_CHECK enum err worker_init(struct worker *w, struct pipeline *p, struct error *e);
void worker_clear(struct worker *w);
void *worker_main(void *worker);
// Stored bytes, or what a seed has, to verified raw bytes. A seed that has something else, and a
// delta that does not lead there, is no error: j->made says so.
MUST_CHECK enum err worker_make(struct worker *w, struct job *j, struct error *e);
// Under the lock, after worker_make().
void worker_has_made(struct worker *w, const struct job *j);

enum { CHECK_BUF_SIZE = 128 * 1024 };
// What a worker needs to read back, and its buffer where it has a thread.
MUST_CHECK enum err check_init(struct worker *w, struct error *e);
MUST_CHECK enum err check_init_buf(struct worker *w, struct error *e);
void check_clear(struct worker *w);
bool checks_are_wanted(const struct pipeline *p);
// Under the lock, which is let go meanwhile: reads back a few chunks. False: there are none.
bool check_some(struct worker *w);
// So much waits to be read back that it comes first.
bool checks_are_behind(const struct pipeline *p);
bool checks_are_done(const struct pipeline *p);

// All threads, or none and an error.
MUST_CHECK enum err threads_start(struct pipeline *p, struct error *e);
// However they are: a source that is being waited for gives up.
void threads_stop(struct pipeline *p);

#endif
