// SPDX-License-Identifier: Apache-2.0
// Small whole files: read with a bound, replace atomically.
//
// Invariants
// 1. file_replace() leaves the old file or the new one, whole, after a cut at any point:
//    temporary file in the same directory, fsync, rename, fsync of the directory.
// 2. The temporary file of PATH/NAME is PATH/.NAME.new, always, so that what a killed process left
//    is taken away by the next one and never piles up. Hence one writer of a file at a time: the
//    caller sees to that.
// 3. On the device only updater/state_dir.c may call file_replace(); lint checks it.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the whole of `path`, at most `max` bytes (larger: ERR_FORMAT). `*ret_data` is malloced and
// has one NUL behind the data that `*ret_len` does not count. A missing file is ERR_IO with
// sys == ENOENT.
MUST_CHECK enum err file_read(const char *path, size_t max, uint8_t **ret_data, size_t *ret_len,
                              struct error *e);

// Hands the whole of `path` to `take` in order, in pieces of FILE_PIECE_BYTES (the last one may be
// shorter), so that it need not stand in memory. An error of `take` ends it and is returned. A
// missing file as with file_read().
enum { FILE_PIECE_BYTES = 16 * 1024 };
typedef enum err (*file_taker)(void *context, const uint8_t *piece, size_t len, struct error *e);
MUST_CHECK enum err file_each(const char *path, file_taker take, void *context, struct error *e);

// A piece of what a file is to hold, so that it need not stand in one buffer.
struct file_part {
    const void *data;
    size_t len;
};

// The file becomes the parts, one behind the other. `mode` is the mode of a new file, e.g. 0600; it
// applies to the replaced file too.
MUST_CHECK enum err file_replace(const char *path, const struct file_part *parts, size_t count,
                                 unsigned mode, struct error *e);
// Shows that file_replace() would find room: writes and syncs the temporary file, and removes it.
MUST_CHECK enum err file_try_replace(const char *path, const struct file_part *parts, size_t count,
                                     struct error *e);
// Whether the file holds just these parts. A missing one does not, nor does what is no file of its
// own, such as a link, a FIFO or a directory, whatever is in it; none is waited for.
MUST_CHECK enum err file_holds(const char *path, const struct file_part *parts, size_t count,
                               bool *ret_same, struct error *e);

// Takes a name out of its directory, e.g. that of a socket. A missing one is no error. Nothing is
// synced: not for what must not come back after a power cut.
MUST_CHECK enum err file_remove(const char *path, struct error *e);

// All of `len` bytes to a file descriptor, through short writes and EINTR.
MUST_CHECK enum err write_all(int fd, const void *data, size_t len, struct error *e);

#endif
