// SPDX-License-Identifier: Apache-2.0
// A partition image as it is read for cutting: a window that moves over a file of any size.
//
// Invariants
// 1. The bytes of the window do not depend on where the file has holes; holes only save reading.
// 2. Memory is bounded: one buffer and one stretch of zeros, whatever the size of the file.
// 3. A file that shrinks or changes while it is read is refused: by the read that misses its bytes,
//    or at the latest by input_file_check_unchanged().
#ifndef IMAGE_TOOLS_INPUT_FILE_H
#define IMAGE_TOOLS_INPUT_FILE_H

#include "base/cleanup.h"
#include "base/error.h"
#include "format/chunk_table.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

// What cutter_next() wants to see.
enum { INPUT_WINDOW = CHUNK_RAW_MAX + 4096 };

struct input_file;

// A regular file or a block device. ERR_IO when it cannot be read or is neither, ERR_USAGE when it
// is empty. `path` must outlive the input file.
MUST_CHECK enum err input_file_open(const char *path, struct input_file **ret, struct error *e);
void input_file_free(struct input_file *in);
DEFINE_CLEANUP(input_file, struct input_file *, input_file_free)

uint64_t input_file_size(const struct input_file *in);
uint64_t input_file_left(const struct input_file *in); // bytes behind the start of the window
bool input_file_is(const struct input_file *in, const struct stat *st);

// The next `*ret_len` bytes: INPUT_WINDOW of them, or what is left of the file (> 0). They stay
// where they are until the next call. `*ret_hole`: so many of the first of them are in a hole: they
// are zero and were not read.
MUST_CHECK enum err input_file_window(struct input_file *in, const uint8_t **ret_data,
                                      size_t *ret_len, size_t *ret_hole, struct error *e);
// Moves the window on by `len` <= its length.
void input_file_advance(struct input_file *in, size_t len);
// Back to the start of the file.
void input_file_rewind(struct input_file *in);

// ERR_IO when size or time of change are not what they were when the file was opened. A block
// device has no such time; it is not checked.
MUST_CHECK enum err input_file_check_unchanged(const struct input_file *in, struct error *e);

#endif
