// SPDX-License-Identifier: Apache-2.0
// A new file that appears under its name whole and synced, or not at all.
//
// While it is written it has no name where the file system allows that (O_TMPFILE), so that not
// even SIGKILL leaves litter; elsewhere it has a temporary name in the same directory.
//
// Invariants
// 1. Until output_file_commit() the path is untouched; after a cut at any point it leads to the
//    old file or the new one, whole.
// 2. SIGINT, SIGTERM and SIGHUP wait between output_file_begin() and output_file_free() (unless
//    they are ignored), so that nothing of ours is left behind; long copies look out for them and
//    give up (ERR_IO, "interrupted"). The program then ends by the signal.
// 3. Only one thread uses an output file, and it frees it.
#ifndef IMAGE_TOOLS_OUTPUT_FILE_H
#define IMAGE_TOOLS_OUTPUT_FILE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum output_naming { OUTPUT_NAMELESS_IF_POSSIBLE, OUTPUT_NAMED };

struct output_file;

// ERR_IO when a file could not stand at `path` later, because something else is there.
MUST_CHECK enum err output_file_check(const char *path, struct error *e);

// A file that will replace or create `path`; a symbolic link is followed. Anything but a regular
// file in its place is refused (ERR_IO). OUTPUT_NAMED is what other file systems get; it is a
// choice so that it can be tested on any.
MUST_CHECK enum err output_file_begin(const char *path, enum output_naming naming,
                                      struct output_file **ret, struct error *e);

// All of `len` bytes at `off`.
MUST_CHECK enum err output_file_write(struct output_file *o, const void *data, size_t len,
                                      uint64_t off, struct error *e);

// Bytes [in_off, in_off + len) of `in_fd` to `out_off`; without moving data where the file system
// can share it. ERR_IO when `in_fd` ends early.
MUST_CHECK enum err output_file_copy(struct output_file *o, int in_fd, uint64_t in_off,
                                     uint64_t out_off, uint64_t len, struct error *e);

// The length; what was not written reads as zeros.
MUST_CHECK enum err output_file_set_size(struct output_file *o, uint64_t size, struct error *e);

// Mode of `st`, and its owner as far as this process may give files away.
MUST_CHECK enum err output_file_take_mode(struct output_file *o, const struct stat *st,
                                          struct error *e);

// Syncs it, gives it its name, syncs the directory.
MUST_CHECK enum err output_file_commit(struct output_file *o, struct error *e);

// Drops what was not committed and lets the signals in again.
void output_file_free(struct output_file *o);
DEFINE_CLEANUP(output_file, struct output_file *, output_file_free)

// A file without a name on the file system of `path`, for data too large for memory. The caller
// closes `*ret_fd`, and with it the file is gone.
MUST_CHECK enum err scratch_file_open(const char *path, int *ret_fd, struct error *e);

#endif
