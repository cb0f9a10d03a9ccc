// SPDX-License-Identifier: Apache-2.0
// The source seam: where the bytes of an image come from.
//
// Invariants
// 1. start() names the range wanted next; read() hands out its bytes in order, exactly as many as
//    asked for or an error. What read() hands out is unverified.
// 2. Reading past the end of the file is ERR_FORMAT ("the file ends at ..."), never a short read.
// 3. A lost connection is mended inside (bounded retries with back-off): ERR_NETWORK is final.
// 4. A file that was changed between two answers is noticed, where a server tells versions apart:
//    ERR_NETWORK.
// 5. No more than the range asked for is requested from a server that honours ranges.
#ifndef UPDATER_SOURCE_H
#define UPDATER_SOURCE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_SIZE_UNKNOWN UINT64_MAX

struct byte_budget;
struct source;

struct source_ops {
    MUST_CHECK enum err (*start)(struct source *s, uint64_t off_bytes, uint64_t len_bytes,
                                 struct error *e);
    MUST_CHECK enum err (*read)(struct source *s, void *buf, size_t len, struct error *e);
    // Tells the source how long the file must be; ERR_FORMAT when it knows better, now or later.
    MUST_CHECK enum err (*expect_size)(struct source *s, uint64_t file_size, struct error *e);
    void (*cancel)(struct source *s); // gives up the current range; start() may follow
    void (*close)(struct source *s);
    // Another source of the same file, for ranges to be fetched beside this one; NULL: there is
    // none to be had. See source_clone().
    MUST_CHECK enum err (*clone)(struct source *s, const atomic_bool *interrupted,
                                 struct source **ret, struct error *e);
    void (*watch)(struct source *s, const atomic_bool *interrupted); // NULL: it never waits
    // Both NULL: the file has no versions that could be told apart. See source_unless().
    MUST_CHECK enum err (*unless)(struct source *s, const char *version, struct error *e);
    void (*version)(const struct source *s, char *buf, size_t size);
    // The file with `suffix` behind the name of this one; NULL: there are no files beside it.
    MUST_CHECK enum err (*beside)(struct source *s, const char *suffix, struct source **ret,
                                  struct error *e);
    bool (*changed)(const struct source *s); // NULL: read() tells
};

struct source {
    const struct source_ops *ops;
    const char *name;       // for messages, without credentials; lives as long as the source
    uint64_t size_bytes;    // of the whole file; SOURCE_SIZE_UNKNOWN until the first start()
    uint64_t fetched_bytes; // body bytes that came in, discarded ones included
    uint64_t requests;      // requests sent; 0 for a file
    // Of the last of them: the status of the answer, 0: none came; and for how long the server asks
    // to be left alone, 0: it does not.
    unsigned http_status;
    uint64_t retry_after_ms;
    // The same of its clones, as far as they were closed.
    uint64_t others_fetched_bytes, others_requests;
    // Of what comes over a network, and outlives the source. Used up: ERR_NOT_NOW. NULL: none.
    struct byte_budget *budget;
};

MUST_CHECK enum err source_start(struct source *s, uint64_t off_bytes, uint64_t len_bytes,
                                 struct error *e);
MUST_CHECK enum err source_read(struct source *s, void *buf, size_t len, struct error *e);
MUST_CHECK enum err source_expect_size(struct source *s, uint64_t file_size, struct error *e);
// A clone knows what is known of the file by now (its size, and which version of it is read), does
// not try anything again that failed, and takes nothing but the range it asked for. It may be used
// in another thread. ERR_NOT_NOW: there is none to be had, or the server sends whole files only.
// `interrupted` as in source_watch().
MUST_CHECK enum err source_clone(struct source *s, const atomic_bool *interrupted,
                                 struct source **ret, struct error *e);
// From now on start() and read() give up soon after `*interrupted` became true, with ERR_NETWORK.
// NULL: nobody interrupts any more.
void source_watch(struct source *s, const atomic_bool *interrupted);
// The file that stands beside this one, under its name with `suffix` behind it. It shares limits
// and budget. Whether there is one may show only when it is read: ERR_IO or ERR_NETWORK with
// e->sys == ENOENT says that there is none.
MUST_CHECK enum err source_beside(struct source *s, const char *suffix, struct source **ret,
                                  struct error *e);
// The file was written to since the source was opened: what does not fit of what was read is no
// wonder.
bool source_changed(const struct source *s);
// Before the first start(): it fails, without a byte of the file, if the file still is `version`,
// and source_is_unchanged() is true of the error. A version that says nothing to this source is
// none.
MUST_CHECK enum err source_unless(struct source *s, const char *version, struct error *e);
bool source_is_unchanged(const struct error *e);
// A name for what has been read, one line of `size` bytes at most with its end: the file was not
// changed as long as it has the same one. "": it has none, or nothing was read.
void source_version(const struct source *s, char *buf, size_t size);
void source_cancel(struct source *s);
void source_close(struct source *s);

// ERR_NETWORK: another try may find a file that stays as it is.
enum err source_fail_changed(struct error *e);
// For sources: ERR_FORMAT in the words that all of them use.
enum err source_fail_past_end(uint64_t size, uint64_t wanted, struct error *e);
enum err source_fail_size(uint64_t size, uint64_t expected, struct error *e);
// And ERR_NOT_NOW: source_is_unchanged().
enum err source_fail_unchanged(struct error *e);

DEFINE_CLEANUP(source, struct source *, source_close)

#endif
