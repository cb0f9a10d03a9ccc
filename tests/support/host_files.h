// SPDX-License-Identifier: Apache-2.0
// Files, small builds and signers for the tests of vv-image. Whatever goes wrong in here fails the
// running test.
#ifndef TESTS_SUPPORT_HOST_FILES_H
#define TESTS_SUPPORT_HOST_FILES_H

#include "image-tools/build_options.h"
#include "image-tools/image_writer.h"
#include "tests/support/image_builder.h"

#include <stddef.h>
#include <stdint.h>

enum { HOST_PATH_MAX = 512 };

void host_write(const char *path, const void *data, size_t len);
// malloced, with a NUL behind it that `*ret_len` does not count.
uint8_t *host_read(const char *path, size_t *ret_len);
// Entries of a directory.
size_t host_count(const char *dir);
// Both files hold the same bytes.
void host_assert_same(const char *path_a, const char *path_b);
// Flips all bits of one byte.
void host_flip(const char *path, uint64_t off);

// "vv-test" for "vv-test-board", version 1.0.0, release 1, created at 1700000000, two jobs, zstd,
// no partition yet.
struct build_options host_options(const char *output);
void host_add_partition(struct build_options *o, const char *name, const char *path);
// Must succeed.
struct image_totals host_build(struct build_options *o);

// An image of one partition "rootfs" with text, zeros, random data and a repetition, written to
// `path`: small, with every codec and a repeated record.
void host_write_image(const char *path, struct image_recipe *recipe);
// Its recipe; `data` of HOST_SAMPLE_SIZE bytes must outlive it.
enum { HOST_SAMPLE_SIZE = 80 * 1024 };
struct image_recipe host_recipe(uint8_t *data);

// Every chunk of the image decoded, in target order; malloced.
uint8_t *host_decode(const char *path, size_t *ret_len);

#endif
